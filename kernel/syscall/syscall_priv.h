/* SPDX-License-Identifier: MIT */
/* syscall's own: the entry points, and how they take their arguments. */
#ifndef SYSCALL_PRIV_H
#define SYSCALL_PRIV_H

#include <kernel/errno.h>
#include <kernel/lib.h>
#include <kernel/proc.h>
#include <kernel/syscall.h>

/*
 * One function a call; arg[0..5] as the user gave them. Result >= 0, or a negative errno. The table alone leads there, and one
 * place calls what is in the table.
 */
#define SYSCALL(ev_number, ev_name, ev_nargs) ARCH_OUTERMOST s64 sys_##ev_name(const u64 *arg);
#include <uapi/syscalls.def>
#undef SYSCALL

/* Parts of syscall_init. */
void user_args_init(void);
void kdebug_init(void);

/*
 * A user's path as a kernel string in a buffer of PATH_MAX bytes, given back by path_release. -EFAULT,
 * -ENAMETOOLONG, -ENOMEM; -ENOENT for the empty path.
 */
int path_from_user(uaddr_t ua, char **path);
void path_release(char *path);

/* 0, or -EFAULT when [ua, ua + size_bytes) is not all in the user's half, or -EINVAL when no object is that
 * long. */
int check_user_range(uaddr_t ua, u64 size_bytes);

#endif
