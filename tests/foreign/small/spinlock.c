/* SPDX-License-Identifier: MIT */
/*
 * Spinlocks. Who holds one has interrupts off: an interrupt on this hart that wanted the same lock would wait for ever.
 *
 * push_off() and pop_off() nest: interrupts come back on with the outermost pop_off(), if they were on before.
 */
#include "kernel.h"

void push_off(void)
{
	int on = intr_get();

	intr_off();
	if (mycpu()->noff++ == 0)
		mycpu()->intena = on;
}

void pop_off(void)
{
	struct cpu *cpu = mycpu();

	if (intr_get() || cpu->noff < 1)
		panic("pop_off");
	if (--cpu->noff == 0 && cpu->intena)
		intr_on();
}

void initlock(struct spinlock *lock, const char *name)
{
	lock->locked = 0;
	lock->name = name;
	lock->cpu = NULL;
}

int holding(struct spinlock *lock)
{
	return lock->locked && lock->cpu == mycpu();
}

void acquire(struct spinlock *lock)
{
	push_off();
	if (holding(lock))
		panic(lock->name);
	while (__sync_lock_test_and_set(&lock->locked, 1))
		;
	__sync_synchronize();
	lock->cpu = mycpu();
}

void release(struct spinlock *lock)
{
	if (!holding(lock))
		panic(lock->name);
	lock->cpu = NULL;
	__sync_synchronize();
	__sync_lock_release(&lock->locked);
	pop_off();
}
