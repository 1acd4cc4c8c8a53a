/* SPDX-License-Identifier: MIT */
/*
 * What a user program can call. Calls return -1 on failure.
 */
#pragma once

#include "../types.h"

#define PGSIZE 4096

int fork(void);
void exit(int status) __attribute__((noreturn));
int wait(int *status);
int exec(const char *name, const char *argument);
char *sbrk(int bytes);
int getpid(void);
int yield(void);
int pause(int ticks);
int kill(int pid);
int pipe(int fds[2]);
int read(int fd, void *buffer, int size);
int write(int fd, const void *buffer, int size);
int close(int fd);
char *mmap(u64 size, int writable);
int munmap(char *address, u64 size);
int freepages(void);
int processes(void);
int arm(void);
int poweroff(int status);

#define FAILED ((char *)-1)

/* ulib.c */
void print(const char *format, ...) __attribute__((format(printf, 1, 2))); /* %d and %s; one write() */
int equal(const char *a, const char *b);
