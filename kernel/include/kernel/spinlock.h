/*
 * Spinlocks with a name, a rank and contention statistics.
 *
 * SPIN-1  a spinlock is held with interrupts off on the holding hart.
 * SPIN-2  ranks grow inward (lockorder.def); checked when LOCK_DEBUG is set.
 * SPIN-3  a lock has a rank from lockorder.def, and so a name; an uninitialised lock is refused by panic.
 */
#ifndef KERNEL_SPINLOCK_H
#define KERNEL_SPINLOCK_H

#include <kernel/arch.h>
#include <kernel/types.h>

enum lock_rank {
	LOCK_none,
#define LOCK(ev_rank, guards) LOCK_##ev_rank,
#include <kernel/lockorder.def>
#undef LOCK
	LOCK_NR,
};

struct spinlock {
	u32 locked;
	u16 rank;         /* enum lock_rank; 0 means never initialised */
	u16 holder;       /* hart index + 1, 0 when free */
	u32 nr_acquires;  /* statistics, written by the holder */
	u32 nr_contended; /* failed test-and-sets */
	const char *name; /* the rank's name, or a finer one given at init */
};

#define SPINLOCK_INIT(rank_)                                                                                 \
	{                                                                                                    \
		.rank = LOCK_##rank_, .name = #rank_                                                         \
	}

/* name NULL: the rank's own; else a static string. */
void spin_init(struct spinlock *lock, enum lock_rank rank, const char *name);
void spin_lock(struct spinlock *lock);
/* One more lock of the rank that is held last; by ascending address, and where lockorder.def says `nest`. */
void spin_lock_nested(struct spinlock *lock);
bool spin_trylock(struct spinlock *lock);
void spin_unlock(struct spinlock *lock);
bool spin_held(const struct spinlock *lock); /* by this hart */
const char *lock_rank_name(enum lock_rank rank);

/*
 * Locks for lockstat: every static lock that was ever taken (locks inside slab objects come and go, so they
 * count only in their rank's total). i from 0; NULL at the end.
 */
const struct spinlock *lock_registered(u32 i);
u64 lock_rank_contended(enum lock_rank rank); /* failed test-and-sets of all locks of the rank */

/* Nested interrupt disabling, as spin_lock does it: usable alone. */
void irq_push(void);
void irq_pop(void);

#endif
