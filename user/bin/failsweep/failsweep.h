/* SPDX-License-Identifier: MIT */
/*
 * failsweep: every error path walked, one failed allocation at a time.
 *
 * A scenario has three parts, run in a process and a directory of their own: prepare (allocations succeed), act (the
 * n-th one is refused, through /proc/self/fail-nth), check (they succeed again). For n = 1, 2, 3 ... until act ends
 * without having met the n-th. main.c does the counting; what a scenario has to say is in its act's result: negative,
 * or shorter than `wanted`, is an error and anything else a success. Both are right; check says what must hold then.
 */
#ifndef FAILSWEEP_H
#define FAILSWEEP_H

#include "ulib.h"

struct scenario {
	const char *name;
	void (*prepare)(void); /* NULL: nothing to do */
	long (*act)(void);
	void (*check)(long result); /* NULL: nothing to see */
	long wanted;                /* what act gives when all went well; 0: anything that is not negative */
	unsigned flags;             /* MAY_* */
};
#define TWICE 8       /* also with two allocations refused, in every combination */
#define MAY_DIE 1     /* act touches memory from user mode: a refused page kills the process */
#define ONLY_NAMED 4  /* the canary: it must fail, so it is not among all */
#define KEEPS_CACHE 2 /* the page cache is not dropped between prepare and act */

extern const struct scenario process_scenarios[], memory_scenarios[], mmap_scenarios[], file_scenarios[],
    name_scenarios[], read_scenarios[];

#define KILLED (-1) /* status of a process that the kernel killed */

/* ---- support.c ---- */

/* Status of an attempt's process: ENDED and what happened, or BROKEN. */
#define ENDED 16
#define INJECTED 1 /* all that was to be refused was refused */
#define FIRST 4    /* the first of two was */
#define ERROR 2
#define BROKEN 64

void broken(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4), noreturn));
#define FAIL(...) broken(__FILE_NAME__, __LINE__, __VA_ARGS__)
#define CHECK(cond)                                                                                          \
	do {                                                                                                 \
		if (!(cond))                                                                                 \
			FAIL("not so: %s", #cond);                                                           \
	} while (0)
#define CHECK_OK(expr)                                                                                       \
	({                                                                                                   \
		long result_ = (long)(expr);                                                                 \
		if (result_ < 0)                                                                             \
			FAIL("%s: %s", #expr, error_text(result_));                                          \
		result_;                                                                                     \
	})

/* /proc/self/fail-nth, open and ready: from here on none of these needs memory. */
extern int nth_fd;
void nth_open(void);
void nth_set(long nth, long next); /* next: of the second, counted from the first; 0: there is none */
long nth_left(void);               /* 0: it was refused */

/* Bytes that depend on their place. */
void fill(char *buf, long offset, long size_bytes);
bool filled(const char *buf, long offset, long size_bytes);
void make_file(const char *path, long from, long size_bytes); /* a hole before `from` */
/* The file must have that size, zeros before `from` and fill's bytes behind. */
void check_file(const char *path, long from, long size_bytes);

/*
 * A second process that does `round` again and again while act runs, in the same directory. Its allocations succeed.
 * What it finds wrong it says by FAIL, which end_rival hands on.
 */
void start_rival(void (*round)(void));
void end_rival(void);

/* A child that lives until the last copy of this process's `hold` is closed. Returns its pid. */
extern int hold;
int start_idle_child(void);
void end_idle_child(int pid);

#define BUFFER_BYTES (16 * PAGE_BYTES)
extern char buffer[BUFFER_BYTES]; /* resident before act */

#endif
