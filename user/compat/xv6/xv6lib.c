/* SPDX-License-Identifier: MIT */
/*
 * The library of programs written for xv6-riscv: their system calls over Pagetrail's, and their few functions.
 *
 * Here is what can be done without the kernel: errors become -1, flags and ticks are converted. Where
 * the meaning itself differs the kernel does it (kernel/xv6/), for programs that carry this library's
 * mark. Strings and malloc are shared with ulib.
 */
#include <stdarg.h>
#include <stdint.h>

/* Two structures have one name on both sides. */
#define stat kernel_stat
#define dirent kernel_dirent
#include <uapi/freemem.h>
#include <uapi/fs.h>
#include <uapi/xv6.h>
#undef stat
#undef dirent
enum { KERNEL_O_CREAT = O_CREAT, KERNEL_O_TRUNC = O_TRUNC, KERNEL_O_NOFOLLOW = O_NOFOLLOW };
/* Flags of one name on both sides, and of different value. */
#undef O_TRUNC
#undef O_NOFOLLOW

#include "kernel/types.h"

#include "kernel/fcntl.h"
#include "kernel/memlayout.h"
#include "kernel/stat.h"
#include "kernel/vm.h"
#include "user/user.h"

#define MS_PER_TICK 100

/* ulib's stubs; generated from uapi/syscalls.def. */
long sys_fork(void), sys_wait(int *status, int flags), sys_pipe(int *fds), sys_kill(int pid);
long sys_exit(int status) __attribute__((noreturn));
long sys_read(int fd, void *buf, long size_bytes), sys_write(int fd, const void *buf, long size_bytes);
long sys_close(int fd), sys_exec(const char *path, char **argv),
    sys_open(const char *path, int flags, int mode);
long sys_mknod(const char *path, int mode, int device), sys_unlink(const char *path);
long sys_symlink(const char *target, const char *path), sys_link(const char *old_path, const char *new_path);
long sys_fstat(int fd, struct stat *st), sys_mkdir(const char *path), sys_chdir(const char *path);
long sys_dup(int fd), sys_getpid(void), sys_sleep(long ms), sys_uptime(void);
long syscall(long number, ...);
void die(const char *fmt, ...) __attribute__((noreturn));

enum syscall_number {
#define SYSCALL(ev_number, ev_name, ev_nargs) NR_##ev_name = ev_number,
#include <uapi/syscalls.def>
#undef SYSCALL
};

_Static_assert(USYSCALL == XV6_USYSCALL, "where the kernel puts it");

/* ---- system calls ---- */

static int result_of(long value)
{
	return value < 0 ? -1 : (int)value;
}

int fork(void)
{
	return result_of(sys_fork());
}
int exit(int status)
{
	sys_exit(status);
}
int wait(int *status)
{
	return result_of(sys_wait(status, 0));
}
int pipe(int *fds)
{
	return result_of(sys_pipe(fds));
}
int write(int fd, const void *buf, int size)
{
	return result_of(sys_write(fd, buf, size));
}
int read(int fd, void *buf, int size)
{
	return result_of(sys_read(fd, buf, size));
}
int close(int fd)
{
	return result_of(sys_close(fd));
}
int kill(int pid)
{
	return result_of(sys_kill(pid));
}
int exec(const char *path, char **argv)
{
	return result_of(sys_exec(path, argv));
}
int link(const char *old_path, const char *new_path)
{
	return result_of(sys_link(old_path, new_path));
}
int mkdir(const char *path)
{
	return result_of(sys_mkdir(path));
}
int chdir(const char *path)
{
	return result_of(sys_chdir(path));
}
int dup(int fd)
{
	return result_of(sys_dup(fd));
}
int getpid(void)
{
	return result_of(sys_getpid());
}
int sleep(int ticks)
{
	return result_of(sys_sleep(ticks > 0 ? (long)ticks * MS_PER_TICK : 0));
}
int pause(int ticks)
{
	return sleep(ticks);
}
int uptime(void)
{
	return (int)(sys_uptime() / MS_PER_TICK);
}

