/* SPDX-License-Identifier: MIT */
/*
 * The end of the machine: every program ends, the disk is written, and memory is audited twice.
 *
 * A cache may keep what nobody uses, so while it is full it answers for what it forgot to give up. At the end there is
 * an easy answer. With no program left and every cache given up, nothing that programs held may be left either.
 *
 *   1. the first caller wins; a later one ends like any other program (END-1);
 *   2. all other programs are killed and waited for, with a bound; zombies are freed;
 *   3. the caller gives up its own files, directory and address space;
 *   4. the disk is written, and the first audit runs as at any time: with caches full, by every claim;
 *   5. if that one is quiescent and clean, file systems are unmounted, all caches are given up, and the second audit
 *      runs without the claims of programs (AUDIT_END). What it finds is a leak that a cache answered for;
 *   6. the machine ends. Its status is the caller's; 1 instead of 0 if an audit had findings.
 *
 * Example: eviction forgets to free an inode's struct, or the last node of its tree. While the file is cached, the table
 * of inodes leads to both, and the first audit is clean. The second one finds objects without a holder.
 *
 *   END-1  at most one task is in proc_poweroff behind its first line.
 *   END-2  a finding of the first audit keeps the second from running: giving up caches would change what is seen.
 *
 * A program that does not end in END_PATIENCE may hold anything: then only the first audit runs, and is not final.
 */
#include "proc_priv.h"
#include <kernel/audit.h>

#define END_PATIENCE (5 * TIME_HZ)

struct ending {
	u32 nr_killed; /* programs that still ran, those that waited for the caller to end apart */
	u32 nr_left;   /* of these, still there after END_PATIENCE */
};

static bool begin(void)
{
	bool first;

	spin_lock(&proctree_lock);
	first = !proc_powering_off;
	proc_powering_off = true;
	spin_unlock(&proctree_lock);
	return first;
}

/* A parent, grandparent, … of the caller: it could not end before the caller did. */
static bool waits_for_caller(const struct proc *proc)
{
	for (const struct proc *at = current_proc(); at; at = at->parent)
		if (at == proc)
			return true;
	return false;
}

/* Kills all that still run but the caller; returns how many those are. */
static u32 kill_others(struct ending *ending)
{
	u32 nr = 0;

	spin_lock(&proctree_lock);
	LIST_FOR_EACH (link, &proc_all) {
		struct proc *proc = LIST_ENTRY(link, struct proc, all);

		if (proc == current_proc() || proc->zombie)
			continue;
		ending->nr_killed += !proc->task->killed && !waits_for_caller(proc);
		task_kill(proc->task);
		nr++;
	}
	spin_unlock(&proctree_lock);
	return nr;
}

/* Again and again, as a fork under way may add one; and with an end, as power-off must not hang. */
static void end_others(struct ending *ending)
{
	u64 began = arch_time();

	while ((ending->nr_left = kill_others(ending)) > 0 && arch_time() - began < END_PATIENCE) {
		/* One who is about to die may have killed us: no reason not to sleep, which lets the others end. */
		current_task()->killed = false;
		if (sched_sleep_until(arch_time() + TIME_HZ / 1000) < 0)
			sched_yield();
	}
}

/* Nobody will wait for them. */
static void free_zombies(void)
{
	spin_lock(&proctree_lock);
	LIST_FOR_EACH_SAFE (link, next, &proc_all) {
		struct proc *proc = LIST_ENTRY(link, struct proc, all);

		if (proc->zombie && list_empty(&proc->children))
			proc_free_locked(proc);
	}
	spin_unlock(&proctree_lock);
}

static void tell(const struct ending *ending, s32 status)
{
	union trace_payload payload = {.ev_payload_poweroff = {
					   .status = (u32)status,
					   .killed = ending->nr_killed,
					   .left = ending->nr_left,
				       }};

	if (trace_on(TRACE_CATEGORY_ALWAYS))
		trace_record(EV_poweroff, 0, 0, false, &payload);
	if (ending->nr_killed)
		kprintf("power-off: %u programs still ran and were killed\n", ending->nr_killed);
	if (ending->nr_left)
		kprintf("power-off: %u programs do not end\n", ending->nr_left);
}

/* True: quiescent, and nothing found. */
static bool audit_clean(u32 flags, u32 *nr_findings)
{
	const struct audit_result *result;
	bool clean;

	audit_lock();
	result = audit_run_locked(flags | AUDIT_WAIT);
	clean = result->quiet && !result->nr_findings;
	*nr_findings += result->nr_findings;
	if (!clean)
		audit_print(result,
			    flags & AUDIT_END ? "power-off: audit without programs" : "power-off: audit");
	audit_unlock();
	return clean;
}

static u32 audit_the_end(const struct ending *ending)
{
	u32 nr_findings = 0;

	if (!audit_clean(AUDIT_POISON, &nr_findings) || ending->nr_left)
		return nr_findings;
	fs_unmount_all();
	audit_clean(AUDIT_END, &nr_findings);
	return nr_findings;
}

void proc_poweroff(s32 status)
{
	struct ending ending = {0};
	int err;

	if (!begin())
		proc_exit(-1);
	end_others(&ending);
	free_zombies();
	status &= 0x7f;
	tell(&ending, status);
	if (current_proc()) { /* else boot's own task, which has neither */
		files_close_all(current_proc());
		proc_give_up_memory(current_proc());
	}
	err = fs_sync();
	if (err)
		kprintf("power-off: writing the disk back failed: error %d\n", -err);
	if (audit_the_end(&ending) && !status)
		status = 1;
	trace_desc.exit_status = (u64)status + 1;
	arch_poweroff((u32)status);
}
