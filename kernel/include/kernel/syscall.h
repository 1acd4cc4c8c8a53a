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

/* A call by its number, for who watches calls (proc->watch_call): its result, or -ENOSYS. */
s64 syscall_run(u64 number, const u64 *arg);
void syscall_init(void); /* slab caches; before the first process */

/* Guest instructions of one of the benchmarks, for KDEBUG_BENCH. Defined above, in boot. */
u64 bench_run(u64 which);

#endif