int open(const char *path, int flags)
{
	int kernel_flags = flags & (O_WRONLY | O_RDWR);

	if (flags & O_CREATE)
		kernel_flags |= KERNEL_O_CREAT;
	if (flags & O_TRUNC)
		kernel_flags |= KERNEL_O_TRUNC;
	if (flags & O_NOFOLLOW)
		kernel_flags |= KERNEL_O_NOFOLLOW;
	return result_of(sys_open(path, kernel_flags, 0));
}

int unlink(const char *path)
{
	return result_of(sys_unlink(path));
}

int mknod(const char *path, short major, short minor)
{
	return result_of(sys_mknod(path, S_IFCHR | 0666, (major & 0xff) << 8 | (minor & 0xff)));
}

int fstat(int fd, struct stat *st)
{
	return result_of(sys_fstat(fd, st));
}

char *xv6_sbrk(int delta, int mode)
{
	long old_end = syscall(NR_sbrk, (long)delta, mode == SBRK_LAZY ? 2L : 1L);

	return old_end < 0 ? SBRK_ERROR : (char *)old_end;
}

/* ---- system calls of the labs ---- */

void *mmap(void *addr, uint64 length, int prot, int flags, int fd, uint64 offset)
{
	long result = syscall(NR_mmap, addr, length, (long)prot, (long)flags, (long)fd, offset);

	return result < 0 ? (void *)-1 : (void *)result;
}
int munmap(void *addr, uint64 length)
{
	return result_of(syscall(NR_munmap, addr, length));
}
int symlink(const char *target, const char *path)
{
	return result_of(sys_symlink(target, path));
}
int trace(int mask)
{
	return result_of(syscall(NR_abi, XV6_TRACE, (long)mask));
}
int interpose(int mask, const char *allowed_path)
{
	return result_of(syscall(NR_abi, XV6_INTERPOSE, (long)mask, allowed_path));
}
int sysinfo(struct sysinfo *info)
{
	return result_of(syscall(NR_abi, XV6_SYSINFO, info));
}
int sigalarm(int ticks, void (*handler)(void))
{
	return result_of(syscall(NR_abi, XV6_SIGALARM, (long)ticks, handler));
}
int sigreturn(void)
{
	return (int)syscall(NR_abi, XV6_SIGRETURN);
}
int pgaccess(void *first, int pages, void *bits)
{
	return result_of(syscall(NR_abi, XV6_PGACCESS, first, (long)pages, bits));
}
uint64 pgpte(void *address)
{
	long result = syscall(NR_abi, XV6_PGPTE, address);

	return result < 0 ? 0 : (uint64)result;
}
void kpgtbl(void)
{
	syscall(NR_abi, XV6_KPGTBL);
}
int cpupin(int hart)
{
	return result_of(syscall(NR_abi, XV6_CPUPIN, (long)hart));
}
int ugetpid(void)
{
	return ((volatile struct usyscall *)USYSCALL)->pid;
}

/* ---- library ---- */

/* What malloc.c of ulib asks for; its one message has one argument, a pointer. */
void die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fprintf(2, fmt, va_arg(args, void *));
	fprintf(2, "\n");
	exit(1);
}

int stat(const char *path, struct stat *st)
{
	int fd = open(path, O_RDONLY);
	int result;

	if (fd < 0)
		return -1;
	result = fstat(fd, st);
	close(fd);
	return result;
}

int statistics(void *buf, int size)
{
	int fd = open("/statistics", O_RDONLY);
	int length = 0, part = 0;

	if (fd < 0)
		return -1;
	while (length < size && (part = read(fd, (char *)buf + length, size - length)) > 0)
		length += part;
	close(fd);
	return length;
}

char *strcpy(char *dst, const char *src)
{
	memmove(dst, src, (int)strlen(src) + 1);
	return dst;
}

int atoi(const char *s)
{
	int value = 0;

	while (*s >= '0' && *s <= '9')
		value = value * 10 + (*s++ - '0');
	return value;
}

char *gets(char *buf, int max)
{
	int length = 0;

	while (length + 1 < max && read(0, buf + length, 1) == 1)
		if (buf[length++] == '\n' || buf[length - 1] == '\r')
			break;
	buf[length] = 0;
	return buf;
}
