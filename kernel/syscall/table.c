/* SPDX-License-Identifier: MIT */
/*
 * The way from a number to a function. Entry points are thin: they fetch and check what the user gave, call
 * the layer that does the work, and copy the result back. No value of any argument may do more harm than an
 * error, or the death of the caller.
 */
#include "syscall_priv.h"

#define NR_SYSCALLS 64

static s64 (*const syscall_table[NR_SYSCALLS])(const u64 *arg) = {
#define SYSCALL(ev_number, ev_name, ev_nargs) [ev_number] = sys_##ev_name,
#include <uapi/syscalls.def>
#undef SYSCALL
};

void syscall_init(void)
{
	user_args_init();
	kdebug_init();
}

static inline s64 syscall_run(u64 number, const u64 *arg)
{
	return number < NR_SYSCALLS && syscall_table[number] ? syscall_table[number](arg) : -ENOSYS;
}

/* All in the table are outermost: there is one call of them, watched or not. */
ARCH_OUTERMOST void upcall_syscall(struct trapframe *frame)
{
	u64 number = frame->x[REG_A7];
	const u64 *arg = &frame->x[REG_A0];
	const struct call_watch *watch = current_proc()->watch;
	bool refused;
	s64 result;

	current_task()->in_user = false;
	refused = UNLIKELY(watch) && watch->refuses(number, arg);
	KEEP(watch); /* or the compiler makes two ways of it, each with a call */
	result = refused ? -EPERM : syscall_run(number, arg);
	if (UNLIKELY(watch))
		watch->done(number, result);
	frame->x[REG_A0] = (u64)result;
}
