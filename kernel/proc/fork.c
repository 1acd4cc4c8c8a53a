/* SPDX-License-Identifier: MIT */
/* fork: a second process with a copy, on write, of the first one's memory, and the same open files. */
#include "proc_priv.h"

static void abi_copy(struct proc *child, const struct proc *parent, struct mm *mm)
{
	child->abi = parent->abi;
	child->abi_flags = parent->abi_flags;
	child->watch = parent->watch;
	memcpy(child->abi_state, parent->abi_state, sizeof(child->abi_state));
	if (child->abi->forked)
		child->abi->forked(child, mm);
}

ARCH_OUTERMOST int proc_fork(void)
{
	struct task *task = current_task();
	struct proc *parent = task->proc;
	struct proc *child;
	struct mm *mm;
	int err;
	u16 pid;

	child = proc_create(0, task->name, &err);
	if (!child)
		return err;
	pid = child->task->pid;
	mm = mm_fork(task->mm, pid, parent->abi->copies_at_fork && parent->abi->copies_at_fork(parent));
	if (!mm) {
		proc_discard(child);
		return -ENOMEM;
	}
	/* Nothing can fail from here. */
	task_set_mm(child->task, mm);
	*child->task->frame = *task->frame;
	abi_copy(child, parent, mm);
	child->task->frame->x[REG_A0] = 0;
	files_copy(child, parent);
	proc_link(child, parent);
	task_trace(EV_task_fork, child->task, task->pid);
	task_start(child->task);
	return pid; /* the child may be gone by now */
}
