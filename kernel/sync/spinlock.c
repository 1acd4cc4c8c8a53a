/*
 * Spinlocks: test-and-set with interrupts off, and the checks of SPIN-1..3.
 *
 * The rank check is a word of bits in the hart's struct, one for each rank held: since ranks grow inward, no
 * two locks held have the same, and nothing is shared with other harts.
 *
 * The registry of lockstat holds static locks only. A lock inside a slab object would leave a dangling
 * entry behind; its contention is counted in the total of its rank, on the slow path.
 */
#include <kernel/lib.h>
#include <kernel/spinlock.h>

#ifndef LOCK_DEBUG
#define LOCK_DEBUG 0
#endif

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
	*lock = (struct spinlock){.rank = (u16)rank, .name = name ? name : lock_rank_name(rank)};
}

static inline struct hart *push(void)
{
	bool was_on = arch_irq_save();
	struct hart *hart = this_hart();

	if (hart->irq_off_depth++ == 0)
		hart->irq_was_on = was_on;
	return hart;
}

static inline void pop(struct hart *hart)
{
	if (UNLIKELY(hart->irq_off_depth == 0))
		panic("irq_pop without irq_push on hart %u", hart->index);
	if (--hart->irq_off_depth == 0)
		arch_irq_restore(hart->irq_was_on);
}

void irq_push(void)
{
	push();
}

void irq_pop(void)
{
	pop(this_hart());
}

#ifdef PAGETRAIL_HOST
static bool lock_is_static(const struct spinlock *lock)
{
	return false;
}
#else
extern char image_start[], image_end[];
static bool lock_is_static(const struct spinlock *lock)
{
	return (const char *)lock >= image_start && (const char *)lock < image_end;
}
#endif

/* The first time a lock is taken, and once every 2^32 times after: the counter wraps. */
static void __attribute__((noinline, cold)) lock_register(const struct spinlock *lock)
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

static void __attribute__((noinline, cold))
lock_complain(const struct hart *hart, const struct spinlock *lock)
{
	if (lock->rank == LOCK_none || lock->rank >= LOCK_NR || !lock->name)
		panic_about(lock, "spinlock %p was never initialised (rank %u)", (void *)lock, lock->rank);
	if (lock->locked && lock->holder == hart->index + 1)
		panic_about(lock, "spinlock %s taken twice by hart %u", lock->name, hart->index);
	panic_about(lock, "lock order: %s (rank %s) taken while rank %s is held", lock->name,
		    lock_rank_name(lock->rank), lock_rank_name(63 - (u32)__builtin_clzl(hart->ranks_held)));
}

STATIC_ASSERT(LOCK_NR <= 64, "ranks_held has a bit for each rank");

/* Bits at or above the lock's own rank must be clear; rank 0 is nobody's. */
static inline void lock_check(const struct hart *hart, const struct spinlock *lock)
{
	if (UNLIKELY(hart->ranks_held >> lock->rank || !lock->rank))
		lock_complain(hart, lock);
}

static inline void note_held(struct hart *hart, struct spinlock *lock)
{
	lock->holder = (u16)(hart->index + 1);
	if (LOCK_DEBUG)
		hart->ranks_held |= 1UL << lock->rank;
	if (UNLIKELY(lock->nr_acquires++ == 0))
		lock_register(lock);
}

static void __attribute__((noinline, cold)) spin_wait(struct spinlock *lock)
{
	u64 begin = arch_time();
	u32 failures = 1;

	for (;;) {
		while (__atomic_load_n(&lock->locked, __ATOMIC_RELAXED)) {
			arch_relax();
			if (UNLIKELY(arch_time() - begin > DEADLOCK_TIME))
				panic_about(lock, "spinlock %s: held by hart %d for 20 s", lock->name,
					    lock->holder - 1);
		}
		if (!__atomic_exchange_n(&lock->locked, 1, __ATOMIC_ACQUIRE))
			break;
		failures++;
	}
	lock->nr_contended += failures;
	__atomic_fetch_add(&rank_contended[lock->rank], failures, __ATOMIC_RELAXED);
}

void spin_lock(struct spinlock *lock)
{
	struct hart *hart = push();

	if (LOCK_DEBUG)
		lock_check(hart, lock);
	if (UNLIKELY(__atomic_exchange_n(&lock->locked, 1, __ATOMIC_ACQUIRE)))
		spin_wait(lock);
	note_held(hart, lock);
}

void spin_lock_nested(struct spinlock *lock)
{
	struct hart *hart = this_hart();

	if (LOCK_DEBUG)
		hart->ranks_held &= ~(1UL << lock->rank);
	spin_lock(lock);
}

bool spin_trylock(struct spinlock *lock)
{
	struct hart *hart = push();

	if (LOCK_DEBUG)
		lock_check(hart, lock);
	if (__atomic_exchange_n(&lock->locked, 1, __ATOMIC_ACQUIRE)) {
		__atomic_fetch_add(&rank_contended[lock->rank], 1, __ATOMIC_RELAXED);
		pop(hart);
		return false;
	}
	note_held(hart, lock);
	return true;
}

static void __attribute__((noinline, cold))
unlock_complain(const struct hart *hart, const struct spinlock *lock)
{
	panic_about(lock, "spinlock %s released by hart %u, held by hart %d",
		    lock->name ? lock->name : "(unnamed)", hart->index, lock->holder - 1);
}

void spin_unlock(struct spinlock *lock)
{
	struct hart *hart = this_hart();

	if (UNLIKELY(lock->holder != hart->index + 1))
		unlock_complain(hart, lock);
	if (LOCK_DEBUG)
		hart->ranks_held &= ~(1UL << lock->rank);
	lock->holder = 0;
	__atomic_store_n(&lock->locked, 0, __ATOMIC_RELEASE);
	pop(hart);
}

bool spin_held(const struct spinlock *lock)
{
	return lock->locked && lock->holder == hart_index() + 1;
}
