/* SPDX-License-Identifier: MIT */
/* Long-term locks: the holder may sleep and touch user memory. Not recursive; the owner is recorded. */
#ifndef KERNEL_SLEEPLOCK_H
#define KERNEL_SLEEPLOCK_H

#include <kernel/waitqueue.h>

struct task;

struct sleeplock {
	struct spinlock lock;
	struct waitqueue wait;
	struct task *owner;
	const char *name;
};

void sleeplock_init(struct sleeplock *lock, const char *name);
void sleeplock_acquire(struct sleeplock *lock);
bool sleeplock_try(struct sleeplock *lock);
void sleeplock_release(struct sleeplock *lock);
bool sleeplock_held(const struct sleeplock *lock); /* by the current task */

#endif
