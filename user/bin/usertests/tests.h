/* SPDX-License-Identifier: MIT */
/*
 * usertests: the kernel tested from the user's side.
 *
 * A test is a function; it runs in a process and a directory of its own and passes when it returns. CHECK and FAIL end
 * the test's process with a line that says where. What it leaves in its directory is removed; what it leaves in the
 * kernel is a failure: run.c counts pages, disk blocks and the auditor's findings around each test.
 */
#ifndef USERTESTS_H
#define USERTESTS_H

#include "ulib.h"

struct test {
	const char *name;
	void (*run)(void);
	unsigned flags; /* TEST_* */
	const char *what;
};
#define TEST_CANARY 2 /* meant to fail: only when named */
#define TEST_SLOW 1   /* left out by -q */

/* A program: what its lines begin with, and its tests, group by group; NULL at the end. Its groups.c has them. */
extern const char test_program[];
extern const struct test *const test_groups[];

extern const struct test tests_process[], tests_exec[], tests_elf[], tests_pipe[], tests_file[], tests_big[],
    tests_unlinked[], tests_dir[], tests_links[], tests_race[], tests_sbrk[], tests_cow[], tests_mmap[],
    tests_many[], tests_fault[], tests_memory_out[], tests_memory_cow[], tests_bad[], tests_books[],
    tests_proc_pages[], tests_canary[];

#define KILLED (-1) /* status of a process that the kernel killed */

void fail(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4), noreturn));
#define FAIL(...) fail(__FILE_NAME__, __LINE__, __VA_ARGS__)
#define CHECK(cond)                                                                                          \
	do {                                                                                                 \
		if (!(cond))                                                                                 \
			FAIL("not so: %s", #cond);                                                           \
	} while (0)
/* Both are evaluated once and shown when they differ. */
#define CHECK_EQ(got, wanted)                                                                                \
	do {                                                                                                 \
		long got_ = (long)(got), wanted_ = (long)(wanted);                                           \
		if (got_ != wanted_)                                                                         \
			FAIL("%s is %ld, not %ld", #got, got_, wanted_);                                     \
	} while (0)
/* A file descriptor or any other result that must not be an error. */
#define CHECK_OK(expr)                                                                                       \
	({                                                                                                   \
		long result_ = (long)(expr);                                                                 \
		if (result_ < 0)                                                                             \
			FAIL("%s: %s", #expr, error_text(result_));                                          \
		result_;                                                                                     \
	})

/* Forks; the child runs body(arg) and ends with status 0. Returns its pid. */
int start(void (*body)(long arg), long arg);
/* n children, of which none begins before all are there: what one takes cannot be missing to the fork of the next. */
void start_together(int n, void (*body)(long arg), long arg);
/* Waits for a child of that pid; its status. */
int finish(int pid);
/* Both. */
int run_child(void (*body)(long arg), long arg);
/* The child must be killed by the kernel. */
void check_killed(void (*body)(long arg), long arg);
/* Bodies of children: one access. */
void load_byte(long address);
void store_byte(long address);
/* Waits for n children; all must have ended with status 0. */
void finish_all(int n);

/* Repeatable numbers. */
uint64_t random_next(uint64_t *state);

/* n bytes that depend on seed and on their place in the file, made and compared. */
void pattern_fill(void *buf, size_t size_bytes, uint64_t offset, unsigned seed);
bool pattern_matches(const void *buf, size_t size_bytes, uint64_t offset, unsigned seed);
/* A new file of that many bytes of the pattern, closed again. */
void make_file(const char *path, long size_bytes, unsigned seed);
/* The file must hold exactly that. */
void check_file(const char *path, long size_bytes, unsigned seed);

/*
 * With nothing dirty, and nobody else in the middle of kernel work: neither write-back nor a process that is still on its
 * way, in or out, will give or take any meanwhile. Processes of the test must sleep, end or compute.
 */
uint64_t settled_pages(void);
uint64_t free_pages(void);  /* as they are, caches and all */
uint64_t free_blocks(void); /* of the root file system */
uint64_t free_inodes(void);
/* So much of the disk must be free; soon, as the write-back may be the last who holds a file that was removed. */
void check_disk_free(uint64_t blocks, uint64_t inodes);
long file_size(const char *path); /* or an error */

/* Addresses that no program may use: the last is NULL's neighbour. */
extern const uintptr_t bad_addresses[];
extern const int nr_bad_addresses;

/* A buffer for everyone, not on the stack. */
extern char buffer[65536];

#endif
