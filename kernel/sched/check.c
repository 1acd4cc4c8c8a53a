/* SPDX-License-Identifier: MIT */
/*
 * Checks of sched's invariants (sched.h, task.c, runqueue.c, timer.c), with the world stopped. A stopped hart stands
 * in an interrupt, so it is never in the middle of a switch: those are made with interrupts off.
 */
#include "sched_priv.h"
#include <kernel/kstack.h>
#include <kernel/lib.h>

static char check_text[128];
#define BROKEN(...) (ksnprintf(check_text, sizeof(check_text), __VA_ARGS__), check_text)

static u32 nr_harts_running(const struct task *task)
{
	u32 nr = 0;

	for (u32 i = 0; i < nr_harts; i++)
		nr += harts[i].current == task;
	return nr;
}

static bool in_own_stack(const struct task *task, u64 sp)
{
	return sp >= (u64)task->kstack && sp <= (u64)task->kstack + KSTACK_BYTES;
}

static const char *check_task(const struct task *task)
{
	u32 nr = nr_harts_running(task);
	bool running = task->state == TASK_RUNNING;

	if (nr != running || task->on_hart != running)
		return BROKEN("TASK: pid %u %s in state %d runs on %u harts, on_hart %d", task->pid,
			      task->name, task->state, nr, task->on_hart);
	if (task->state == TASK_DEAD)
		return NULL; /* the reaper may be at its stack */
	if (!running && !in_own_stack(task, task->context.sp))
		return BROKEN("SWITCH-1: pid %u %s left with sp 0x%lx, its stack is at 0x%lx", task->pid,
			      task->name, task->context.sp, (u64)task->kstack);
	if ((u64)(task->frame + 1) != (u64)task->kstack + KSTACK_BYTES)
		return BROKEN("TASK: pid %u %s has its user registers at 0x%lx, its stack at 0x%lx",
			      task->pid, task->name, (u64)task->frame, (u64)task->kstack);
	if (task->state == TASK_RUNNABLE && list_empty(&task->run_link))
		return BROKEN("TASK-1, RUNQ-1: pid %u %s is runnable and not on the run queue", task->pid,
			      task->name);
	return NULL;
}

const char *sched_check(void)
{
	const char *broken;
	u32 nr = 0, nr_runnable = 0;

	LIST_FOR_EACH (link, &task_all) {
		const struct task *task = LIST_ENTRY(link, struct task, all_link);

		broken = check_task(task);
		if (broken)
			return broken;
		nr++;
		nr_runnable += task->state == TASK_RUNNABLE;
	}
	if (nr != sched_nr_tasks())
		return BROKEN("TASK: %u tasks on the list, %u counted", nr, sched_nr_tasks());
	if (nr_runnable != runqueue_count(TASK_RUNNABLE))
		return BROKEN("TASK-1: %u tasks are runnable, %u of them on the run queue", nr_runnable,
			      runqueue_count(TASK_RUNNABLE));
	for (u32 state = TASK_NEW; state <= TASK_DEAD; state++)
		if (state != TASK_RUNNABLE && runqueue_count(state))
			return BROKEN("TASK-1: %u tasks in state %u are on the run queue",
				      runqueue_count(state), state);
	broken = pid_check();
	return broken ? broken : timer_check();
}
