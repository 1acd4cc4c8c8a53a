/* SPDX-License-Identifier: MIT */
/* The xv6 personality: what syscall's entry points ask when the process has it. See xv6.c. */
#ifndef XV6_PRIV_H
#define XV6_PRIV_H

#include <kernel/proc.h>

/* Cuts each name of the path to what that system keeps. 0, or -ENAMETOOLONG. */
int xv6_fit_path(char *path);
bool xv6_reads_directory(const struct file *file);
ssize_t xv6_read_directory(struct file *file, uaddr_t dst, size_t size_bytes);
/* The answer of fstat as that system gives it. 0 or -EFAULT. */
int xv6_give_stat(const struct stat *st, uaddr_t ua);
/* Of a regular file all bytes, or an error; else as file_write. */
ssize_t xv6_write(struct file *file, uaddr_t src, size_t size_bytes);
/* Whether that system's exec would take them. */
bool xv6_args_fit(char *const *argv, u32 argc);
s64 xv6_sbrk(struct mm *mm, s64 delta, bool lazy);
/* When some calls of the process are refused: whether this is one. */
bool xv6_call_refused(u64 number, const u64 *arg);
/* When some are traced: a line on the console if this is one. */
void xv6_print_call(u64 number, s64 result);

#endif
