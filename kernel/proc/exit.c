/* SPDX-License-Identifier: MIT */
/*
 * exit and wait.
 *
 * A process gives everything back in its own exit: files, directory, address space (PROC-2). What is left is
 * its kernel stack, on which it stands; the reaper takes that from the hart's next task, and only then is the
 * process a zombie. So a parent that returns from wait finds every page of the child free.
 */
#include "proc_priv.h"
#include <uapi/freemem.h>

/* Children of a dead parent become init's. */
static void proc_orphan_children(struct proc *proc)
{
	struct proc *init = proc_init_proc;
	bool zombies = false;

	spin_lock(&proctree_lock);
	LIST_FOR_EACH_SAFE (link, next, &proc->children) {
		struct proc *child = LIST_ENTRY(link, struct proc, sibling);

		list_remove(&child->sibling);
		child->parent = init;
		if (child->zombie)
			list_push_front(&init->children, &child->sibling);
		else
			list_push_back(&init->children, &child->sibling);
		zombies |= child->zombie;
	}
	if (zombies)
		wait_wake_all(&init->child_wait);
	spin_unlock(&proctree_lock);
}

void proc_give_up_memory(struct proc *proc)
{
	struct mm *mm = proc->task->mm;

	task_set_mm(proc->task, NULL);
	arch_use_root(kernel_root_pa);
	mm_destroy(mm);
}

void proc_exit(s32 status)
{
	struct task *task = current_task();
	struct proc *proc = task->proc;

	task->fail_nth = task->fail_next = 0; /* an exit cannot fail */
	if (proc == proc_init_proc && !proc_powering_off) {
		kprintf("init ended with status %d: nothing is left to do\n", status);
		proc_poweroff(status ? status : 1);
	}
	files_close_all(proc);
	task_trace(EV_task_exit, task, (u32)status);
	proc_give_up_memory(proc);
	if (proc != proc_init_proc)
		proc_orphan_children(proc);
	proc->status = status;
	task_exit();
}

void upcall_task_reaped(struct task *task)
{
	struct proc *proc = task->proc;

	spin_lock(&proctree_lock);
	proc->zombie = true;
	if (proc->parent) {
		list_remove(&proc->sibling);
		list_push_front(&proc->parent->children, &proc->sibling);
		wait_wake_all(&proc->parent->child_wait);
	}
	/* With the lock goes the process: the parent may free it at once. */
	spin_unlock(&proctree_lock);
}

int proc_wait(s32 *status, u32 flags)
{
	struct proc *parent = current_proc();
	int result;

	spin_lock(&proctree_lock);
	for (;;) {
		struct proc *child = LIST_FIRST(&parent->children, struct proc, sibling);

		if (list_empty(&parent->children)) {
			result = -ECHILD;
			break;
		}
		if (child->zombie) { /* TREE-2: if any is, the first is */
			*status = child->status;
			result = child->task->pid;
			proc_free_locked(child);
			break;
		}
		result = 0;
		if (flags & WNOHANG)
			break;
		result = wait_sleep(&parent->child_wait, &proctree_lock, WAIT_KILLABLE | WAIT_QUIET);
		if (result < 0)
			break;
	}
	spin_unlock(&proctree_lock);
	return result;
}

/* fail-nth refused what this task asked for last, and there would have been memory. */
static bool shortage_injected(const struct task *task)
{
	return task->fail_nth == -1 && page_nr_free() > 0;
}

void proc_die(const char *why, uaddr_t ua)
{
	struct task *task = current_task();
	struct proc *proc = task->proc;

	kprintf("pid %u %s: killed: %s at 0x%lx, pc 0x%lx\n", task->pid, task->name, why, ua,
		task->frame->pc);
	if (proc->fault_error == -ENOMEM && shortage_injected(task))
		kprintf("  the allocation was refused by fail-nth\n");
	else if (proc->fault_error == -ENOMEM)
		oom_report();
	proc_exit(-1);
}
