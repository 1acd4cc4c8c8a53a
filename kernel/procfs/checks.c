/* SPDX-License-Identifier: MIT */
/*
 * /proc/checks: every checker of the kernel that can run in the guest, one line each: its name, and "ok" or the text
 * of the invariant that is broken. An audit runs them, too, and shows only what is broken.
 */
#include "procfs_priv.h"
#include <kernel/audit.h>

static void show_check(const char *name, const char *broken, void *arg)
{
	text_printf(arg, "%s: %s\n", name, broken ? broken : "ok");
}

static int checks_show(struct proc_file *file, struct text *text)
{
	audit_lock();
	if (audit_stop_world()) {
		audit_run_checks(show_check, text);
		arch_start_world();
	} else {
		text_printf(text, "the machine is never quiescent\n");
	}
	audit_unlock();
	return 0;
}

const struct proc_node checks_node = {.name = "checks", .mode = 0444, .show = checks_show};
