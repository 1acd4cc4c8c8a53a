/* SPDX-License-Identifier: MIT */
/*
 * Time: the tick of busy harts, and timed sleeps.
 *
 * A hart that runs a task ticks every 10 ms; an idle one does not. (A tick that was set before it went idle
 * may still come, once.) Timed sleeps stand in one list sorted by wake-up time, and one hart watches over it.
 *
 * TIMER-1  sleepers is sorted by wake_time.
 * TIMER-2  while it is not empty, the hart `watcher` has deadline_at <= the first wake_time: a hart that inserts at the
 *          front becomes the watcher, and a watcher that expires entries sets itself to the next one.
 * TIMER-3  each hart's timer is set to the smaller of tick_at and deadline_at, or to something earlier.
 *
 * Lock: timer_lock, a list of waiting tasks like any wait queue, so of rank `waitqueue`; task locks are taken
 * inside.
 */
#include "sched_priv.h"
#include <kernel/errno.h>
#include <kernel/lib.h>

static struct spinlock timer_lock = SPINLOCK_INIT_NAMED(waitqueue, "timer");
static struct list sleepers = LIST_INIT(sleepers);
static u32 watcher;

static void (*tick_hook)(void);
static u64 hook_called_at;

void sched_set_tick_hook(void (*tick)(void))
{
	tick_hook = tick;
}

static void timer_arm(struct sched_hart *hart)
{
	u64 at = MIN(MIN(hart->tick_at, hart->deadline_at), hart->kick_at);

	if (at == hart->armed_at)
		return;
	hart->armed_at = at;
	arch_timer_set(at);
}

void timer_hart_init(struct sched_hart *hart)
{
	hart->tick_at = hart->deadline_at = hart->kick_at = TIME_NEVER;
	hart->armed_at = 0;
	timer_arm(hart);
}

void timer_busy(struct sched_hart *hart)
{
	if (hart->tick_at != TIME_NEVER)
		return;
	hart->tick_at = arch_time() + TICK_TIME;
	timer_arm(hart);
}

void timer_kick_later(void)
{
	struct sched_hart *hart = this_sched_hart();

	if (hart->kick_at != TIME_NEVER)
		return;
	hart->kick_at = arch_time() + KICK_TIME;
	timer_arm(hart);
}

void timer_no_kick(void)
{
	struct sched_hart *hart = this_sched_hart();

	if (hart->kick_at == TIME_NEVER)
		return;
	hart->kick_at = TIME_NEVER;
	timer_arm(hart);
}

static void timer_tick(struct sched_hart *hart, u64 now)
{
	struct task *task = current_task();
	u64 last = __atomic_load_n(&hook_called_at, __ATOMIC_RELAXED);

	if (task == this_hart()->idle) {
		hart->tick_at = TIME_NEVER;
		return;
	}
	hart->tick_at = now + TICK_TIME;
	if (task->in_user)
		task->user_ticks++;
	else
		task->kernel_ticks++;
	if (!runqueue_empty())
		hart->slice_over = true;
	/* One hart's tick is enough for all; half a tick of tolerance, as the harts' ticks drift. */
	if (tick_hook && now - last >= TICK_TIME / 2 &&
	    __atomic_compare_exchange_n(&hook_called_at, &last, now, false, __ATOMIC_RELAXED,
					__ATOMIC_RELAXED))
		tick_hook();
}

static void timer_expire(struct sched_hart *hart, u64 now)
{
	spin_lock(&timer_lock);
	while (!list_empty(&sleepers)) {
		struct task *task = LIST_FIRST(&sleepers, struct task, timer_link);

		if (task->wake_time > now)
			break;
		list_remove(&task->timer_link);
		task_wake(task);
	}
	hart->deadline_at = TIME_NEVER;
	if (!list_empty(&sleepers) && watcher == hart_index())
		hart->deadline_at = LIST_FIRST(&sleepers, struct task, timer_link)->wake_time;
	spin_unlock(&timer_lock);
}

void upcall_timer(void)
{
	struct sched_hart *hart = this_sched_hart();
	u64 now = arch_time();

	hart->armed_at = 0; /* the interrupt stays pending until the timer is set anew */
	if (now >= hart->tick_at)
		timer_tick(hart, now);
	if (now >= hart->deadline_at)
		timer_expire(hart, now);
	if (now >= hart->kick_at) {
		hart->kick_at = TIME_NEVER;
		runqueue_kick();
	}
	timer_arm(hart);
}

static void timer_insert_locked(struct task *task)
{
	struct list *after = sleepers.prev;

	/* From the back: most sleeps are as long as those that began before. */
	while (after != &sleepers && LIST_ENTRY(after, struct task, timer_link)->wake_time > task->wake_time)
		after = after->prev;
	list_insert_after(after, &task->timer_link);
	if (after == &sleepers) {
		struct sched_hart *hart = this_sched_hart();

		watcher = hart_index();
		hart->deadline_at = task->wake_time;
		timer_arm(hart);
	}
}

int sched_sleep_until(u64 time)
{
	struct task *task = current_task();
	int err = 0;

	while (arch_time() < time) {
		task_prepare_wait(task);
		spin_lock(&timer_lock);
		if (task->killed) {
			spin_unlock(&timer_lock);
			err = -EINTR;
			break;
		}
		task->wake_time = time;
		timer_insert_locked(task);
		spin_unlock(&timer_lock);

		task->quiet = true;
		sched_block();
		task->quiet = false;

		spin_lock(&timer_lock);
		list_remove(&task->timer_link);
		spin_unlock(&timer_lock);
	}
	return err;
}

const char *timer_check(void)
{
	u64 last = 0;

	LIST_FOR_EACH (link, &sleepers) {
		const struct task *task = LIST_ENTRY(link, struct task, timer_link);

		if (task->wake_time < last)
			return "TIMER-1: the list of timed sleeps is not sorted";
		last = task->wake_time;
	}
	if (!list_empty(&sleepers) &&
	    sched_harts[watcher].deadline_at > LIST_FIRST(&sleepers, struct task, timer_link)->wake_time)
		return "TIMER-2: nobody watches over the first timed sleep";
	return NULL;
}
