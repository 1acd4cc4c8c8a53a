/* SPDX-License-Identifier: MIT */
/* syscall: the table (from uapi/syscalls.def) and the thin entry points. upcall_syscall is defined here. */
#ifndef KERNEL_SYSCALL_H
#define KERNEL_SYSCALL_H

#include <kernel/types.h>

enum syscall_number {
#define SYSCALL(ev_number, ev_name, ev_nargs) SYS_##ev_name = ev_number,
#include <uapi/syscalls.def>
#undef SYSCALL
};

/* Who watches the calls of a process (proc->watch). */
struct call_watch {
	bool (*refuses)(u64 number, const u64 *arg); /* before a call: true: -EPERM in its place */
	void (*done)(u64 number, s64 result);        /* and behind it, refused or not */
};
void syscall_init(void); /* slab caches; before the first process */

/* Guest instructions of one of the benchmarks, for KDEBUG_BENCH. Defined above, in boot. */
u64 bench_run(u64 which);

#endif
