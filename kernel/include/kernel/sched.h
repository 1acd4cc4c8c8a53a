/* SPDX-License-Identifier: MIT */
/*
 * sched: tasks, run queue, blocking. The kernel is not preempted: a task leaves the hart when it blocks,
 * when it exits, or at the edge to user mode after a tick.
 *
 * Why no preemption in the kernel: the auditor needs moments at which no task is in the middle of acquiring or releasing something.
 * With tasks that stop anywhere there are none; here a task that is not running left its hart at a place that it chose, and says by
 * WAIT_QUIET whether its stack holds anything. An audit thus finds a quiescent point by stopping the harts and looking at each task once:
 *
 *     pid 1  blocked in wait(), quiet      pid 5  on hart 1, in user mode      pid 6  blocked on a disk read, not quiet
 *     -> not quiescent because of pid 6: the harts go on, and in a millisecond the auditor looks again
 *
 * The price is latency: who walks long lists calls sched_checkpoint, which yields and sees a kill.
 *
 * States:  NEW -> RUNNABLE <-> RUNNING -> BLOCKED -> RUNNABLE ...  RUNNING -> DEAD -> (reaped)
 *
 * TASK-1  a task is on the run queue iff it is RUNNABLE and not yet chosen.
 * TASK-2  a task's kernel stack is freed only after some hart switched away from the DEAD task for the
 *         last time, by the code that runs next on that hart (the reaper); only then upcall_task_reaped
 *         makes the process a zombie that its parent can see.
 * TASK-3  quiet is true only while the task is blocked in, or on its way out of, a wait in which it
 *         holds no transient page reference; the auditor counts every other task in the kernel as busy.
 *
 * Locks: `task` for state and wake-ups, `runqueue` inside it.
 */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include <kernel/addrspace.h>
#include <kernel/arch.h>
#include <kernel/list.h>
#include <kernel/spinlock.h>

struct proc; /* of the layer above: only pointers here */

enum task_state { TASK_NEW, TASK_RUNNABLE, TASK_RUNNING, TASK_BLOCKED, TASK_DEAD };

#define TASK_NAME_BYTES 16

struct task {
	struct context context;
	struct spinlock lock;
	enum task_state state; /* lock */
	bool on_hart;          /* lock; registers are live on some hart */
	bool quiet;            /* own task; read with the world stopped */
	bool in_user;          /* own task: true between return to user and the next trap */
	volatile bool killed;  /* set by anyone; a sleep that is interruptible ends */
	bool wake_pending;     /* lock: a wake-up came before the task blocked */
	u16 pid;               /* 0: idle tasks; kernel threads have one, too */
	u16 pinned;            /* own task: index + 1 of the one hart that may run it; 0: any */
	char name[TASK_NAME_BYTES] __attribute__((aligned(8)));
	void *kstack;            /* NULL for idle tasks */
	struct mm *mm;           /* task_set_mm; NULL: kernel thread, runs on the kernel's table */
	struct trapframe *frame; /* the user's registers, at the top of kstack */
	struct list run_link;    /* runqueue */
	struct list all_link;    /* list of all tasks, `task` rank lock of the list */
	struct list wait_link;   /* wait queue */
	u64 wake_time;           /* of a timed sleep */
	struct list timer_link;
	void (*entry)(void *arg); /* kernel thread */
	void *entry_arg;
	s64 fail_nth;  /* > 0: this many allocations until one is refused; 0: off; -1: it happened */
	s64 fail_next; /* becomes fail_nth when that one was refused; 0: no second refusal */
	u64 user_ticks, kernel_ticks, nr_switches;
	struct proc *proc; /* NULL: a kernel thread */
};

extern struct list task_all; /* every task but the idle ones; guarded by task_list_lock */
extern struct spinlock task_list_lock;

static inline struct task *current_task(void)
{
	return this_hart()->current;
}

void sched_init(void);                                /* before any task; sets this hart's idle task */
void sched_init_hart(void);                           /* idle task of a secondary hart */
void sched_idle_loop(void) __attribute__((noreturn)); /* what a hart does from its boot stack, for ever */

/*
 * A task with a kernel stack, not yet runnable, whose first switch goes to entry(arg) (kernel thread) or,
 * with entry NULL, returns to user mode with *task->frame. pid 0: the next free one. NULL: no memory.
 */
struct task *task_create(const char *name, void (*entry)(void *arg), void *arg);
/* The same with a pid of the caller's (init's 1; pid_alloc never gives that one), or 0. */
struct task *task_create_pid(u16 pid, const char *name, void (*entry)(void *arg), void *arg);
/* Undoes task_create for a task that never ran. */
void task_discard(struct task *task);
void task_start(struct task *task);
/* A kernel thread, started; panics when there is no memory (boot only). */
struct task *kthread_start(const char *name, void (*entry)(void *arg), void *arg);
/* Gives the task another address space, or none. With task_list_lock held task->mm stays what it is, and allocated. */
void task_set_mm(struct task *task, struct mm *mm);
/*
 * Arms fail-nth (0: disarms): the nth allocation is refused, and the next-th after that one (0: only one is). The caller
 * keeps the task from being freed.
 */
void task_set_fail_nth(struct task *task, s64 nth, s64 next);
/* The current task ends. The mm is already gone. Never returns. */
void task_exit(void) __attribute__((noreturn));
/* Frees a DEAD and reaped task's struct (its process was waited for). */
void task_free(struct task *task);

/* Lets the other runnable tasks go first; returns at once when there are none. */
void sched_yield(void);
/* From now on the current task runs on this hart only, which must be online. */
void sched_pin(u32 hart);
/* True once the current task has used up its slice while others wait; sched_yield resets it. */
bool sched_slice_over(void);
/* Blocks the current task (state was prepared by waitqueue.c). */
void sched_block(void);
void task_wake(struct task *task);
/* Sleeps until `time` (CSR ticks); 0, or -EINTR when killed. A quiet wait (WAIT_QUIET's promise holds). */
int sched_sleep_until(u64 time);
void task_kill(struct task *task); /* sets killed and ends interruptible sleeps */

#define PID_MAX 32767
u16 pid_alloc(void); /* 2..PID_MAX, not in use, the longest free ones first; 0 when all are */
void pid_free(u16 pid);

/* Called about every 10 ms while some hart is busy, from its timer interrupt (interrupts off, no locks held). */
void sched_set_tick_hook(void (*tick)(void));
/* Records a task event (EV_task_*) for this task; its mm is the task's, or none. */
void task_trace(enum trace_event event, const struct task *task, u32 value);

/* A task that is its process's, with its stack and its address space. */
void task_claim(struct claims *claims, const struct task *task);
/* Kernel threads: those that run, are queued to run, or wait for something that has them on its list. */
void sched_claims(struct claims *claims);
/* For the auditor. */
u32 sched_nr_busy(void);
/* NULL, or which of sched's invariants is broken and where (static text buffer). World stopped. */
const char *sched_check(void);
/* Totals for /proc. */
u32 sched_nr_tasks(void);

/* proc: the reaper freed the stack of a dead task. Interrupts on, no locks held. */
void upcall_task_reaped(struct task *task);

#endif
