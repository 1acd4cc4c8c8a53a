/*
 * The run queue: one first-in first-out list for all harts, and the set of idle harts.
 *
 * One queue, because the machine has at most eight harts: no hart is ever idle while a task waits, nothing is
 * balanced or stolen, and its lock is held for a few instructions.
 *
 * RUNQ-1  a task is linked here iff it is RUNNABLE and not yet chosen (TASK-1).
 * RUNQ-2  a hart's bit in idle_harts is set only under the lock, at a moment when the queue was empty. So
 * whoever puts a task either finds the bit and sends an IPI, or came first and the hart finds the task.
 * RUNQ-3  the bit is cleared by the one who sends the IPI: two tasks put at once wake two harts.
 *
 * Lock: `runqueue`, innermost of sched's. Callers: task.c.
 */
#include "sched_priv.h"

static struct spinlock runqueue_lock = SPINLOCK_INIT(runqueue);
static struct list runqueue = LIST_INIT(runqueue);
static u32 idle_harts; /* bit: hart index */

void runqueue_put(struct task *task)
{
	u32 self = hart_index();
	u32 wake = NR_HARTS_MAX;

	spin_lock(&runqueue_lock);
	list_push_back(&runqueue, &task->run_link);
	if (idle_harts) {
		/* Itself idle means: this is an interrupt in the idle loop, which looks here next. */
		wake = idle_harts & (1U << self) ? self : (u32)__builtin_ctz(idle_harts);
		idle_harts &= ~(1U << wake);
	}
	spin_unlock(&runqueue_lock);
	if (wake != NR_HARTS_MAX && wake != self)
		arch_ipi(wake, IPI_WAKE);
}

struct task *runqueue_take(bool idle)
{
	struct task *task = NULL;
	u32 bit = 1U << hart_index();

	spin_lock(&runqueue_lock);
	if (!list_empty(&runqueue)) {
		task = LIST_FIRST(&runqueue, struct task, run_link);
		list_remove(&task->run_link);
		idle_harts &= ~bit;
	} else if (idle) {
		idle_harts |= bit;
	}
	spin_unlock(&runqueue_lock);
	return task;
}

bool runqueue_empty(void)
{
	return __atomic_load_n(&runqueue.next, __ATOMIC_RELAXED) == &runqueue;
}

u32 runqueue_count(enum task_state state)
{
	u32 nr = 0;

	LIST_FOR_EACH (link, &runqueue)
		nr += LIST_ENTRY(link, struct task, run_link)->state == state;
	return nr;
}
