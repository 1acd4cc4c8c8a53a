/* SPDX-License-Identifier: MIT */
/*
 * Spinlocks. The first one that a hart takes turns its interrupts off, the last one released turns them on again, so that
 * a task that holds a lock is not interrupted, and not moved to another hart.
 */
#include "kernel.h"

void lock_acquire(struct lock *lock)
{
	bool on = csr_read(sstatus) & SSTATUS_SIE;
	struct hart *hart;

	csr_clear(sstatus, SSTATUS_SIE);
	hart = this_hart();
	if (hart->depth++ == 0)
		hart->interrupts_were_on = on;
	if (__atomic_load_n(&lock->hart, __ATOMIC_RELAXED) == (u32)(hart - harts) + 1)
		panic("a lock is taken twice");
	while (__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE))
		;
	__atomic_store_n(&lock->hart, (u32)(hart - harts) + 1, __ATOMIC_RELAXED);
}

void lock_release(struct lock *lock)
{
	struct hart *hart = this_hart();

	__atomic_store_n(&lock->hart, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
	if (--hart->depth == 0 && hart->interrupts_were_on)
		csr_set(sstatus, SSTATUS_SIE);
}
