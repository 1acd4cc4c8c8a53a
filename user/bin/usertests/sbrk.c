/* SPDX-License-Identifier: MIT */
/* The heap: sbrk, eager and lazy. */
#include "tests.h"

#define MIB (1024L * 1024)

static bool all_zero(const char *bytes, long n)
{
	for (long i = 0; i < n; i++)
		if (bytes[i])
			return false;
	return true;
}

static void test_grow_shrink(void)
{
	char *start_of_heap = sbrk(0);
	char *end = start_of_heap;

	for (int i = 0; i < 50; i++) {
		long step = 1 + i * 997 % 9000;
		CHECK(sbrk(step) == end);
		CHECK(all_zero(end, step));
		memset(end, 1 + i, (size_t)step);
		end += step;
		CHECK(sbrk(0) == end);
	}
	for (int i = 49; i >= 0; i--) {
		long step = 1 + i * 997 % 9000;
		end -= step;
		CHECK_EQ(end[0], 1 + i);
		CHECK_EQ(end[step - 1], 1 + i);
		CHECK(sbrk(-step) == end + step);
	}
	CHECK(sbrk(0) == start_of_heap);
	/* What comes back is empty. */
	CHECK(sbrk(20 * (long)PAGE_BYTES) == start_of_heap);
	CHECK(all_zero(start_of_heap, 20 * (long)PAGE_BYTES));
}

static void touch(long address)
{
	*(volatile char *)address = 1;
}

static void load_from(long address)
{
	(void)*(volatile char *)address;
}

