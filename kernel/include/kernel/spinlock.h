/* SPDX-License-Identifier: MIT */
/*
 * Spinlocks with a name, a rank and contention statistics.
 *
 * Problem: two harts that take two locks in opposite order stop for ever, once in a million runs. Idea: all locks have a place in one order,
 * and each acquisition compares places, whether another hart is there or not. So the first run of the wrong code panics:
 *
 *     holding `buddy`, taking `mapping`:   panic: lock order: mapping (rank mapping) taken while rank buddy is held
 *
 * Why not a graph of what was seen, which needs no list to be kept: it finds an order only when both halves of a cycle have run, and it
 * needs memory; the list is also what a reader wants to see first.
 *
 * SPIN-1  a spinlock is held with interrupts off on the holding hart.
 * SPIN-2  ranks grow inward (lockorder.def); checked at every acquisition.
 * SPIN-3  a lock has a rank from lockorder.def, and so a name; an uninitialised lock is refused by panic.
 *
 * The checks cost three instructions, so there is no build without them. A rank is kept as a bit: a lock may be taken
 * if its bit is greater than the word of all bits held, and the bit 0 of a lock that nobody initialised never is.
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
	struct hart *holder; /* NULL: free */
	u32 rank_bit;        /* 1 << enum lock_rank; 0: never initialised */
	u32 nr_acquires;     /* statistics, written by the holder */
	u32 nr_contended;    /* failed test-and-sets */
	const char *name;    /* the rank's name, or a finer one given at init */
};

#define SPINLOCK_INIT_NAMED(rank_, name_)                                                                    \
	{                                                                                                    \
		.rank_bit = 1U << LOCK_##rank_, .name = (name_)                                              \
	}
#define SPINLOCK_INIT(rank_) SPINLOCK_INIT_NAMED(rank_, #rank_)

/* name NULL: the rank's own; else a static string. */
void spin_init(struct spinlock *lock, enum lock_rank rank, const char *name);
void spin_lock(struct spinlock *lock);
/* One more lock of the rank that is held last; by ascending address, and where lockorder.def says `nest`. */
void spin_lock_nested(struct spinlock *lock);
void spin_unlock(struct spinlock *lock);
bool spin_held(const struct spinlock *lock); /* by this hart */
enum lock_rank lock_rank(const struct spinlock *lock);
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

/* ---- the same in place, for paths whose instructions are counted ---- */

void spin_wait(struct hart *hart, struct spinlock *lock);
void lock_complain(const struct hart *hart, const struct spinlock *lock) __attribute__((noreturn));
void unlock_complain(const struct hart *hart, const struct spinlock *lock) __attribute__((noreturn));
void lock_register(const struct spinlock *lock);
void irq_pop_complain(const struct hart *hart) __attribute__((noreturn));

/*
 * Where the depth is not 0, interrupts are off already. An interrupt that comes after it was found to be 0 leaves it so,
 * and no task leaves its hart here.
 */
static inline struct hart *irq_push_inline(void)
{
	struct hart *hart = this_hart();
	u32 depth = hart->irq_off_depth;

	if (LIKELY(depth == 0))
		hart->irq_was_on = arch_irq_save();
	hart->irq_off_depth = depth + 1;
	return hart;
}

static inline void irq_pop_inline(struct hart *hart)
{
	s32 depth = (s32)--hart->irq_off_depth;

	if (LIKELY(depth == 0))
		arch_irq_restore(hart->irq_was_on);
	else if (UNLIKELY(depth < 0))
		irq_pop_complain(hart);
}

/* True: it was free and is hart's now. */
static inline bool spin_try(struct hart *hart, struct spinlock *lock)
{
	struct hart *nobody = NULL;

	return __atomic_compare_exchange_n(&lock->holder, &nobody, hart, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

/* The result is what spin_unlock_inline wants. */
static inline struct hart *spin_lock_inline(struct spinlock *lock)
{
	struct hart *hart = irq_push_inline();
	u32 held = hart->ranks_held, bit = lock->rank_bit;

	if (UNLIKELY(held >= bit))
		lock_complain(hart, lock);
	hart->ranks_held = held | bit;
	if (UNLIKELY(!spin_try(hart, lock)))
		spin_wait(hart, lock);
	if (UNLIKELY(lock->nr_acquires++ == 0))
		lock_register(lock);
	return hart;
}

/* The compiler makes a swap of an atomic store; a plain one behind a fence does. */
static inline void spin_unlock_inline(struct hart *hart, struct spinlock *lock)
{
	if (UNLIKELY(lock->holder != hart))
		unlock_complain(hart, lock);
	hart->ranks_held &= ~lock->rank_bit;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	*(struct hart *volatile *)&lock->holder = NULL;
	irq_pop_inline(hart);
}

#endif
