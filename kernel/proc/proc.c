/* SPDX-License-Identifier: MIT */
/*
 * The tree of processes: making and freeing them, finding and killing them.
 *
 * A process's life: proc_create (with its task) -> proc_link -> task_start -> ... proc_exit -> the reaper
 * makes it a zombie (upcall_task_reaped, exit.c) -> the parent's proc_wait frees it. proc_discard undoes the
 * first step.
 *
 * TREE-1  proc_all holds every process from proc_link to proc_free_locked. Only in between may others look at its task,
 *         under `proctree`: neither goes away while the lock is held.
 * TREE-2  in its parent's list of children a zombie comes before those that are none.
 * TREE-3  nr_procs counts the processes made and not yet freed: at most NR_PROCS_MAX.
 *
 * Lock: `proctree`, outside `waitqueue`, `task` and `slab`.
 */
#include "proc_priv.h"

struct spinlock proctree_lock = SPINLOCK_INIT(proctree);
struct list proc_all = LIST_INIT(proc_all);
struct proc *proc_init_proc;
bool proc_powering_off;

static struct kmem_cache *proc_cache;
u32 nr_procs;

void proc_init(void)
{
	proc_cache = kmem_cache_create("proc", sizeof(struct proc));
	sched_set_tick_hook(proc_sample);
}

static bool proc_reserve(void)
{
	bool room;

	spin_lock(&proctree_lock);
	room = nr_procs < NR_PROCS_MAX && !proc_powering_off;
	nr_procs += room;
	spin_unlock(&proctree_lock);
	return room;
}

static void proc_unreserve(void)
{
	spin_lock(&proctree_lock);
	nr_procs--;
	spin_unlock(&proctree_lock);
}

struct proc *proc_create(u16 pid, const char *name, int *err)
{
	struct proc *proc;

	*err = -EAGAIN;
	if (!proc_reserve())
		return NULL;
	*err = -ENOMEM;
	proc = kmem_cache_alloc(proc_cache, HOLDER_NONE, 0);
	if (!proc)
		goto no_proc;
	proc->task = task_create_pid(pid, name, NULL, NULL);
	if (!proc->task)
		goto no_task;
	proc->task->proc = proc;
	proc->abi = &native_abi;
	list_init(&proc->children);
	list_init(&proc->sibling);
	list_init(&proc->all);
	wait_init(&proc->child_wait);
	return proc;

no_task:
	kmem_cache_free(proc_cache, proc, HOLDER_NONE);
no_proc:
	proc_unreserve();
	return NULL;
}

void proc_discard(struct proc *proc)
{
	task_discard(proc->task);
	kmem_cache_free(proc_cache, proc, HOLDER_NONE);
	proc_unreserve();
}

void proc_link(struct proc *proc, struct proc *parent)
{
	spin_lock(&proctree_lock);
	proc->parent = parent;
	if (parent)
		list_push_back(&parent->children, &proc->sibling);
	list_push_back(&proc_all, &proc->all);
	spin_unlock(&proctree_lock);
}

void proc_free_locked(struct proc *proc)
{
	KASSERT(proc->zombie && list_empty(&proc->children));
	list_remove(&proc->sibling);
	list_remove(&proc->all);
	task_free(proc->task);
	kmem_cache_free(proc_cache, proc, HOLDER_NONE);
	nr_procs--;
}

int proc_start_init(const char *path, const char *const *argv)
{
	struct exec_image image;
	struct inode *root = fs_root();
	struct proc *proc;
	u32 argc = 0;
	int err;

	while (argv[argc])
		argc++;
	proc = proc_create(1, "init", &err);
	if (proc)
		err = exec_build(root, path, (char *const *)argv, argc, 1, &image);
	if (err) {
		if (proc)
			proc_discard(proc);
		inode_put(root);
		return err;
	}
	inode_pass(root, REF_CWD, CWD_HOLDER(1));
	proc->cwd = root;
	exec_enter(proc->task, &image);
	proc_init_proc = proc;
	proc_link(proc, NULL);
	task_trace(EV_task_exec, proc->task, 0);
	task_start(proc->task);
	return 0;
}

bool proc_may_debug(void)
{
	char value[8];

	return bootarg("debug", value, sizeof(value)) && strcmp(value, "on") == 0;
}

static struct proc *proc_find_locked(u16 pid)
{
	LIST_FOR_EACH (link, &proc_all) {
		struct proc *proc = LIST_ENTRY(link, struct proc, all);

		if (proc->task->pid == pid)
			return proc;
	}
	return NULL;
}

int proc_kill(u16 pid)
{
	struct proc *proc;

	if (pid == 1)
		return -EPERM;
	spin_lock(&proctree_lock);
	proc = proc_find_locked(pid);
	if (proc)
		task_kill(proc->task);
	spin_unlock(&proctree_lock);
	return proc ? 0 : -ESRCH;
}

u16 proc_find_parent(u16 pid)
{
	struct proc *proc;
	u16 parent = 0;

	spin_lock(&proctree_lock);
	proc = proc_find_locked(pid);
	if (proc && proc->parent)
		parent = proc->parent->task->pid;
	spin_unlock(&proctree_lock);
	return parent;
}

/* ---- claims ---- */

static void proc_claim(struct claims *claims, const struct proc *proc)
{
	u16 pid = proc->task->pid;

	if (!claim_object(claims, proc))
		return;
	task_claim(claims, proc->task);
	for (int fd = 0; fd < NOFILE; fd++)
		if (proc->files[fd])
			file_claim(claims, proc->files[fd], REF_FD, HOLDER(pid, fd));
	if (proc->cwd)
		inode_claim(claims, proc->cwd, REF_CWD, CWD_HOLDER(pid));
}

/* The one after `at` in the tree below root, parents first; NULL: it was the last. */
static const struct proc *next_below(const struct proc *root, const struct proc *at)
{
	if (!list_empty(&at->children))
		return LIST_FIRST(&at->children, struct proc, sibling);
	while (at != root && at->sibling.next == &at->parent->children)
		at = at->parent;
	return at == root ? NULL : LIST_ENTRY(at->sibling.next, struct proc, sibling);
}

/* The bound is for a tree that is none. */
static void claim_tree(struct claims *claims, const struct proc *root)
{
	const struct proc *proc = root;

	for (u32 i = 0; proc && i < NR_PROCS_MAX; i++, proc = next_below(root, proc))
		proc_claim(claims, proc);
}

/*
 * The roots are init, which has no parent and is there until the end, and what runs on a hart. The list of all
 * processes keeps none: one that no parent can wait for is lost.
 */
void proc_claims(struct claims *claims)
{
	LIST_FOR_EACH (link, &proc_all) {
		const struct proc *proc = LIST_ENTRY(link, struct proc, all);

		if (!proc->parent)
			claim_tree(claims, proc);
		else if (!claims_final(claims))
			proc_claim(claims, proc);
	}
	for (u32 i = 0; i < nr_harts; i++) {
		const struct task *task = harts[i].current;

		if (task && task->proc)
			proc_claim(claims, task->proc);
	}
}
