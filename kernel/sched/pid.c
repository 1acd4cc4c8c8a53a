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
