/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID: status, maps, pagemap, stack, fail-nth of one task.
 *
 * Another task's address space and stack belong to that task alone, so whoever shows them stops the world:
 * then the task stands still, no lock is held by anybody, and lists can be walked as they are. (A list may be
 * caught between two steps of an insertion or removal; its forward links are whole at each of them: list.h.)
 */
#include "procfs_priv.h"
#include <kernel/audit.h>
#include <kernel/kstack.h>
#include <kernel/proc.h>

bool procfs_pid_exists(u16 pid)
{
	return pid && procfs_pid_next(pid - 1) == pid;
}

u16 procfs_pid_next(u16 pid)
{
	u16 next = 0;

	spin_lock(&task_list_lock);
	LIST_FOR_EACH (link, &task_all) {
		u16 other = LIST_ENTRY(link, struct task, all_link)->pid;

		if (other > pid && (!next || other < next))
			next = other;
	}
	spin_unlock(&task_list_lock);
	return next;
}

u16 procfs_pid_last(void)
{
	u16 last = 0;

	spin_lock(&task_list_lock);
	LIST_FOR_EACH (link, &task_all)
		last = MAX(last, LIST_ENTRY(link, struct task, all_link)->pid);
	spin_unlock(&task_list_lock);
	return last;
}

static struct task *find_task(u16 pid)
{
	LIST_FOR_EACH (link, &task_all) {
		struct task *task = LIST_ENTRY(link, struct task, all_link);

		if (task->pid == pid)
			return task;
	}
	return NULL;
}

void procfs_task_name(u16 pid, char *name)
{
	const struct task *task;

	spin_lock(&task_list_lock);
	task = find_task(pid);
	str_copy(name, task ? task->name : "?", TASK_NAME_BYTES);
	spin_unlock(&task_list_lock);
}

/* Calls show with the world stopped. 0, or -ESRCH when the task is gone. */
static int with_task(u16 pid, void *arg, void (*show)(const struct task *task, void *arg))
{
	const struct task *task;
	bool quiet;

	audit_lock();
	arch_stop_world(&quiet);
	task = find_task(pid);
	if (task)
		show(task, arg);
	arch_start_world();
	audit_unlock();
	return task ? 0 : -ESRCH;
}

static const char *state_text(const struct task *task)
{
	const struct proc *proc = task->proc;

	switch (task->state) {
	case TASK_BLOCKED:
		return task->quiet ? "S (sleeping)" : "D (disk sleep)";
	case TASK_DEAD:
		return proc && proc->zombie ? "Z (zombie)" : "X (dead)";
	default:
		return "R (running)";
	}
}

static void show_maps(const struct task *task, void *arg)
{
	struct text *text = arg;

	if (!task->mm)
		return;
	LIST_FOR_EACH (link, &task->mm->vmas) {
		const struct vma *vma = LIST_ENTRY(link, struct vma, link);
		u32 flags = vma->flags;

		text_printf(text, "%08lx-%08lx %c%c%c%c %08lx 00:00 0%s\n", vma->start, vma->end,
			    flags & VMA_READ ? 'r' : '-', flags & VMA_WRITE ? 'w' : '-',
			    flags & VMA_EXEC ? 'x' : '-', flags & VMA_SHARED ? 's' : 'p',
			    (u64)vma->file_index * PAGE_SIZE,
			    flags & VMA_STACK  ? "                          [stack]"
			    : flags & VMA_HEAP ? "                          [heap]"
					       : "");
	}
}

static void show_stack(const struct task *task, void *arg)
{
	struct text *text = arg;
	u64 low = (u64)task->kstack;
	u32 frames[24];
	u32 nr;

	/* Of a task that runs, the registers are elsewhere; a dead one's stack may be half gone. */
	if (!task->kstack || task->on_hart || task->state == TASK_DEAD)
		return;
	for (u64 va = low; va < low + KSTACK_BYTES; va += PAGE_SIZE)
		arch_flush_tlb_page((void *)va); /* KSTACK-2 */
	nr = arch_unwind_from(task->context.ra, task->context.s[0], low, low + KSTACK_BYTES, frames,
			      ARRAY_SIZE(frames));
	for (u32 i = 0; i < nr; i++)
		text_printf(text, "[<0>] 0x%lx\n", frames[i] + PHYS_OFFSET);
}

/* Linux's bits of an entry (Documentation/admin-guide/mm/pagemap.rst); the page's number lies below bit 55. */
#define PAGEMAP_EXCLUSIVE (1UL << 56)
#define PAGEMAP_FILE (1UL << 61) /* a file's page, or shared memory */
#define PAGEMAP_PRESENT (1UL << 63)

struct pagemap_part {
	u64 first; /* page number of entries[0] */
	u64 nr;
	u64 *entries;
};

