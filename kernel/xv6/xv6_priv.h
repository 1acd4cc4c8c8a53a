/* SPDX-License-Identifier: MIT */
/* xv6's own: what a process keeps, and the operations that its files give to the table in xv6.c. */
#ifndef XV6_PRIV_H
#define XV6_PRIV_H

#include <kernel/errno.h>
#include <kernel/lib.h>
#include <kernel/proc.h>
#include <kernel/syscall.h>
#include <uapi/xv6.h>

/* What the calls of uapi/xv6.h leave behind, in proc->abi_state. Handed down by fork; exec and fork end the alarm. */
struct xv6_state {
	u32 traced;                   /* calls to print: a bit for each of that system's numbers */
	u32 refused;                  /* calls to refuse */
	char allowed[XV6_PATH_BYTES]; /* the path that open and exec may have all the same */
	u64 alarm_ticks;              /* between two alarms */
	u64 alarm_due;                /* of task->user_ticks */
	uaddr_t alarm_handler;
	uaddr_t alarm_frame; /* the interrupted registers, on the user's stack; 0: no handler runs */
};
STATIC_ASSERT(sizeof(struct xv6_state) <= ABI_STATE_WORDS * sizeof(u64), "room in struct proc");

static inline struct xv6_state *xv6_state_of(struct proc *proc)
{
	return (struct xv6_state *)proc->abi_state;
}

/* ---- files.c ---- */

int xv6_fit_path(char *path); /* cuts each name to what that system keeps. 0, or -ENAMETOOLONG */
ssize_t xv6_read(struct file *file, uaddr_t dst, size_t size_bytes);
/* Of a regular file all bytes, or an error; else as file_write. */
ssize_t xv6_write(struct file *file, uaddr_t src, size_t size_bytes);
int xv6_give_stat(const struct stat *st, uaddr_t ua);

/* ---- calls.c ---- */

s64 xv6_call(const u64 *arg);

/* ---- alarm.c ---- */

int xv6_set_alarm(u64 ticks, uaddr_t handler); /* 0 or errno */
s64 xv6_end_alarm(void);                       /* the a0 that was interrupted, or errno */
void xv6_entered(struct proc *proc);
void xv6_forked(struct proc *child, struct mm *mm);
int xv6_user_fault(struct task *task, uaddr_t ua, bool write, bool exec);

#endif
