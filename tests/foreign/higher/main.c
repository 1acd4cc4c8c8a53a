/* SPDX-License-Identifier: MIT */
/*
 * From entry.S to the scheduler. The hart that comes first sets up what all share, has the firmware start the others, and
 * starts the first task, which runs the tests. When that has ended, the machine stops.
 */
#include "kernel.h"

__attribute__((aligned(16))) char boot_stacks[MAX_HARTS][2 * PAGE_SIZE]; /* where a hart starts, and idles */

static struct task *first;
static int failed;

static void first_task(void *argument)
{
	failed = tests_run();
	tests_last_steps();
}

/* Of each hart that finds no task to run: when the first task has ended, one of them frees it and powers off. */
void machine_idle(void)
{
	struct task *task = __atomic_load_n(&first, __ATOMIC_ACQUIRE);

	if (!task || __atomic_load_n(&task->state, __ATOMIC_ACQUIRE) != TASK_DEAD ||
	    !__atomic_exchange_n(&first, NULL, __ATOMIC_ACQ_REL))
		return;
	task_join(task);
	print("power off, %lu pages free\n", buddy_free_pages());
	sbi_shutdown(failed);
}

static void start_hart(void)
{
	table_use(kernel_root);
	trap_init();
	sched_loop();
}

void main(u64 hart)
{
	extern char kernel_end[];

	sbi_console_init();
	page_init((u64)kernel_end - LINEAR_OFFSET);
	table_init();
	space_init();
	mailbox_caches_init();
	store_init();
	sched_init();
	print("%lu pages free\n", buddy_free_pages());
	first = task_start(first_task, NULL, NULL);
	if (!first)
		panic("no first task");
	sbi_start_harts(hart);
	start_hart();
}

void secondary_main(u64 hart)
{
	start_hart();
}
