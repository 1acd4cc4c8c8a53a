/* SPDX-License-Identifier: MIT */
/* /proc/audit: reading it from the start runs an audit, and waits for a quiescent point for it. */
#include "procfs_priv.h"
#include <kernel/audit.h>

static int audit_show(struct proc_file *file, struct text *text)
{
	audit_lock();
	audit_format(audit_run_locked(AUDIT_WAIT | AUDIT_POISON), text);
	audit_unlock();
	return 0;
}

const struct proc_node audit_node = {.name = "audit", .mode = 0444, .order = 3, .show = audit_show};
