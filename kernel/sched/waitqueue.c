/* SPDX-License-Identifier: MIT */
/*
 * Wait queues. A waiter enters the list under the queue's lock while it still holds the lock of its
 * condition, so a wake-up that follows a change of the condition cannot miss it; and one that comes before
 * the waiter has left the hart is kept in task->wake_pending (sched_block then returns at once).
 *
 * WAIT-1  a task is on at most one wait queue, and only between wait_sleep's two critical sections.
 * WAIT-2  whoever wakes a task takes it off the list first, so each wake-up is used once.
 *
 * Locks: `waitqueue`, inside the condition's lock, outside `task`.
 */
#include "sched_priv.h"
#include <kernel/errno.h>
#include <kernel/waitqueue.h>

void wait_init(struct waitqueue *wait)
{
	/* Not spin_init: queues come and go with the objects they are part of. */
	wait->lock = (struct spinlock)SPINLOCK_INIT(waitqueue);
	list_init(&wait->waiters);
}

int wait_sleep(struct waitqueue *wait, struct spinlock *lock, u32 flags)
{
	struct task *task = current_task();
	bool killable = flags & WAIT_KILLABLE;

	task_prepare_wait(task);
	/* Looked at after wake-ups begin to count: a kill is either seen here or wakes the task. */
	if (killable && task->killed)
		return -EINTR;
	spin_lock(&wait->lock);
	list_push_back(&wait->waiters, &task->wait_link);
	spin_unlock(&wait->lock);
	spin_unlock(lock);

	task->quiet = flags & WAIT_QUIET;
	sched_block();
	task->quiet = false;

	/* Also when already off the list: the waker may still hold the lock, and our caller may free the
	 * queue. */
	spin_lock(&wait->lock);
	list_remove(&task->wait_link);
	spin_unlock(&wait->lock);
	spin_lock(lock);
	return killable && task->killed ? -EINTR : 0;
}

static void wait_wake(struct waitqueue *wait, u32 nr)
{
	spin_lock(&wait->lock);
	while (nr-- && !list_empty(&wait->waiters)) {
		struct task *task = LIST_FIRST(&wait->waiters, struct task, wait_link);

		list_remove(&task->wait_link);
		task_wake(task);
	}
	spin_unlock(&wait->lock);
}

void wait_wake_all(struct waitqueue *wait)
{
	wait_wake(wait, ~0U);
}

void wait_wake_one(struct waitqueue *wait)
{
	wait_wake(wait, 1);
}
