/* SPDX-License-Identifier: MIT */
/*
 * The run queue: one first-in first-out list for all harts, and the set of idle harts.
 *
 * One queue, because the machine has at most eight harts: no hart stays idle while a task waits, nothing is balanced
 * or stolen, and its lock is held for a few instructions.
 *
 * An idle hart is not called at once when a task is put. Most tasks are woken by one that is about to wait for them: a
 * parent that forks and waits, the two ends of a pipe. They run best one after the other on the hart where they are;
 * to call another hart costs more than such a turn, and much more where harts are threads of a busy host. So the hart
 * that put the task takes it itself if it comes to the end of its own task within KICK_TIME, and calls idle harts for
 * what then still waits.
 *
 * A task that is pinned to a hart waits in the same queue and is passed over by the others. Its hart, if idle, is called
 * at once: no other could take it instead.
 *
 * RUNQ-1  a task is linked here iff it is RUNNABLE and not yet chosen (TASK-1).
 * RUNQ-2  a hart's bit in idle_harts is set only under the lock, at a moment when nothing it may run was queued. So whoever
 *         puts a task either finds the bit, and its hart's kick_at is set, or came first, and the hart finds the task.
 * RUNQ-3  the bit is cleared by the one who sends the IPI: two tasks wake two harts.
 *
 * Lock: `runqueue`, innermost of sched's. Callers: task.c, timer.c.
 */
#include "sched_priv.h"

static struct spinlock runqueue_lock = SPINLOCK_INIT(runqueue);
static struct list runqueue = LIST_INIT(runqueue);
static u32 idle_harts; /* bit: hart index */

static bool may_run_here(const struct task *task)
{
	return !task->pinned || task->pinned == hart_index() + 1;
}

void runqueue_put(struct task *task)
{
	u32 bit = 1U << hart_index(), call = 0;
	bool others_idle;

	spin_lock(&runqueue_lock);
	list_push_back(&runqueue, &task->run_link);
	if (UNLIKELY(!may_run_here(task))) {
		call = idle_harts & 1U << (task->pinned - 1);
		idle_harts &= ~call;
		spin_unlock(&runqueue_lock);
		if (call)
			arch_ipi(task->pinned - 1U, IPI_WAKE);
		return;
	}
	others_idle = idle_harts && !(idle_harts & bit);
	/* Itself idle means: this is an interrupt in the idle loop, which looks here next. */
	idle_harts &= ~bit;
	if (others_idle)
		timer_kick_later();
	spin_unlock(&runqueue_lock);
}

void runqueue_kick(void)
{
	u32 called = 0;

	spin_lock(&runqueue_lock);
	for (struct list *link = runqueue.next; link != &runqueue && idle_harts; link = link->next) {
		u32 bit = LIST_ENTRY(link, struct task, run_link)->pinned ? 0 : idle_harts & -idle_harts;

		idle_harts &= ~bit;
		called |= bit;
	}
	spin_unlock(&runqueue_lock);
	for (; called; called &= called - 1)
		arch_ipi((u32)__builtin_ctz(called), IPI_WAKE);
}

struct task *runqueue_take(bool idle)
{
	u32 bit = 1U << hart_index();

	spin_lock(&runqueue_lock);
	LIST_FOR_EACH (link, &runqueue) {
		struct task *task = LIST_ENTRY(link, struct task, run_link);

		if (!may_run_here(task))
			continue;
		list_remove(&task->run_link);
		idle_harts &= ~bit;
		spin_unlock(&runqueue_lock);
		return task;
	}
	if (idle) {
		idle_harts |= bit;
		timer_no_kick();
	}
	spin_unlock(&runqueue_lock);
	return NULL;
}

bool runqueue_empty(void)
{
	return __atomic_load_n(&runqueue.next, __ATOMIC_RELAXED) == &runqueue;
}

bool runqueue_has(const struct task *task)
{
	LIST_FOR_EACH (link, &runqueue)
		if (LIST_ENTRY(link, struct task, run_link) == task)
			return true;
	return false;
}

u32 runqueue_count(enum task_state state)
{
	u32 nr = 0;

	LIST_FOR_EACH (link, &runqueue)
		nr += LIST_ENTRY(link, struct task, run_link)->state == state;
	return nr;
}
