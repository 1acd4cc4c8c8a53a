/*
 * /proc/checks: every checker of the kernel that can run in the guest, one line each: its name, and "ok" or the text
 * of the invariant that is broken. The books (who holds what) are /proc/audit's; this is about structure.
 *
 * With the world stopped and quiet: in the middle of a fork, say, an invariant may well be broken for a moment.
 */
#include "procfs_priv.h"
#include <kernel/audit.h>
#include <kernel/proc.h>
#include <kernel/slab.h>

#define QUIET_TRIES 100

static const char *check_all_mms(void)
{
	LIST_FOR_EACH (link, &mm_all) {
		const struct mm *mm = LIST_ENTRY(link, struct mm, all);
		const char *broken = mm->root ? mm_check(mm) : NULL;

		if (broken)
			return broken;
	}
	return NULL;
}

static const struct {
	const char *name;
	const char *(*check)(void);
} checks[] = {
    {"page", page_check},   {"slab", kmem_check}, {"mm", check_all_mms},
    {"sched", sched_check}, {"proc", proc_check},
};

static bool stop_quiet(void)
{
	bool quiet;

	for (u32 i = 0; i < QUIET_TRIES; i++) {
		arch_stop_world(&quiet);
		if (quiet && sched_nr_busy() == 0)
			return true;
		arch_start_world();
		sched_sleep_until(arch_time() + TIME_HZ / 2000);
	}
	return false;
}

static int checks_show(struct proc_file *file, struct text *text)
{
	bool stopped;

	audit_lock();
	stopped = stop_quiet();
	if (!stopped)
		text_printf(text, "the machine is never quiet\n");
	for (u32 i = 0; stopped && i < ARRAY_SIZE(checks); i++) {
		const char *broken = checks[i].check();

		text_printf(text, "%s: %s\n", checks[i].name, broken ? broken : "ok");
	}
	if (stopped)
		arch_start_world();
	audit_unlock();
	return 0;
}

const struct proc_node checks_node = {.name = "checks", .mode = 0444, .show = checks_show};
