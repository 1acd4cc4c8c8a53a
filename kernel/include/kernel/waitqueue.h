/* SPDX-License-Identifier: MIT */
/*
 * Wait queues: a condition, guarded by some spinlock, and the tasks that wait for it.
 *
 * Problem: between "the condition is false" and "I sleep" another hart may make it true and wake nobody. Idea: the waiter enters the queue
 * while it still holds the condition's lock, so whoever changes the condition afterwards finds it there. A wake-up promises nothing: the
 * condition may be false again before the waiter runs, hence the loop.
 *
 * Usual sequence:
 *     spin_lock(&x->lock);
 *     while (!condition)
 *             if ((err = wait_sleep(&x->wait, &x->lock, WAIT_KILLABLE | WAIT_QUIET)) < 0) break;
 *     ...
 *     spin_unlock(&x->lock);
 * and the other side changes the condition under the lock and calls wait_wake_all.
 *
 * WAIT_QUIET is a promise to the auditor: the caller holds no page reference and no object that only its
 * own stack knows.
 */
#ifndef KERNEL_WAITQUEUE_H
#define KERNEL_WAITQUEUE_H

#include <kernel/list.h>
#include <kernel/spinlock.h>

struct waitqueue {
	struct spinlock lock;
	struct list waiters;
};

#define WAIT_KILLABLE 1
#define WAIT_QUIET 2

void wait_init(struct waitqueue *wait);
/* Gives up `lock`, sleeps, takes it again. 0, or -EINTR if WAIT_KILLABLE and the task is killed. Spurious returns happen. */
int wait_sleep(struct waitqueue *wait, struct spinlock *lock, u32 flags);
void wait_wake_all(struct waitqueue *wait);
void wait_wake_one(struct waitqueue *wait);

/*
 * Between two steps of long work, which nothing else interrupts as the kernel is not preempted: lets others run when the
 * slice is over. 0, or -EINTR when the current task was killed: then the work need not go on. Sleep locks may be held.
 */
int sched_checkpoint(void);

#endif
