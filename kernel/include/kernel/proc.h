/* SPDX-License-Identifier: MIT */
/*
 * proc: processes: a task with an address space, open files, a directory, a parent.
 *
 * PROC-1  every process but init (pid 1) has a parent; a dead parent's children become init's.
 * PROC-2  exit drops files, directory and address space at once; what waits for the parent is the struct,
 *         a pid and a status. The kernel stack is gone before the parent can see the zombie.
 * Locks: `proctree`.
 */
#ifndef KERNEL_PROC_H
#define KERNEL_PROC_H

#include <kernel/fs.h>
#include <kernel/sched.h>
#include <uapi/xv6.h>

/* What the calls of uapi/xv6.h leave behind; own process only. Handed down by fork; exec ends the alarm. */
struct xv6_state {
	u32 traced;                   /* calls to print: a bit for each of that system's numbers */
	u32 refused;                  /* calls to refuse */
	char allowed[XV6_PATH_BYTES]; /* the path that open and exec may have all the same */
	u64 alarm_ticks;              /* 0: no alarm */
	u64 alarm_due;                /* of task->user_ticks */
	uaddr_t alarm_handler;
	uaddr_t alarm_frame; /* the interrupted registers, on the user's stack; 0: no handler runs */
};

/* proc->xv6; 0: a program of our own */
#define XV6_PROGRAM 1U
#define XV6_LARGE_FILES (XV6_ELF_LARGE_FILES << 1)
#define XV6_EAGER_FORK (XV6_ELF_EAGER_FORK << 1)

struct proc { /* slab cache "proc" */
	struct task *task;
	struct proc *parent;  /* proctree, as all links */
	struct list children; /* zombies first */
	struct list sibling;
	struct list all; /* in the list of all processes */
	struct waitqueue child_wait;
	bool zombie;
	s32 status;                 /* as wait reports it; -1: killed by the kernel */
	struct file *files[NOFILE]; /* own process only */
	struct inode *cwd;
	u32 xv6; /* own process, XV6_*: the program expects xv6's meaning (syscall/xv6.c) */
	struct xv6_state lab;
	int fault_error; /* why the last page fault of user mode was refused */
};

static inline struct proc *current_proc(void)
{
	return current_task()->proc;
}

void proc_init(void);
/*
 * Whether any program may do to the kernel and to others what tests must: lose memory on purpose, panic, change what is
 * traced, have another process's allocations fail, end the machine. By the boot argument debug=on.
 */
bool proc_may_debug(void);
/* Starts pid 1 from the program at `path` with these arguments. 0 or errno. */
int proc_start_init(const char *path, const char *const *argv);

int proc_fork(void); /* child's pid, -ENOMEM, -EAGAIN */
int proc_exec(const char *path, char *const *argv,
	      u32 argc); /* argv: kernel strings; on error nothing changed */
void proc_exit(s32 status) __attribute__((noreturn));
int proc_wait(s32 *status, u32 flags); /* pid, -ECHILD, -EINTR, 0 with WNOHANG */
int proc_kill(u16 pid);
u16 proc_find_parent(u16 pid); /* the parent's pid; 0: none, or no such process */
/* Ends every program, writes the disk back, audits memory and ends the machine with this status (poweroff.c). */
void proc_poweroff(s32 status) __attribute__((noreturn));
/* Ends the current process as killed, with one line on the console. */
void proc_die(const char *why, uaddr_t ua) __attribute__((noreturn));

int fd_install(struct file *file); /* fd or -EMFILE; takes over the count on success */
struct file *fd_file(int fd);      /* not counted; own process; NULL: -EBADF */
int fd_close(int fd);

/* Records an EV_sample: free pages now, the per-hart caches, page cache, dirty pages. Any context. */
void proc_sample(void);

/* xv6.c, for the system call xv6. 0 or errno; xv6_end_alarm: the a0 that was interrupted. */
int xv6_set_alarm(u64 ticks, uaddr_t handler);
s64 xv6_end_alarm(void);

void proc_claims(struct claims *claims);
/* NULL, or which invariant is broken and where (static text buffer). World stopped. */
const char *proc_check(void);

#endif
