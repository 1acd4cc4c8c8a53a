/* SPDX-License-Identifier: MIT */
/*
 * Sleep locks: an owner and a queue. The lock is free iff owner is NULL; release wakes one waiter, which
 * competes for it like everybody (no hand-over: a running task may take it first, and that is the faster
 * way).
 *
 * Locks: `sleeplock` around the owner, `waitqueue` inside.
 */
#include <kernel/lib.h>
#include <kernel/sched.h>
#include <kernel/sleeplock.h>

void sleeplock_init(struct sleeplock *lock, const char *name)
{
	/* Not spin_init: sleep locks come and go with the objects they are part of. */
	lock->lock = (struct spinlock)SPINLOCK_INIT(sleeplock);
	wait_init(&lock->wait);
	lock->owner = NULL;
	lock->name = name;
}

void sleeplock_acquire(struct sleeplock *lock)
{
	struct task *task = current_task();

	spin_lock(&lock->lock);
	if (lock->owner == task)
		panic_about(lock, "sleep lock %s: pid %d takes it twice", lock->name, task->pid);
	while (lock->owner)
		wait_sleep(&lock->wait, &lock->lock, 0);
	lock->owner = task;
	spin_unlock(&lock->lock);
}

bool sleeplock_try(struct sleeplock *lock)
{
	bool taken;

	spin_lock(&lock->lock);
	taken = !lock->owner;
	if (taken)
		lock->owner = current_task();
	spin_unlock(&lock->lock);
	return taken;
}

void sleeplock_release(struct sleeplock *lock)
{
	spin_lock(&lock->lock);
	if (lock->owner != current_task())
		panic_about(lock, "sleep lock %s: pid %d releases it, pid %d owns it", lock->name,
			    current_task()->pid, lock->owner ? lock->owner->pid : 0);
	lock->owner = NULL;
	wait_wake_one(&lock->wait);
	spin_unlock(&lock->lock);
}

bool sleeplock_held(const struct sleeplock *lock)
{
	return __atomic_load_n(&lock->owner, __ATOMIC_RELAXED) == current_task();
}
