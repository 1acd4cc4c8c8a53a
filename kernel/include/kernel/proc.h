/* SPDX-License-Identifier: MIT */
/*
 * proc: processes: a task with an address space, open files, a directory, a parent.
 *
 * Problem: a process must be waited for after it is gone, without what it held staying with it. Idea: it ends in two steps. At exit it
 * gives up files, directory and memory by itself, where it may sleep; the next task on its hart frees its kernel stack, on which it
 * could not free itself; what is left is this struct with a status, which the parent's wait frees.
 *
 *     pid 7 exits(3) -> files, cwd, mm gone -> stack freed by the reaper -> zombie, status 3 -> pid 4's wait() = 7 -> gone
 *
 * Why task and process are two structs: sched lies below fs, and a kernel thread needs neither files nor a parent.
 *
 * PROC-1  every process but init (pid 1) has a parent; a dead parent's children become init's.
 * PROC-2  exit drops files, directory and address space at once; what waits for the parent is the struct,
 *         a pid and a status. The kernel stack is gone before the parent can see the zombie.
 * Locks: `proctree`.
 */
#ifndef KERNEL_PROC_H
#define KERNEL_PROC_H

#include <kernel/abi.h>
#include <kernel/fs.h>
#include <kernel/sched.h>

#define ABI_STATE_WORDS 22

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
	/* Own process: what the program expects of the kernel (abi.h). */
	const struct proc_abi *abi;
	u8 abi_flags; /* what its ELF header asks of the abi; 0 for our own */
	const struct call_watch
	    *watch; /* NULL, or who watches its system calls. Handed down by fork and exec. */
	/* NULL, or called on the way to user mode, interrupts on. Neither fork nor exec hands it down. */
	void (*before_return)(struct trapframe *frame);
	u64 abi_state[ABI_STATE_WORDS]; /* the abi's own; handed down by fork and exec */
	int fault_error;                /* why the last page fault of user mode was refused */
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

void proc_claims(struct claims *claims);
/* NULL, or which invariant is broken and where (static text buffer). World stopped. */
const char *proc_check(void);

#endif
