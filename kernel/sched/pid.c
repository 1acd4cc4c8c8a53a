/* SPDX-License-Identifier: MIT */
/*
 * Process numbers: a bitmap, searched from behind the last one given, so that a number rests as long as
 * possible before it is used again (traces and holders speak of pids).
 *
 * PID-1  a bit is set iff a task with that pid exists. 0 is the idle tasks', 1 is init's: both set for ever.
 * Lock: of rank `task`, alone.
 */
#include "sched_priv.h"
#include <kernel/lib.h>

static struct spinlock pid_lock = SPINLOCK_INIT_NAMED(task, "pid");
static u64 pid_used[(PID_MAX + 1) / 64] = {3};
static u32 pid_last = 1;

u16 pid_alloc(void)
{
	u32 pid = 0;

	spin_lock(&pid_lock);
	/* One word more than there are: the first is looked at in part only and comes round again. */
	for (u32 i = 0, start = (pid_last + 1) % (PID_MAX + 1); i <= ARRAY_SIZE(pid_used); i++) {
		u32 word = (start / 64 + i) % ARRAY_SIZE(pid_used);
		u64 unused = ~pid_used[word];

		if (i == 0)
			unused &= ~0UL << (start % 64);
		if (unused) {
			pid = word * 64 + (u32)__builtin_ctzl(unused);
			pid_used[word] |= 1UL << (pid % 64);
			pid_last = pid;
			break;
		}
	}
	spin_unlock(&pid_lock);
	return (u16)pid;
}

void pid_free(u16 pid)
{
	if (pid <= 1)
		return;
	spin_lock(&pid_lock);
	KASSERT(pid_used[pid / 64] & (1UL << (pid % 64)));
	pid_used[pid / 64] &= ~(1UL << (pid % 64));
	spin_unlock(&pid_lock);
}

static bool in_use(u32 pid)
{
	return pid_used[pid / 64] >> (pid % 64) & 1;
}

/* World stopped, and nobody between a pid and its task. */
const char *pid_check(void)
{
	static char text[80];
	u32 nr_bits = 0, nr_tasks = 2; /* the idle tasks' and init's, whether init is there or not */

	LIST_FOR_EACH (link, &task_all) {
		u16 pid = LIST_ENTRY(link, struct task, all_link)->pid;

		if (!in_use(pid)) {
			ksnprintf(text, sizeof(text), "PID-1: pid %u is a task's and not marked", pid);
			return text;
		}
		nr_tasks += pid > 1;
	}
	for (u32 word = 0; word < ARRAY_SIZE(pid_used); word++)
		nr_bits += (u32)__builtin_popcountl(pid_used[word]);
	if (nr_bits == nr_tasks)
		return NULL;
	ksnprintf(text, sizeof(text), "PID-1: %u pids are marked, %u are in use", nr_bits, nr_tasks);
	return text;
}
