/* SPDX-License-Identifier: MIT */
/* Checks of proc's invariants (proc.h, proc.c), with the world stopped and nobody in the middle of a fork. */
#include "proc_priv.h"

static char check_text[128];
#define BROKEN(...) (ksnprintf(check_text, sizeof(check_text), __VA_ARGS__), check_text)

static const char *check_children(const struct proc *parent)
{
	bool seen_living = false;

	LIST_FOR_EACH (link, &parent->children) {
		const struct proc *child = LIST_ENTRY(link, struct proc, sibling);

		if (child->parent != parent)
			return BROKEN("PROC-1: pid %u is on the list of pid %u, not its parent",
				      child->task->pid, parent->task->pid);
		if (child->zombie && seen_living)
			return BROKEN("TREE-2: zombie pid %u stands behind living children of pid %u",
				      child->task->pid, parent->task->pid);
		seen_living |= !child->zombie;
	}
	return NULL;
}

static const char *check_proc(const struct proc *proc)
{
	const struct task *task = proc->task;

	if (task->proc != proc)
		return BROKEN("PROC: pid %u and its process do not know each other", task->pid);
	if (!proc->parent && proc != proc_init_proc)
		return BROKEN("PROC-1: pid %u has no parent", task->pid);
	if (!proc->abi)
		return BROKEN("ABI-1: pid %u has no personality", task->pid);
	if (!proc->zombie)
		return NULL;
	if (task->state != TASK_DEAD || task->kstack || task->mm || proc->cwd)
		return BROKEN("PROC-2: zombie pid %u still has a stack, an address space or a directory",
			      task->pid);
	for (int fd = 0; fd < NOFILE; fd++)
		if (proc->files[fd])
			return BROKEN("PROC-2: zombie pid %u still has file %d open", task->pid, fd);
	return NULL;
}

const char *proc_check(void)
{
	u32 nr = 0;

	LIST_FOR_EACH (link, &proc_all) {
		const struct proc *proc = LIST_ENTRY(link, struct proc, all);
		const char *broken = check_proc(proc);

		if (!broken)
			broken = check_children(proc);
		if (broken)
			return broken;
		nr++;
	}
	if (nr != nr_procs || nr > NR_PROCS_MAX)
		return BROKEN("TREE-3: %u processes, %u counted", nr, nr_procs);
	return NULL;
}
