/* SPDX-License-Identifier: MIT */
/*
 * /proc/lockstat: how often each lock was taken, and how often a hart that wanted it found it taken.
 *
 * First a line for every lock that lies in the kernel's image, in the order in which they were first taken; then a
 * line for every rank. Locks inside slab objects (an inode's, a task's) come and go: only their rank knows of them,
 * and only their failures. "contended" counts failed test-and-sets, tries included.
 */
#include "procfs_priv.h"
#include <kernel/spinlock.h>

static void show_locks(struct text *text)
{
	const struct spinlock *lock;

	text_printf(text, "%-16s %-10s %12s %12s\n", "lock", "rank", "acquires", "contended");
	for (u32 i = 0; (lock = lock_registered(i)) != NULL; i++)
		text_printf(text, "%-16s %-10s %12u %12u\n", lock->name, lock_rank_name(lock_rank(lock)),
			    lock->nr_acquires, lock->nr_contended);
}

static void show_rank(struct text *text, enum lock_rank rank)
{
	const struct spinlock *lock;
	u64 nr_acquires = 0;
	u32 nr_locks = 0;

	for (u32 i = 0; (lock = lock_registered(i)) != NULL; i++) {
		if (lock_rank(lock) != rank)
			continue;
		nr_locks++;
		nr_acquires += lock->nr_acquires;
	}
	text_printf(text, "%-10s %6u %12lu %12lu\n", lock_rank_name(rank), nr_locks, nr_acquires,
		    lock_rank_contended(rank));
}

static int lockstat_show(struct proc_file *file, struct text *text)
{
	show_locks(text);
	text_printf(text, "\n%-10s %6s %12s %12s\n", "rank", "locks", "acquires", "contended");
	for (u32 rank = LOCK_none + 1; rank < LOCK_NR; rank++)
		show_rank(text, rank);
	return 0;
}

const struct proc_node lockstat_node = {.name = "lockstat", .mode = 0444, .order = 1, .show = lockstat_show};
