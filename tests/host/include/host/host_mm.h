/* SPDX-License-Identifier: MIT */
/*
 * For tests of address spaces: spaces with a heap, "files" that VMAs may map, accesses as the hardware would try them,
 * and books that must balance at the end of each test.
 */
#ifndef HOST_HOST_MM_H
#define HOST_HOST_MM_H

#include <host/host_test.h>
#include <kernel/addrspace.h>
#include <kernel/audit.h>
#include <kernel/errno.h>

struct mm *mm_make(u16 pid); /* heap empty at 0x100000 */

/* Page i of file number n begins with the u32 n * 1000 + i. */
struct test_file {
	u32 number;
	u32 nr_pages;
	s32 users; /* VMAs */
	struct vma_set set;
	u32 nr_dirtied;
	struct page *pages[8]; /* its cache */
	bool fail;             /* faults give -EIO */
};
extern struct test_file test_files[2]; /* of 8 and of 3 pages */
extern const struct vma_ops test_file_ops;
void test_files_drop(void); /* empties the caches; nobody may map them any more */

/* One access of eight bytes, with the faults that it needs. 0, or what mm_fault says. */
int user_store(struct mm *mm, uaddr_t ua, u64 value);
u64 user_load(struct mm *mm, uaddr_t ua);

/* cmocka setup and teardown: at the end of a test as many pages are free as at its start, and no incident happened. */
int books_begin(void **state);
int books_end(void **state);
extern u64 books_free;
extern u32 books_incidents;
int mm_boot(void **state); /* 8 MiB, 2 harts */

#define MM_TEST(name) cmocka_unit_test_setup_teardown(name, books_begin, books_end)

#endif
