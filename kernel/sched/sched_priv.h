/* SPDX-License-Identifier: MIT */
/* sched's own: what its files share. */
#ifndef SCHED_PRIV_H
#define SCHED_PRIV_H

#include <kernel/sched.h>

#define TICK_TIME (TIME_HZ / 100)   /* 10 ms: slice of a user task, and distance of two samples */
#define KICK_TIME (TIME_HZ / 10000) /* 100 us: see runqueue.c */
#define TIME_NEVER (~0UL)

/* Of one hart, touched by that hart only, interrupts off. A cache line each. */
struct sched_hart {
	struct task *switched_from; /* whom the code that runs next must let go of */
	u64 tick_at;                /* next tick, TIME_NEVER while idle */
	u64 deadline_at;            /* timed sleeps this hart watches over, or TIME_NEVER */
	u64 kick_at;                /* idle harts are called for what still waits then, or TIME_NEVER */
	u64 armed_at;               /* what the timer was last set to */
	volatile bool slice_over;
} __attribute__((aligned(64)));

extern struct sched_hart sched_harts[NR_HARTS_MAX];

static inline struct sched_hart *this_sched_hart(void)
{
	return &sched_harts[hart_index()];
}

/* runqueue.c */
void runqueue_put(struct task *task);
void runqueue_kick(void); /* calls idle harts, as many as tasks wait */
/* The task that has waited longest among those this hart may run, or NULL. With `idle`, a hart that gets NULL is entered among the idle ones. */
struct task *runqueue_take(bool idle);
bool runqueue_empty(void); /* a hint */
/* Tasks on the queue that are in this state (world stopped). */
u32 runqueue_count(enum task_state state);
bool runqueue_has(const struct task *task); /* world stopped */

/* timer.c */
void timer_hart_init(struct sched_hart *hart);
void timer_busy(struct sched_hart *hart); /* the hart leaves its idle task: ticks begin */
void timer_kick_later(void);              /* runqueue_kick in KICK_TIME, on this hart; interrupts off */
void timer_no_kick(void);                 /* takes that back */
const char *pid_check(void);              /* PID-1; as sched_check */
const char *timer_check(void);            /* NULL or the invariant broken; world stopped */

/* task.c: switches away from the current task, whose lock is held and whose new state is set. */
void sched_switch_away(struct task *prev);
/* Forgets wake-ups that came before; must precede the moment from which one counts. */
void task_prepare_wait(struct task *task);

#endif
