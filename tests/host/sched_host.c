/* SPDX-License-Identifier: MIT */
/*
 * Sleeping on the host: there is one task, so whoever would sleep would sleep for ever. A test that wants to see what
 * happens in such a moment sets host_on_sleep; otherwise it is a panic.
 */
#include <host/host_fs.h>
#include <kernel/sleeplock.h>
#include <kernel/waitqueue.h>

bool (*host_on_sleep)(void);

static char the_task; /* only its address counts */

struct task *host_task(void)
{
	return (struct task *)&the_task;
}

int sched_checkpoint(void)
{
	return 0;
}

void wait_init(struct waitqueue *wait)
{
	wait->lock = (struct spinlock)SPINLOCK_INIT(waitqueue);
	list_init(&wait->waiters);
}

int wait_sleep(struct waitqueue *wait, struct spinlock *lock, u32 flags)
{
	bool killed;

	spin_unlock(lock);
	if (this_hart()->irq_off_depth)
		panic("sleeps with another spinlock held than %s", lock->name);
	if (!host_on_sleep)
		panic("sleeps for ever, with %s given up", lock->name);
	killed = !host_on_sleep();
	spin_lock(lock);
	return killed && (flags & WAIT_KILLABLE) ? -4 /* -EINTR */ : 0;
}

void wait_wake_all(struct waitqueue *wait) {}
void wait_wake_one(struct waitqueue *wait) {}

void sleeplock_init(struct sleeplock *lock, const char *name)
{
	lock->lock = (struct spinlock)SPINLOCK_INIT(sleeplock);
	wait_init(&lock->wait);
	lock->owner = NULL;
	lock->name = name;
}

void sleeplock_acquire(struct sleeplock *lock)
{
	if (this_hart()->irq_off_depth)
		panic("sleep lock %s taken with a spinlock held", lock->name);
	if (lock->owner)
		panic("sleep lock %s taken twice", lock->name);
	lock->owner = host_task();
}

bool sleeplock_try(struct sleeplock *lock)
{
	if (lock->owner)
		return false;
	lock->owner = host_task();
	return true;
}

void sleeplock_release(struct sleeplock *lock)
{
	if (!lock->owner)
		panic("sleep lock %s is not held", lock->name);
	lock->owner = NULL;
}

bool sleeplock_held(const struct sleeplock *lock)
{
	return lock->owner != NULL;
}
