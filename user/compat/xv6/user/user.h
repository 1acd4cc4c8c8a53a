/* SPDX-License-Identifier: MIT */
/*
 * What programs written for xv6-riscv include: system calls and library functions under the names and with
 * the meaning that those programs take for granted. Failure is -1, or (char *)-1 from sbrk.
 */
#ifndef XV6_USER_USER_H
#define XV6_USER_USER_H

struct stat;
struct sysinfo;

#define SBRK_ERROR ((char *)-1)

/* ---- system calls ---- */
int fork(void);
int exit(int status) __attribute__((noreturn));
int wait(int *status);
int pipe(int *fds);
int write(int fd, const void *buf, int size);
int read(int fd, void *buf, int size);
int close(int fd);
int kill(int pid);
int exec(const char *path, char **argv);
int open(const char *path, int flags);
int mknod(const char *path, short major, short minor);
int unlink(const char *path);
int fstat(int fd, struct stat *st);
int link(const char *old_path, const char *new_path);
int mkdir(const char *path);
int chdir(const char *path);
int dup(int fd);
int getpid(void);
char *xv6_sbrk(int delta, int mode);
#define sys_sbrk xv6_sbrk /* the library below has a stub of that name, which fails with an errno */
int sleep(int ticks);     /* of a tenth of a second */
int pause(int ticks);
int uptime(void); /* in such ticks */

/* ---- those of the labs ---- */
void *mmap(void *addr, uint64 length, int prot, int flags, int fd, uint64 offset); /* (void *)-1 on failure */
int munmap(void *addr, uint64 length);
int symlink(const char *target, const char *path);
int trace(int mask);                               /* of 1 << SYS_*; for this process and its children */
int interpose(int mask, const char *allowed_path); /* refuses those calls; open and exec of one path remain */
int sysinfo(struct sysinfo *info);
int sigalarm(int ticks, void (*handler)(void)); /* each time so many ticks were used up; 0, 0: no more */
int sigreturn(void);
int pgaccess(void *first, int pages, void *bits); /* at most 64 pages */
uint64 pgpte(void *address);
void kpgtbl(void);
int ugetpid(void);    /* without a system call */
int cpupin(int hart); /* this process runs there only; -1: there is no such hart */

/* ---- library ---- */
char *sbrk(int delta);     /* pages at once */
char *sbrklazy(int delta); /* pages when they are touched */
int stat(const char *path, struct stat *st);
int statistics(void *buf, int size); /* the text of the device `statistics`; its length, or -1 */
char *strcpy(char *dst, const char *src);
void *memmove(void *dst, const void *src, int size);
char *strchr(const char *s, char c);
int strcmp(const char *a, const char *b);
void fprintf(int fd, const char *fmt, ...);
void printf(const char *fmt, ...);
char *gets(char *buf, int max);
uint strlen(const char *s);
void *memset(void *dst, int byte, uint size);
int atoi(const char *s);
int memcmp(const void *a, const void *b, uint size);
void *memcpy(void *dst, const void *src, uint size);
void *malloc(uint size);
void free(void *ptr);

#endif
