/* SPDX-License-Identifier: MIT */
/* fork: a second process with a copy, on write, of the first one's memory, and the same open files. */
#include "proc_priv.h"

int proc_fork(void)
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
	mm = mm_fork(task->mm, pid, parent->xv6 & XV6_EAGER_FORK);
	if (!mm) {
		proc_discard(child);
		return -ENOMEM;
	}
	/* Nothing can fail from here. */
	task_set_mm(child->task, mm);
	*child->task->frame = *task->frame;
	xv6_forked(child, parent, mm);
	child->task->frame->x[REG_A0] = 0;
	files_copy(child, parent);
	proc_link(child, parent);
	task_trace(EV_task_fork, child->task, task->pid);
	task_start(child->task);
	return pid; /* the child may be gone by now */
}