static int pagemap_leaf(pte_t *pte, uaddr_t ua, void *arg)
{
	const struct pagemap_part *part = arg;
	pfn_t pfn = (pfn_t)(PTE_PA(*pte) >> PAGE_SHIFT);
	u64 entry = PAGEMAP_PRESENT | pfn;

	if (pfn_valid(pfn) && page_count(pfn_to_page(pfn)) == 1)
		entry |= PAGEMAP_EXCLUSIVE;
	if (!pfn_valid(pfn) || pfn_to_page(pfn)->kind != PK_ANON || (*pte & PTE_SHARED))
		entry |= PAGEMAP_FILE;
	part->entries[(ua >> PAGE_SHIFT) - part->first] = entry;
	return 0;
}

static void show_pagemap(const struct task *task, void *arg)
{
	const struct pagemap_part *part = arg;

	if (task->mm)
		pt_for_each_leaf(task->mm->root, part->first << PAGE_SHIFT,
				 (part->first + part->nr) << PAGE_SHIFT, pagemap_leaf, arg);
}

static s64 pagemap_entries(struct proc_file *file, u64 first, u64 *buffer, u64 nr_wanted)
{
	u64 nr_entries = USER_TOP >> PAGE_SHIFT;
	struct pagemap_part part = {first, nr_wanted, buffer};
	int err;

	if (first >= nr_entries)
		return 0;
	part.nr = MIN(nr_wanted, nr_entries - first);
	memset(buffer, 0, part.nr * sizeof(*buffer));
	err = with_task(file->pid, &part, show_pagemap);
	return err ? err : (s64)part.nr;
}

static int status_show(struct proc_file *file, struct text *text)
{
	u16 parent = proc_find_parent(file->pid);
	const struct task *task;

	spin_lock(&task_list_lock);
	task = find_task(file->pid);
	if (task) {
		text_printf(text, "Name:\t%s\nState:\t%s\nTgid:\t%u\nPid:\t%u\nPPid:\t%u\n", task->name,
			    state_text(task), task->pid, task->pid, parent);
		if (task->mm)
			text_printf(text, "VmRSS:\t%8lu kB\n", task->mm->nr_resident * (PAGE_SIZE / 1024));
		text_printf(text, "Threads:\t1\nvoluntary_ctxt_switches:\t%lu\n", task->nr_switches);
		text_printf(text, "user_ticks:\t%lu\nkernel_ticks:\t%lu\n", task->user_ticks,
			    task->kernel_ticks);
	}
	spin_unlock(&task_list_lock);
	return task ? 0 : -ESRCH;
}

static int maps_show(struct proc_file *file, struct text *text)
{
	return with_task(file->pid, text, show_maps);
}
static int stack_show(struct proc_file *file, struct text *text)
{
	return with_task(file->pid, text, show_stack);
}

/*
 * As Linux: the number of allocations still to come, 0 when the fault was injected (or none was asked for). Beyond Linux,
 * "N,M" refuses two: the N-th, and the M-th after it; what is left is the sum of both until the first is refused.
 */
#define FAIL_NTH_MAX (1U << 30)

static int fail_nth_show(struct proc_file *file, struct text *text)
{
	struct task *task;
	s64 nth = 0;

	spin_lock(&task_list_lock);
	task = find_task(file->pid);
	if (task)
		nth = MAX(task->fail_nth, 0) + task->fail_next;
	spin_unlock(&task_list_lock);
	text_printf(text, "%ld\n", nth);
	return task ? 0 : -ESRCH;
}

static int fail_nth_write(struct proc_file *file, const char *text)
{
	struct task *task;
	u64 nth, next = 0;
	char first[24];
	const char *comma = strchr(text, ',');
	size_t length = comma ? (size_t)(comma - text) : strlen(text);

	if (file->pid != current_task()->pid && !proc_may_debug())
		return -EPERM;
	if (length >= sizeof(first))
		return -EINVAL;
	memcpy(first, text, length);
	first[length] = 0;
	if (!str_to_u64(first, &nth) || nth > FAIL_NTH_MAX)
		return -EINVAL;
	if (comma && (!str_to_u64(comma + 1, &next) || nth == 0 || next > FAIL_NTH_MAX))
		return -EINVAL;
	spin_lock(&task_list_lock);
	task = find_task(file->pid);
	if (task)
		task_set_fail_nth(task, (s64)nth, (s64)next);
	spin_unlock(&task_list_lock);
	return task ? 0 : -ESRCH;
}

const struct proc_node procfs_pid_nodes[] = {
    {.name = "status", .mode = 0444, .show = status_show},
    {.name = "maps", .mode = 0444, .show = maps_show},
    {.name = "pagemap", .mode = 0444, .entries = pagemap_entries},
    {.name = "stack", .mode = 0444, .show = stack_show},
    {.name = "fail-nth", .mode = 0644, .show = fail_nth_show, .write = fail_nth_write},
    {.name = NULL},
};
