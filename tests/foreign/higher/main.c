/* SPDX-License-Identifier: MIT */
/*
 * From entry.S to the scheduler. The hart that comes first sets up what all share, has the firmware start the others, and
 * starts the first task, which runs the tests and powers off.
 */
#include "kernel.h"

static void first_task(void *argument)
{
	int failed = tests_run();

	tests_last_steps();
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
	if (!task_start(first_task, NULL, NULL))
		panic("no first task");
	sbi_start_harts(hart);
	start_hart();
}

void secondary_main(u64 hart)
{
	start_hart();
}
