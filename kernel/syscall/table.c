/* SPDX-License-Identifier: MIT */
/*
 * The way from a number to a function. Entry points are thin: they fetch and check what the user gave, call
 * the layer that does the work, and copy the result back. No value of any argument may do more harm than an
 * error, or the death of the caller.
 */
#include "syscall_priv.h"
#include "xv6_priv.h"

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

void upcall_syscall(struct trapframe *frame)
{
	u64 number = frame->x[REG_A7];
	const struct proc *proc = current_proc();
	s64 result = -ENOSYS;

	current_task()->in_user = false;
	if (UNLIKELY(proc->lab.refused) && xv6_call_refused(number, &frame->x[REG_A0]))
		result = -EPERM;
	else if (number < NR_SYSCALLS && syscall_table[number])
		result = syscall_table[number](&frame->x[REG_A0]);
	if (UNLIKELY(proc->lab.traced))
		xv6_print_call(number, result);
	frame->x[REG_A0] = (u64)result;
}
