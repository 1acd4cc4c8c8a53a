/* SPDX-License-Identifier: MIT */
/* System calls on processes, their memory and time. */
#include "syscall_priv.h"
#include <uapi/freemem.h>

s64 sys_exit(const u64 *arg)
{
	proc_exit((s32)arg[0]);
}

s64 sys_fork(const u64 *arg)
{
	return proc_fork();
}

s64 sys_wait(const u64 *arg)
{
	uaddr_t ua = arg[0];
	s32 status = 0;
	int pid;

	if (arg[1] & ~(u64)WNOHANG)
		return -EINVAL;
	/* Before a child is gone for good: an address that can never be right. */
	if (ua && check_user_range(ua, sizeof(status)))
		return -EFAULT;
	pid = proc_wait(&status, (u32)arg[1]);
	if (pid > 0 && ua && copy_to_user(ua, &status, sizeof(status)))
		return -EFAULT;
	return pid;
}

/*
 * Fetches the user's argv into a block of ARG_MAX_BYTES: strings from its start up, pointers from its end
 * down, so that both together may take all of it, whatever their shares.
 */
static int args_from_user(uaddr_t ua, char *block, char ***argv, u32 *argc)
{
	char **pointers = (char **)(block + ARG_MAX_BYTES);
	char *string = block;
	u32 max = current_proc()->abi->nr_args;

	*--pointers = NULL;
	for (*argc = 0; ua; ua += sizeof(u64), ++*argc) {
		u64 ua_string;
		ssize_t length;

		if (copy_from_user(&ua_string, ua, sizeof(ua_string)))
			return -EFAULT;
		if (!ua_string)
			break;
		if (*argc == max || (char *)(pointers - 1) <= string)
			return -E2BIG;
		length = strncpy_from_user(string, ua_string, (size_t)((char *)(pointers - 1) - string));
		if (length < 0)
			return length == -ENAMETOOLONG ? -E2BIG : (int)length;
		*--pointers = string;
		string += length + 1;
	}
	/* They stand as NULL, then the last one first: into their order, the NULL behind them. */
	*argv = pointers;
	for (u32 i = 0; i < *argc / 2; i++) {
		char *other = pointers[*argc - 1 - i];

		pointers[*argc - 1 - i] = pointers[i];
		pointers[i] = other;
	}
	return 0;
}

s64 sys_exec(const u64 *arg)
{
	struct holder holder = HOLDER(current_task()->pid, 0);
	const struct proc_abi *abi = current_proc()->abi;
	struct page *block;
	char *path, **argv = NULL;
	u32 argc;
	s64 result = path_from_user(arg[0], &path);

	if (result < 0)
		return result;
	block = page_alloc(1, PK_KERNEL, REF_OWNER, holder, 0);
	if (!block) {
		path_release(path);
		return -ENOMEM;
	}
	STATIC_ASSERT(ARG_MAX_BYTES == 2 * PAGE_SIZE, "block of order 1");
	result = args_from_user(arg[1], page_to_va(block), &argv, &argc);
	if (result == 0 && abi->args_fit && !abi->args_fit(argv, argc))
		result = -E2BIG;
	if (result == 0)
		result = proc_exec(path, argv, argc);
	page_put(block, REF_OWNER, holder);
	path_release(path);
	return result;
}

s64 sys_getpid(const u64 *arg)
{
	return current_task()->pid;
}

s64 sys_getppid(const u64 *arg)
{
	return proc_find_parent(current_task()->pid);
}

s64 sys_kill(const u64 *arg)
{
	s32 pid = (s32)arg[0];

	return pid > 0 && pid <= PID_MAX ? proc_kill((u16)pid) : -ESRCH;
}

static s64 try_sbrk(s64 delta, bool lazy)
{
	return current_proc()->abi->sbrk(current_task()->mm, delta, lazy);
}

/*
 * Programs count free pages by taking them until sbrk fails, and expect the same number each time. So before it fails,
 * the pages come back that the write-back thread has in use at this moment.
 */
s64 sys_sbrk(const u64 *arg)
{
	s64 result;

	if (arg[1] != SBRK_EAGER && arg[1] != SBRK_LAZY)
		return -EINVAL;
	result = try_sbrk((s64)arg[0], arg[1] == SBRK_LAZY);
	if (result != -ENOMEM || current_task()->fail_nth)
		return result;
	writeback_wait();
	return try_sbrk((s64)arg[0], arg[1] == SBRK_LAZY);
}

s64 sys_sleep(const u64 *arg)
{
	u64 ms = arg[0];

	if (ms > (1UL << 40)) /* 34 years; a negative number, most likely */
		return -EINVAL;
	return sched_sleep_until(arch_time() + ms * (TIME_HZ / 1000));
}

s64 sys_uptime(const u64 *arg)
{
	return (s64)(arch_time() / (TIME_HZ / 1000));
}

s64 sys_yield(const u64 *arg)
{
	struct task *task = current_task();

	task->quiet = true;
	sched_yield();
	task->quiet = false;
	return 0;
}

s64 sys_abi(const u64 *arg)
{
	return current_proc()->abi->call(arg);
}
