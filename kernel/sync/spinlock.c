/* SPDX-License-Identifier: MIT */
/*
 * Spinlocks: test-and-set with interrupts off, and the checks of SPIN-1..3. The short ways are in the header.
 *
 * The ranks held are a word of bits in the hart's struct: since ranks grow inward, no two locks held have the same,
 * and nothing is shared with other harts.
 *
 * The registry of lockstat holds static locks only. A lock inside a slab object would leave a dangling
 * entry behind; its contention is counted in the total of its rank, on the slow path.
 */
#include <kernel/lib.h>
#include <kernel/spinlock.h>

#define LOCKS_REGISTERED_MAX 128
#define DEADLOCK_TIME (20 * TIME_HZ) /* longer than any wait under a host that is busy elsewhere */

static const struct spinlock *registry[LOCKS_REGISTERED_MAX];
static u32 nr_registered; /* atomic */
static u64 rank_contended[LOCK_NR];

static const char *const rank_names[LOCK_NR] = {
    "(no rank)",
#define LOCK(ev_rank, guards) #ev_rank,
#include <kernel/lockorder.def>
#undef LOCK
};

const char *lock_rank_name(enum lock_rank rank)
{
	return rank < LOCK_NR ? rank_names[rank] : "(bad rank)";
}

void spin_init(struct spinlock *lock, enum lock_rank rank, const char *name)
{
	*lock = (struct spinlock){.rank_bit = 1U << rank, .name = name ? name : lock_rank_name(rank)};
}

void irq_push(void)
{
	irq_push_inline();
}

void irq_pop(void)
{
	irq_pop_inline(this_hart());
}

void __attribute__((noinline, cold)) irq_pop_complain(const struct hart *hart)
{
	panic("irq_pop without irq_push on hart %u", hart->index);
}

#ifdef PAGETRAIL_HOST
static bool lock_is_static(const struct spinlock *lock)
{
	return false;
}
#else
extern char image_end[];
static bool lock_is_static(const struct spinlock *lock)
{
	return (const char *)lock >= image_start && (const char *)lock < image_end;
}
#endif

/* The first time a lock is taken, and once every 2^32 times after: the counter wraps. */
void __attribute__((noinline, cold)) lock_register(const struct spinlock *lock)
{
	if (!lock_is_static(lock))
		return;
	u32 nr = __atomic_load_n(&nr_registered, __ATOMIC_RELAXED);
	for (u32 i = 0; i < nr && i < LOCKS_REGISTERED_MAX; i++)
		if (registry[i] == lock)
			return;
	u32 slot = __atomic_fetch_add(&nr_registered, 1, __ATOMIC_RELAXED);
	if (slot < LOCKS_REGISTERED_MAX)
		__atomic_store_n(&registry[slot], lock, __ATOMIC_RELEASE);
}

const struct spinlock *lock_registered(u32 i)
{
	return i < LOCKS_REGISTERED_MAX ? __atomic_load_n(&registry[i], __ATOMIC_ACQUIRE) : NULL;
}

u64 lock_rank_contended(enum lock_rank rank)
{
	return rank < LOCK_NR ? __atomic_load_n(&rank_contended[rank], __ATOMIC_RELAXED) : 0;
}

enum lock_rank lock_rank(const struct spinlock *lock)
{
	return lock->rank_bit ? (enum lock_rank)__builtin_ctz(lock->rank_bit) : LOCK_none;
}

STATIC_ASSERT(LOCK_NR <= 32, "rank_bit has a bit for each rank");

void __attribute__((noinline, cold)) lock_complain(const struct hart *hart, const struct spinlock *lock)
{
	enum lock_rank rank = lock_rank(lock);

	if (rank == LOCK_none || rank >= LOCK_NR || !lock->name)
		panic_about(lock, "spinlock %p was never initialised (rank %u)", (void *)lock, rank);
	if (lock->holder == hart)
		panic_about(lock, "spinlock %s taken twice by hart %u", lock->name, hart->index);
	panic_about(lock, "lock order: %s (rank %s) taken while rank %s is held", lock->name,
		    lock_rank_name(rank), lock_rank_name(31 - (u32)__builtin_clz(hart->ranks_held)));
}

void __attribute__((noinline, cold)) unlock_complain(const struct hart *hart, const struct spinlock *lock)
{
	const struct hart *holder = lock->holder;

	panic_about(lock, "spinlock %s released by hart %u, held by hart %d",
		    lock->name ? lock->name : "(unnamed)", hart->index, holder ? (int)holder->index : -1);
}

void __attribute__((noinline, cold)) spin_wait(struct hart *hart, struct spinlock *lock)
{
	u64 begin = arch_time();
	u32 failures = 1;

	for (;;) {
		const struct hart *holder;

		while ((holder = __atomic_load_n(&lock->holder, __ATOMIC_RELAXED)) != NULL) {
			arch_relax();
			if (UNLIKELY(arch_time() - begin > DEADLOCK_TIME))
				panic_about(lock, "spinlock %s: held by hart %u for 20 s", lock->name,
					    holder->index);
		}
		if (spin_try(hart, lock))
			break;
		failures++;
	}
	lock->nr_contended += failures;
	__atomic_fetch_add(&rank_contended[lock_rank(lock)], failures, __ATOMIC_RELAXED);
}

void spin_lock(struct spinlock *lock)
{
	spin_lock_inline(lock);
}

void spin_lock_nested(struct spinlock *lock)
{
	this_hart()->ranks_held &= ~lock->rank_bit;
	spin_lock(lock);
}

void spin_unlock(struct spinlock *lock)
{
	spin_unlock_inline(this_hart(), lock);
}

bool spin_held(const struct spinlock *lock)
{
	return lock->holder == this_hart();
}
