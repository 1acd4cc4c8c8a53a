/* SPDX-License-Identifier: MIT */
/*
 * Sleeping on the host with real threads: each thread pretends to be a hart that runs one task. All wait queues share
 * one condition: whoever wakes one wakes all, which the rules of wait queues allow (spurious returns happen).
 */
#include <host/host_fs.h>
#include <kernel/sleeplock.h>
#include <kernel/waitqueue.h>
#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static u64 generation;
static char tasks[NR_HARTS_MAX]; /* only their addresses count */

struct task *host_task(void)
{
	return (struct task *)&tasks[host_hart];
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
	u64 seen;

	pthread_mutex_lock(&mutex);
	seen = generation;
	spin_unlock(lock);
	if (this_hart()->irq_off_depth)
		panic("sleeps with another spinlock held than %s", lock->name);
	while (generation == seen)
		pthread_cond_wait(&condition, &mutex);
	pthread_mutex_unlock(&mutex);
	spin_lock(lock);
	return 0;
}

void wait_wake_all(struct waitqueue *wait)
{
	pthread_mutex_lock(&mutex);
	generation++;
	pthread_cond_broadcast(&condition);
	pthread_mutex_unlock(&mutex);
}

void wait_wake_one(struct waitqueue *wait)
{
	wait_wake_all(wait);
}

void sleeplock_init(struct sleeplock *lock, const char *name)
{
	lock->lock = (struct spinlock)SPINLOCK_INIT(sleeplock);
	wait_init(&lock->wait);
	lock->owner = NULL;
	lock->name = name;
}

void sleeplock_acquire(struct sleeplock *lock)
{
	spin_lock(&lock->lock);
	if (lock->owner == host_task())
		panic("sleep lock %s taken twice", lock->name);
	while (lock->owner)
		wait_sleep(&lock->wait, &lock->lock, 0);
	__atomic_store_n(&lock->owner, host_task(), __ATOMIC_RELAXED);
	spin_unlock(&lock->lock);
}

void sleeplock_release(struct sleeplock *lock)
{
	spin_lock(&lock->lock);
	if (lock->owner != host_task())
		panic("sleep lock %s is not held", lock->name);
	__atomic_store_n(&lock->owner, NULL, __ATOMIC_RELAXED);
	wait_wake_all(&lock->wait);
	spin_unlock(&lock->lock);
}

bool sleeplock_held(const struct sleeplock *lock)
{
	return __atomic_load_n(&lock->owner, __ATOMIC_RELAXED) == host_task();
}
