/* SPDX-License-Identifier: MIT */
/*
 * ulib: what a Pagetrail program has instead of a C library.
 *
 * System calls return a value >= 0 or a negative errno; there is no errno variable. Functions built on them keep
 * that habit, except those that return a pointer, which return NULL.
 */
#ifndef ULIB_H
#define ULIB_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uapi/errno.h>
#include <uapi/freemem.h>
#include <uapi/fs.h>
#include <uapi/mman.h>

typedef long ssize_t;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define PAGE_BYTES 4096UL

enum syscall_number {
#define SYSCALL(ev_number, ev_name, ev_nargs) SYS_##ev_name = ev_number,
#include <uapi/syscalls.def>
#undef SYSCALL
};

/* ---- system calls, as uapi/syscalls.def has them ---- */

void exit(int status) __attribute__((noreturn));
int fork(void);
int exec(const char *path, char *const *argv);
int getpid(void);
int getppid(void);
int kill(int pid);
void yield(void);
long uptime(void); /* milliseconds since boot */
int open(const char *path, int flags, ...);
int close(int fd);
ssize_t read(int fd, void *buf, size_t size_bytes);
ssize_t write(int fd, const void *buf, size_t size_bytes);
long lseek(int fd, long offset, int whence);
int dup(int fd);
int pipe(int fds[2]);
int fstat(int fd, struct stat *st);
int mkdir(const char *path);
int mknod(const char *path, int mode, int device);
int link(const char *old_path, const char *new_path);
int symlink(const char *target, const char *path);
int unlink(const char *path);
int rmdir(const char *path);
int chdir(const char *path);
ssize_t getdents(int fd, void *buf, size_t size_bytes);
int sync(void);
int fsync(int fd);
int ftruncate(int fd, long size_bytes);
int statfs(const char *path, struct statfs *out);
int munmap(void *address, size_t size_bytes);
int freemem(struct freemem *info, void *events, size_t size_bytes);
int mark(int end, const char *name);
long kdebug(int op, long arg);
int poweroff(int status); /* returns only with an error: see debug=on */

/* Any call with any arguments. */
long syscall(long number, ...);
long sys_wait(int *status, int flags);
long sys_sbrk(long delta, int mode);
long sys_sleep(long ms);
long sys_mmap(void *address, size_t size_bytes, int prot, int flags, int fd, long offset);

/* ---- friendlier forms ---- */

int wait(int *status);              /* waits for any child; its pid. status may be NULL */
int wait_pid(int pid, int *status); /* for this one; other children that end meanwhile are forgotten */
int wait_nohang(int *status);       /* 0 when children live and none has ended */
void *sbrk(long delta);             /* eager; NULL when there is no memory */
void *sbrk_lazy(long delta);
void *mmap(void *address, size_t size_bytes, int prot, int flags, int fd, long offset); /* NULL on errors */
int sleep_ms(long ms);
int stat(const char *path, struct stat *st);
int creat(const char *path); /* a new or emptied file, open for reading and writing */
/* Reads or writes all of it unless there is an error or an end of file; bytes, or the error if none moved. */
ssize_t read_full(int fd, void *buf, size_t size_bytes);
ssize_t write_full(int fd, const void *buf, size_t size_bytes);
/* A whole file as a string: from malloc, NULL on error (then *size_bytes, which may be NULL, is the errno). */
char *read_file(const char *path, long *size_bytes);
/* Runs /bin/NAME (or a path) and waits: its exit status, or a negative errno if it could not start. */
int run(char *const *argv);
/* exec by name: a name without a slash is looked for in /bin. */
int exec_program(char *const *argv);
int freemem_read(struct freemem *info); /* fills in size */
const char *error_text(long error);     /* of a negative or positive errno */

/* ---- directories ---- */

struct dir {
	int fd;
	long length_bytes, position_bytes; /* within buf */
	uint64_t buf[256];
};
int dir_open(struct dir *dir, const char *path);
struct dirent *dir_read(struct dir *dir); /* NULL at the end */
void dir_close(struct dir *dir);

/* ---- text ---- */

int snprintf(char *buf, size_t size_bytes, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int vsnprintf(char *buf, size_t size_bytes, const char *fmt, va_list args);
/* One write for each call, so that lines of several processes do not mix; at most 1 KiB of text a call. */
void printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void fprintf(int fd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "NAME: MESSAGE" on the error output, then exit(1). */
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* Reads a line, without its newline; the length, or -1 at the end of the file. */
struct line_reader {
	int fd;
	long length_bytes, position_bytes;
	char buf[512];
};
long line_read(struct line_reader *reader, char *line, size_t size_bytes);
/* A number in base 10 or, with 0x, 16, with an optional K or M behind it; dies when it is none. */
long parse_number(const char *text);

void *memset(void *dst, int byte, size_t size_bytes);
void *memcpy(void *dst, const void *src, size_t size_bytes);
void *memmove(void *dst, const void *src, size_t size_bytes);
int memcmp(const void *a, const void *b, size_t size_bytes);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max_bytes);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t max_bytes);
char *strchr(const char *s, int c);
char *strstr(const char *s, const char *word);
size_t str_copy(char *dst, const char *src, size_t size_bytes); /* always terminates; strlen(src) */
bool str_to_u64(const char *s, uint64_t *value);

/* ---- memory ---- */

void *malloc(size_t size_bytes);
void free(void *ptr);
void *realloc(void *ptr, size_t size_bytes);

/* Where this program's parts lie (user.ld). */
extern char __text_start[], __text_end[], __data_start[], __bss_end[];

#endif