static void test_end_of_heap(void)
{
	uintptr_t end = (uintptr_t)sbrk(0);

	end = (end + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
	check_killed(touch, (long)end);
	check_killed(load_from, (long)end);
	CHECK(sbrk((long)PAGE_BYTES));
	CHECK_EQ(run_child(touch, (long)end - 1), 0);
	/* Given back, it is gone. */
	char *page = sbrk(3 * (long)PAGE_BYTES);
	page = (char *)(((uintptr_t)page + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1));
	memset(page, 5, PAGE_BYTES);
	CHECK(sbrk(-3 * (long)PAGE_BYTES));
	check_killed(touch, (long)page + (long)PAGE_BYTES);
}

static void test_limits(void)
{
	static const long deltas[] = {
	    1L << 38,    1L << 39,    1L << 62,     0x7fffffffffffffff, -0x7fffffffffffffff - 1,
	    -(1L << 38), -(1L << 62), 0x3fffffc000, -0x3fffffc000,
	};
	char *end = sbrk(16);
	uint64_t pages = settled_pages();

	for (size_t i = 0; i < ARRAY_SIZE(deltas); i++) {
		CHECK(sys_sbrk(deltas[i], SBRK_EAGER) < 0);
		CHECK(sys_sbrk(deltas[i], SBRK_LAZY) < 0);
		CHECK(sbrk(0) == end + 16);
	}
	CHECK_EQ(sys_sbrk(10, 0), -EINVAL);
	CHECK_EQ(sys_sbrk(10, 99), -EINVAL);
	CHECK(sys_sbrk(-((long)end + 16), SBRK_EAGER) < 0);
	CHECK_EQ(settled_pages(), pages);
	end[15] = 1;
}

static void test_eager_too_much(void)
{
	/* More than the machine has: refused, and every page of the attempt is given back. */
	struct freemem info;

	CHECK_EQ(freemem_read(&info), 0);
	char *end = sbrk(0);
	CHECK_EQ(sys_sbrk((long)(info.total + 100) * 4096, SBRK_EAGER), -ENOMEM);
	CHECK_EQ(sys_sbrk(1L << 36, SBRK_EAGER), -ENOMEM);
	CHECK(sbrk(0) == end);
}

static void test_lazy(void)
{
	const long size = 1024 * MIB, stride = 16 * MIB;
	uint64_t pages = free_pages();
	volatile char *memory = sbrk_lazy(size);

	CHECK(memory);
	CHECK(pages - free_pages() <= 2);
	for (long at = 0; at < size; at += stride)
		CHECK_EQ(memory[at], 0);
	for (long at = 0; at < size; at += stride)
		memory[at] = (char)(at / stride + 1);
	for (long at = 0; at < size; at += stride)
		CHECK_EQ(memory[at], (char)(at / stride + 1));
	/* A page each, and the tables for them. */
	CHECK(pages - free_pages() < 64 + 200);
	/* The page tables stay, one for each stride and what is above them, until the program ends. */
	CHECK(sbrk(-size));
	CHECK(pages - free_pages() < 64 + 10);
}

static void test_lazy_calls(void)
{
	/* System calls that touch pages nobody touched before. */
	int fds[2];

	make_file("f", 3 * 4096, 1);
	char *memory = sbrk_lazy(40 * (long)PAGE_BYTES);
	CHECK(memory);
	int fd = (int)CHECK_OK(open("f", O_RDWR));
	CHECK_EQ(read(fd, memory + 4000, 9000), 9000);
	CHECK(pattern_matches(memory + 4000, 9000, 0, 1));
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(write(fd, memory + 10 * PAGE_BYTES, 5000), 5000);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(read(fd, buffer, 5000), 5000);
	CHECK(all_zero(buffer, 5000));
	CHECK_EQ(pipe((int *)(memory + 15 * PAGE_BYTES)), 0);
	memcpy(fds, memory + 15 * PAGE_BYTES, sizeof(fds));
	CHECK_EQ(write(fds[1], memory + 20 * PAGE_BYTES + 4090, 100), 100);
	CHECK_EQ(read(fds[0], memory + 25 * PAGE_BYTES + 4090, 100), 100);
	CHECK_EQ(fstat(fd, (struct stat *)(memory + 30 * PAGE_BYTES - 8)), 0);
	CHECK_EQ(open(memory + 33 * PAGE_BYTES, O_RDONLY), -ENOENT); /* the empty string */
	int pid = fork();
	if (pid == 0)
		exit(3);
	CHECK_EQ(wait((int *)(memory + 36 * PAGE_BYTES)), pid);
	CHECK_EQ(*(int *)(memory + 36 * PAGE_BYTES), 3);
}

static void test_lazy_shrink(void)
{
	/* Shrinking over pages that were never there, and over some that were. */
	char *memory = sbrk_lazy(64 * (long)PAGE_BYTES);

	CHECK(memory);
	memory[5 * PAGE_BYTES] = 1;
	memory[60 * PAGE_BYTES] = 1;
	CHECK(sbrk(-10 * (long)PAGE_BYTES));
	CHECK(sbrk(-30 * (long)PAGE_BYTES));
	CHECK(sbrk_lazy(40 * (long)PAGE_BYTES));
	CHECK_EQ(memory[60 * PAGE_BYTES], 0);
	CHECK_EQ(memory[5 * PAGE_BYTES], 1);
	int pid = fork();
	if (pid == 0) {
		CHECK_EQ(memory[5 * PAGE_BYTES], 1);
		memory[20 * PAGE_BYTES] = 2;
		CHECK(sbrk(-64 * (long)PAGE_BYTES));
		exit(0);
	}
	CHECK_EQ(finish(pid), 0);
	CHECK_EQ(memory[20 * PAGE_BYTES], 0);
}

static void test_unmapped_parts(void)
{
	/* What munmap took out of the heap stays away; the heap goes on above it, and goes back over it. */
	CHECK(sbrk((long)(PAGE_BYTES - (uintptr_t)sbrk(0) % PAGE_BYTES)));
	char *memory = sbrk(16 * (long)PAGE_BYTES);

	CHECK(memory);
	CHECK_EQ(munmap(memory + 4 * PAGE_BYTES, 3 * PAGE_BYTES), 0);
	CHECK_EQ(munmap(memory + 12 * PAGE_BYTES, 4 * PAGE_BYTES), 0);
	check_killed(store_byte, (long)memory + 5 * (long)PAGE_BYTES);
	CHECK(sbrk(2 * (long)PAGE_BYTES) == memory + 16 * PAGE_BYTES);
	memory[17 * PAGE_BYTES] = 1;
	check_killed(store_byte, (long)memory + 13 * (long)PAGE_BYTES);
	CHECK(sbrk(-8 * (long)PAGE_BYTES) == memory + 18 * PAGE_BYTES);
	memory[9 * PAGE_BYTES] = 1;
	uint64_t pages = free_pages();
	CHECK(sbrk(-10 * (long)PAGE_BYTES) == memory + 10 * PAGE_BYTES);
	CHECK_EQ(free_pages(), pages + 7);
	check_killed(store_byte, (long)memory);
}

static void shrink_all(long unused)
{
	uintptr_t bottom = ((uintptr_t)__bss_end + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);

	CHECK(sbrk(100 * (long)PAGE_BYTES));
	CHECK(sbrk((long)bottom - (long)sbrk(0)));
	CHECK((uintptr_t)sbrk(0) == bottom);
	CHECK(sys_sbrk(-1, SBRK_EAGER) < 0);
	CHECK(sys_sbrk(-(long)PAGE_BYTES, SBRK_EAGER) < 0);
	CHECK(sbrk(100));
}

static void test_shrink_to_nothing(void)
{
	for (int i = 0; i < 3; i++)
		start(shrink_all, 0);
	finish_all(3);
}

static void test_shrink_in_page(void)
{
	/* Whole pages come and go; the rest of a page that is still used stays. */
	char *base = sbrk(0);

	CHECK(sbrk((long)(PAGE_BYTES - (uintptr_t)base % PAGE_BYTES)));
	char *page = sbrk(2 * (long)PAGE_BYTES);
	memset(page, 3, 2 * PAGE_BYTES);
	uint64_t pages = settled_pages();
	CHECK(sbrk(-100));
	CHECK_EQ(settled_pages(), pages);
	CHECK_EQ(page[2 * PAGE_BYTES - 101], 3);
	CHECK(sbrk(-4000));
	CHECK_EQ(settled_pages(), pages + 1);
	CHECK_EQ(page[PAGE_BYTES - 5], 3);
}

/* Blocks of random sizes, checked before each is freed. (MALLOC-1, MALLOC-3) */
static void test_malloc(void)
{
	struct {
		unsigned char *memory;
		size_t size_bytes;
		unsigned char fill;
	} blocks[60] = {{0}};
	uint64_t state = 17;

	for (int step = 0; step < 3000; step++) {
		size_t i = random_next(&state) % ARRAY_SIZE(blocks);
		if (blocks[i].memory) {
			for (size_t k = 0; k < blocks[i].size_bytes; k++)
				CHECK_EQ(blocks[i].memory[k], blocks[i].fill);
			free(blocks[i].memory);
			blocks[i].memory = NULL;
			continue;
		}
		if (step % 500 == 499) /* the heap grows behind the library's back */
			CHECK(sbrk(5001) != NULL);
		blocks[i].size_bytes = random_next(&state) % (step % 50 ? 200 : 9000);
		blocks[i].fill = (unsigned char)step;
		blocks[i].memory = malloc(blocks[i].size_bytes);
		CHECK(blocks[i].memory && (uintptr_t)blocks[i].memory % 16 == 0);
		memset(blocks[i].memory, blocks[i].fill, blocks[i].size_bytes);
	}
	CHECK(malloc(1UL << 50) == NULL);
	CHECK(malloc((size_t)-1) == NULL);
}

/* However many there were, and in whatever order they are freed, all of it can be had in one again. (MALLOC-2) */
static void test_malloc_merges(void)
{
	enum { BLOCKS = 2000, BYTES = 1000 };
	static void *blocks[BLOCKS];
	char *end;

	for (int order = 0; order < 3; order++) {
		for (int i = 0; i < BLOCKS; i++)
			CHECK((blocks[i] = malloc(BYTES)) != NULL);
		end = sbrk(0);
		for (int i = 0; i < BLOCKS; i++)
			free(blocks[order == 0 ? i : order == 1 ? BLOCKS - 1 - i : i * 7 % BLOCKS]);
		blocks[0] = malloc(BLOCKS * BYTES);
		CHECK(blocks[0] != NULL);
		CHECK_EQ(sbrk(0), end);
		free(blocks[0]);
	}
}

const struct test tests_sbrk[] = {
    {"sbrk-grow-shrink", test_grow_shrink, 0, "in odd steps, contents kept, new memory empty"},
    {"sbrk-end", test_end_of_heap, 0, "beyond the end is death"},
    {"sbrk-limits", test_limits, 0, "absurd amounts in both directions"},
    {"sbrk-too-much", test_eager_too_much, 0, "more than the machine has"},
    {"sbrk-lazy", test_lazy, 0, "1 GiB reserved, a little of it used"},
    {"sbrk-lazy-calls", test_lazy_calls, 0, "system calls on untouched pages"},
    {"sbrk-lazy-shrink", test_lazy_shrink, 0, "shrinking over holes"},
    {"sbrk-parts", test_unmapped_parts, 0, "with parts of the heap unmapped"},
    {"sbrk-nothing", test_shrink_to_nothing, 0, "down to an empty heap, by three at once"},
    {"sbrk-part-page", test_shrink_in_page, 0, "a page goes when its last byte does"},
    {"malloc", test_malloc, 0, "the library's allocator"},
    {"malloc-merges", test_malloc_merges, 0, "freed blocks become one again"},
    {NULL, NULL, 0, NULL},
};
