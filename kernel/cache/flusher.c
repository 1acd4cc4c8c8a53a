/* SPDX-License-Identifier: MIT */
/*
 * The write-back thread. It sleeps without a timer while nothing is dirty, so idle harts stay idle; the first dirty
 * page wakes it, and from then on it looks about once a second until everything old enough is on disk.
 */
#include "pagecache_priv.h"
#include <kernel/sched.h>
#include <kernel/sleeplock.h>

#define FLUSH_AGE (5 * TIME_HZ)
#define FLUSH_INTERVAL (1 * TIME_HZ)

static struct spinlock flusher_lock = SPINLOCK_INIT_NAMED(lru, "flusher");
static struct waitqueue flusher_wait;
static struct sleeplock pass_lock; /* while the thread looks and writes: what it uses cannot be reclaimed */
static bool flusher_asleep;        /* flusher_lock; first looked at without it */

/* Each side writes its own word before it reads the other's: nr_dirty here, flusher_asleep there. */
void writeback_wake(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&flusher_asleep, __ATOMIC_ACQUIRE))
		return;
	spin_lock(&flusher_lock);
	flusher_asleep = false;
	wait_wake_all(&flusher_wait);
	spin_unlock(&flusher_lock);
}

static void wait_for_work(void)
{
	spin_lock(&flusher_lock);
	__atomic_store_n(&flusher_asleep, true, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (counter_read(&pagecache.nr_dirty) > 0)
		flusher_asleep = false;
	while (flusher_asleep)
		wait_sleep(&flusher_wait, &flusher_lock, WAIT_QUIET);
	spin_unlock(&flusher_lock);
}

static bool oldest_is_due(struct mapping *mapping, u64 now)
{
	bool due;

	spin_lock(&mapping->lock);
	due = !list_empty(&mapping->dirty) &&
	      LIST_FIRST(&mapping->dirty, struct dirty_record, link)->since + FLUSH_AGE <= now;
	spin_unlock(&mapping->lock);
	return due;
}

static void flusher_main(void *arg)
{
	for (;;) {
		wait_for_work();
		sched_sleep_until(arch_time() + FLUSH_INTERVAL);
		sleeplock_acquire(&pass_lock);
		upcall_store_inodes();
		for (struct mapping *mapping = NULL; (mapping = mapping_next(mapping, mapping_has_dirty));)
			if (oldest_is_due(mapping, arch_time()))
				pagecache_sync(mapping);
		sleeplock_release(&pass_lock);
	}
}

void writeback_wait(void)
{
	sleeplock_acquire(&pass_lock);
	sleeplock_release(&pass_lock);
}

void writeback_init(void)
{
	wait_init(&flusher_wait);
	sleeplock_init(&pass_lock, "write-back pass");
	kthread_start("writeback", flusher_main, NULL);
}
