/* SPDX-License-Identifier: MIT */
/*
 * The system call `abi`: what lab programs for xv6 ask the kernel and no other program does (uapi/xv6.h), and what
 * tracing and interposing do to every other call, also of a program of ours that such a program starts.
 */
#include "xv6_priv.h"

#define ACCESS_PAGES_MAX 64U

/* That system's numbers and names, by our numbers: programs give masks of its numbers. */
static const struct {
	u8 number;
	const char *name;
} known_calls[] = {
    [SYS_fork] = {1, "fork"},     [SYS_exit] = {2, "exit"},      [SYS_wait] = {3, "wait"},
    [SYS_pipe] = {4, "pipe"},     [SYS_read] = {5, "read"},      [SYS_kill] = {6, "kill"},
    [SYS_exec] = {7, "exec"},     [SYS_fstat] = {8, "fstat"},    [SYS_chdir] = {9, "chdir"},
    [SYS_dup] = {10, "dup"},      [SYS_getpid] = {11, "getpid"}, [SYS_sbrk] = {12, "sbrk"},
    [SYS_sleep] = {13, "sleep"},  [SYS_uptime] = {14, "uptime"}, [SYS_open] = {15, "open"},
    [SYS_write] = {16, "write"},  [SYS_mknod] = {17, "mknod"},   [SYS_unlink] = {18, "unlink"},
    [SYS_rmdir] = {18, "unlink"}, [SYS_link] = {19, "link"},     [SYS_mkdir] = {20, "mkdir"},
    [SYS_close] = {21, "close"},  [SYS_abi] = {22, "trace"},
};

static bool in_mask(u64 number, u32 mask)
{
	u32 theirs = number < ARRAY_SIZE(known_calls) ? known_calls[number].number : 0;

	return theirs && mask >> theirs & 1;
}

static bool call_refused(u64 number, const u64 *arg)
{
	const struct xv6_state *state = xv6_state_of(current_proc());
	char path[XV6_PATH_BYTES];

	if (!in_mask(number, state->refused))
		return false;
	if (number != SYS_open && number != SYS_exec)
		return true;
	return strncpy_from_user(path, arg[0], sizeof(path)) < 0 || strcmp(path, state->allowed) != 0;
}

static void call_done(u64 number, s64 result)
{
	struct proc *proc = current_proc();

	if (in_mask(number, xv6_state_of(proc)->traced))
		kprintf("%u: syscall %s -> %d\n", proc->task->pid, known_calls[number].name,
			result < 0 ? -1 : (int)result);
}

static const struct call_watch call_watch = {.refuses = call_refused, .done = call_done};

/* After a change of the masks. */
static void watch_if_wanted(struct proc *proc)
{
	const struct xv6_state *state = xv6_state_of(proc);

	proc->watch = state->traced || state->refused ? &call_watch : NULL;
}

/*
 * What a program could have by asking for it: that system has no cache to give back, and its programs expect the
 * number to be what they got. A cached page is given back when nobody but the cache holds it. Without locks, as the
 * answer is old when it arrives.
 */
static u64 nr_available(void)
{
	u64 nr = page_nr_free();

	for (u32 i = 0; i < nr_pages; i++)
		nr += pages[i].kind == PK_PAGECACHE && page_count(&pages[i]) == 1;
	return nr;
}

static s64 sysinfo(uaddr_t ua)
{
	u64 info[2] = {nr_available() * PAGE_SIZE, sched_nr_tasks()};

	return copy_to_user(ua, info, sizeof(info)) ? -EFAULT : 0;
}

static s64 trace_calls(u64 mask)
{
	struct proc *proc = current_proc();

	xv6_state_of(proc)->traced = (u32)mask;
	watch_if_wanted(proc);
	return 0;
}

static s64 interpose(u64 mask, uaddr_t ua)
{
	struct proc *proc = current_proc();
	struct xv6_state *state = xv6_state_of(proc);
	char path[XV6_PATH_BYTES];
	ssize_t length = strncpy_from_user(path, ua, sizeof(path));

	if (length < 0)
		return length;
	memcpy(state->allowed, path, (size_t)length + 1);
	state->refused = (u32)mask;
	watch_if_wanted(proc);
	return 0;
}

/* A bit for each page that was accessed; from now on it counts anew. */
static s64 accessed_pages(uaddr_t first, u64 nr, uaddr_t ua_bits)
{
	u64 bits = 0;

	if (nr > ACCESS_PAGES_MAX)
		return -EINVAL;
	for (u64 i = 0; i < nr; i++)
		if (mm_take_accessed(current_task()->mm, PAGE_ALIGN_DOWN(first) + i * PAGE_SIZE))
			bits |= 1UL << i;
	return copy_to_user(ua_bits, &bits, (nr + 7) / 8) ? -EFAULT : 0;
}

static s64 entry_of(uaddr_t ua)
{
	struct mm *mm = current_task()->mm;
	const pte_t *pte = ua < USER_TOP ? pt_walk(mm->root, ua, mm->id, false) : NULL;

	return pte && *pte & PTE_V ? (s64)*pte : 0;
}

/* One level below `ua`; at the root only the user's half. */
static void print_table(const pte_t *table, u32 level, uaddr_t ua)
{
	for (u32 i = 0; i < (level == 2 ? 256U : 512U); i++) {
		pte_t pte = table[i];
		uaddr_t at = ua + ((u64)i << PT_LEVEL_SHIFT(level));

		if (!(pte & PTE_V))
			continue;
		kprintf(" ..%s%s%p: pte %p pa %p\n", level < 2 ? " .." : "", level < 1 ? " .." : "",
			(void *)at, (void *)pte, (void *)PTE_PA(pte));
		if (level > 0)
			print_table(pa_to_va(PTE_PA(pte)), level - 1, at);
	}
}

static s64 print_page_table(void)
{
	const struct page *root = current_task()->mm->root;

	kprintf("page table %p\n", (void *)page_to_pa(root));
	print_table(page_to_va(root), 2, 0);
	return 0;
}

static s64 pin_to(u64 hart)
{
	if (hart >= nr_harts)
		return -EINVAL;
	current_task()->quiet = true; /* as in sys_yield */
	sched_pin((u32)hart);
	current_task()->quiet = false;
	return 0;
}

s64 xv6_call(const u64 *arg)
{
	switch (arg[0]) {
	case XV6_SYSINFO:
		return sysinfo(arg[1]);
	case XV6_TRACE:
		return trace_calls(arg[1]);
	case XV6_INTERPOSE:
		return interpose(arg[1], arg[2]);
	case XV6_SIGALARM:
		return xv6_set_alarm(arg[1], arg[2]);
	case XV6_SIGRETURN:
		return xv6_end_alarm();
	case XV6_PGACCESS:
		return accessed_pages(arg[1], arg[2], arg[3]);
	case XV6_PGPTE:
		return entry_of(arg[1]);
	case XV6_KPGTBL:
		return print_page_table();
	case XV6_CPUPIN:
		return pin_to(arg[1]);
	default:
		return -EINVAL;
	}
}
