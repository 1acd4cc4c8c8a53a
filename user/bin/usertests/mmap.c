/* SPDX-License-Identifier: MIT */
/* mmap and munmap: anonymous and file mappings, private and shared. */
#include "tests.h"

#define PAGES(n) ((n) * (long)PAGE_BYTES)

static int open_file(const char *path, long size_bytes, int flags)
{
	make_file(path, size_bytes, 1);
	return (int)CHECK_OK(open(path, flags));
}

static char *map_file(int fd, long size_bytes, int prot, int type)
{
	char *memory = mmap(NULL, (size_t)size_bytes, prot, type, fd, 0);

	CHECK(memory);
	CHECK_EQ((uintptr_t)memory % PAGE_BYTES, 0);
	return memory;
}

static char *map_anonymous(long size_bytes, int type)
{
	char *memory = mmap(NULL, (size_t)size_bytes, PROT_READ | PROT_WRITE, type | MAP_ANONYMOUS, -1, 0);

	CHECK(memory);
	return memory;
}

static bool all_zero(const char *bytes, long n)
{
	for (long i = 0; i < n; i++)
		if (bytes[i])
			return false;
	return true;
}

static void test_private_file(void)
{
	const long size = PAGES(5) + 777;
	int fd = open_file("f", size, O_RDONLY);
	char *memory = map_file(fd, size, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	close(fd);
	CHECK(pattern_matches(memory, (size_t)size, 0, 1));
	CHECK(all_zero(memory + size, PAGES(6) - size)); /* the rest of the last page */
	memory[0] = (char)(memory[0] + 1);
	memory[PAGES(4)] = (char)(memory[PAGES(4)] + 1);
	memory[PAGES(5) + 1000] = 7;
	check_file("f", size, 1);
	CHECK_EQ(munmap(memory, (size_t)size), 0);
	check_killed(load_byte, (long)memory);
	check_killed(load_byte, (long)memory + PAGES(5));
	check_file("f", size, 1);
}

static void test_read_only(void)
{
	int fd = open_file("f", PAGES(2), O_RDONLY);
	char *memory = map_file(fd, PAGES(2), PROT_READ, MAP_PRIVATE);

	CHECK(pattern_matches(memory, (size_t)PAGES(2), 0, 1));
	check_killed(store_byte, (long)memory);
	check_killed(store_byte, (long)memory + PAGES(1));
	CHECK_EQ(read(fd, memory, 10), -EFAULT);
	char *none = mmap(NULL, PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(none);
	check_killed(load_byte, (long)none);
	check_killed(store_byte, (long)none);
	/* Read-only and shared needs no right to write. */
	char *shared = map_file(fd, PAGES(2), PROT_READ, MAP_SHARED);
	CHECK(pattern_matches(shared, (size_t)PAGES(2), 0, 1));
	check_killed(store_byte, (long)shared);
}

static void test_shared_file(void)
{
	const long size = PAGES(3) + 500;
	int fd = open_file("f", size, O_RDWR);
	char *memory = map_file(fd, size, PROT_READ | PROT_WRITE, MAP_SHARED);

	CHECK(pattern_matches(memory, (size_t)size, 0, 1));
	pattern_fill(memory, (size_t)size, 0, 2);
	/* Read sees it at once, as both look at the same page. */
	check_file("f", size, 2);
	/* And the mapping sees what is written to the file. */
	pattern_fill(buffer, 100, 5000, 3);
	CHECK_EQ(lseek(fd, 5000, SEEK_SET), 5000);
	CHECK_EQ(write(fd, buffer, 100), 100);
	CHECK(pattern_matches(memory + 5000, 100, 5000, 3));
	pattern_fill(memory + 5000, 100, 5000, 2);
	/* Bytes beyond the end of the file go nowhere. */
	memory[size + 10] = 'x';
	CHECK_EQ(munmap(memory, (size_t)size), 0);
	CHECK_EQ(file_size("f"), size);
	CHECK_EQ(sync(), 0);
	CHECK_OK(kdebug(KDEBUG_DROP_CACHES, 0));
	check_file("f", size, 2);
	close(fd);
}

static void write_through(long address)
{
	pattern_fill((char *)address, (size_t)PAGES(2), 0, 9);
}

static void test_shared_with_children(void)
{
	int fd = open_file("f", PAGES(2), O_RDWR);
	char *file = map_file(fd, PAGES(2), PROT_READ | PROT_WRITE, MAP_SHARED);
	char *anonymous = map_anonymous(PAGES(2), MAP_SHARED);
	char *own = map_anonymous(PAGES(2), MAP_PRIVATE);

	anonymous[0] = 1;
	own[0] = 1;
	CHECK_EQ(run_child(write_through, (long)file), 0);
	CHECK_EQ(run_child(write_through, (long)anonymous), 0);
	CHECK_EQ(run_child(write_through, (long)own), 0);
	CHECK(pattern_matches(file, (size_t)PAGES(2), 0, 9));
	check_file("f", PAGES(2), 9);
	CHECK(own[0] == 1 && all_zero(own + 1, PAGES(2) - 1));
	/* The page that was there before the fork, and the one that was not. */
	CHECK(pattern_matches(anonymous, (size_t)PAGES(2), 0, 9));
}

static void test_anonymous(void)
{
	const long size = 1L << 30;
	uint64_t pages = settled_pages();
	char *memory = map_anonymous(size, MAP_PRIVATE);

	/* Reserved, not taken. */
	CHECK(pages - settled_pages() <= 2);
	for (long at = 0; at < size; at += size / 32) {
		CHECK_EQ(memory[at], 0);
		memory[at] = (char)(at / (size / 32) + 1);
	}
	for (long at = 0; at < size; at += size / 32)
		CHECK_EQ(memory[at], at / (size / 32) + 1);
	CHECK_EQ(munmap(memory, (size_t)size), 0);
	check_killed(load_byte, (long)memory);
	char *again = map_anonymous(PAGES(3), MAP_PRIVATE);
	CHECK(all_zero(again, PAGES(3)));
}

static void test_partial_unmap(void)
{
	const long size = PAGES(10);
	int fd = open_file("f", size, O_RDWR);

	for (int type = MAP_SHARED; type <= MAP_PRIVATE; type++) {
		char *memory = map_file(fd, size, PROT_READ | PROT_WRITE, type);
		CHECK(pattern_matches(memory, (size_t)size, 0, 1));
		CHECK_EQ(munmap(memory, PAGE_BYTES), 0);                  /* head */
		CHECK_EQ(munmap(memory + PAGES(9), PAGE_BYTES), 0);       /* tail */
		CHECK_EQ(munmap(memory + PAGES(4), (size_t)PAGES(2)), 0); /* middle */
		CHECK_EQ(munmap(memory + PAGES(4), (size_t)PAGES(2)), 0); /* again: nothing there */
		check_killed(load_byte, (long)memory);
		check_killed(load_byte, (long)memory + PAGES(4));
		check_killed(load_byte, (long)memory + PAGES(9));
		CHECK(pattern_matches(memory + PAGES(1), (size_t)PAGES(3), (uint64_t)PAGES(1), 1));
		CHECK(pattern_matches(memory + PAGES(6), (size_t)PAGES(3), (uint64_t)PAGES(6), 1));
		/* A child has the same holes. */
		check_killed(load_byte, (long)memory + PAGES(5));
		CHECK_EQ(munmap(memory, (size_t)size), 0);
		check_killed(load_byte, (long)memory + PAGES(7));
	}
}

static void test_unlinked_file(void)
{
	const long size = PAGES(4);
	uint64_t blocks, inodes;

	make_file("g", 1, 1);
	blocks = free_blocks();
	inodes = free_inodes();
	int fd = open_file("f", size, O_RDWR);
	char *memory = map_file(fd, size, PROT_READ | PROT_WRITE, MAP_SHARED);
	close(fd);
	CHECK_EQ(unlink("f"), 0);
	CHECK_OK(kdebug(KDEBUG_DROP_CACHES, 0));
	/* The mapping holds the file. */
	CHECK(pattern_matches(memory, (size_t)size, 0, 1));
	pattern_fill(memory, (size_t)size, 0, 4);
	CHECK_EQ(free_inodes(), inodes - 1);
	CHECK_EQ(munmap(memory, (size_t)size), 0);
	check_disk_free(blocks, inodes);
}

static void map_and_leave(long how)
{
	int fd = (int)CHECK_OK(open("f", O_RDWR));
	char *memory = map_file(fd, PAGES(4), PROT_READ | PROT_WRITE, MAP_SHARED);
	char *const argv[] = {"true", NULL};

	map_anonymous(PAGES(20), MAP_PRIVATE)[PAGES(3)] = 1;
	memory[PAGES(how)] = 'm';
	if (how == 1)
		kill(getpid());
	if (how == 2)
		exec("/bin/true", argv);
	if (how == 3)
		store_byte(0);
}

static void test_left_mapped(void)
{
	/* Exit, kill, exec and a fault: what was written is in the file. */
	int fd = open_file("f", PAGES(4), O_RDONLY);
	char c;

	for (long how = 0; how < 4; how++) {
		int status = run_child(map_and_leave, how);
		CHECK_EQ(status, how == 1 || how == 3 ? KILLED : 0);
	}
	CHECK_OK(kdebug(KDEBUG_DROP_CACHES, 0));
	for (long how = 0; how < 4; how++) {
		CHECK_EQ(lseek(fd, PAGES(how), SEEK_SET), PAGES(how));
		CHECK_EQ(read(fd, &c, 1), 1);
		CHECK_EQ(c, 'm');
	}
}

static void test_misuse(void)
{
	int fd = open_file("f", PAGES(2), O_RDWR), reader = (int)CHECK_OK(open("f", O_RDONLY));
	int writer = (int)CHECK_OK(open("f", O_WRONLY)), fds[2];
	int dir = (int)CHECK_OK(open(".", O_RDONLY)), null = (int)CHECK_OK(open("/dev/null", O_RDWR));
	const int rw = PROT_READ | PROT_WRITE;

	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(sys_mmap(NULL, 0, rw, MAP_PRIVATE, fd, 0), -EINVAL);
	CHECK_EQ(sys_mmap(NULL, (size_t)-1, rw, MAP_PRIVATE, fd, 0), -EINVAL);
	CHECK(sys_mmap(NULL, 1UL << 38, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) < 0);
	CHECK(sys_mmap(NULL, 1UL << 63, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) < 0);
	CHECK_EQ(sys_mmap(NULL, 4096, rw, 0, fd, 0), -EINVAL);
	CHECK_EQ(sys_mmap(NULL, 4096, rw, MAP_PRIVATE | MAP_SHARED, fd, 0), -EINVAL);
	CHECK_EQ(sys_mmap(NULL, 4096, 64, MAP_PRIVATE, fd, 0), -EINVAL);
	CHECK_EQ(sys_mmap(NULL, 4096, rw, MAP_PRIVATE | 0x1000, fd, 0), -EINVAL);
	CHECK_EQ(sys_mmap(NULL, 4096, rw, MAP_PRIVATE, fd, 100), -EINVAL);
	CHECK_EQ(sys_mmap(NULL, 4096, rw, MAP_PRIVATE, fd, -4096), -EINVAL);
	CHECK_EQ(sys_mmap(NULL, 4096, rw, MAP_PRIVATE, -1, 0), -EBADF);
	CHECK_EQ(sys_mmap(NULL, 4096, rw, MAP_PRIVATE, NOFILE, 0), -EBADF);
	CHECK_EQ(sys_mmap(NULL, 4096, rw, MAP_SHARED, reader, 0), -EACCES);
	CHECK_EQ(sys_mmap(NULL, 4096, PROT_READ, MAP_SHARED, writer, 0), -EACCES);
	CHECK_EQ(sys_mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, dir, 0), -ENODEV);
	CHECK_EQ(sys_mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fds[0], 0), -ENODEV);
	CHECK_EQ(sys_mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, null, 0), -ENODEV);
	CHECK_EQ(munmap((void *)100, 4096), -EINVAL);
	CHECK_EQ(munmap((void *)0x10000000, 0), -EINVAL);
	CHECK_EQ(munmap((void *)0x10000000, (size_t)-1), -EINVAL);
	CHECK_EQ(munmap((void *)0xffffffc080200000, 4096), -EINVAL);
	CHECK_EQ(munmap((void *)0x4000000000, 4096), -EINVAL);
	CHECK_EQ(munmap((void *)0x10000000, 4096), 0); /* nothing there: nothing done */
	for (int i = 0; i < nr_bad_addresses; i++)
		if (bad_addresses[i] >= 0x3fffffe000 || bad_addresses[i] < 0x1000)
			CHECK(sys_mmap((void *)(bad_addresses[i] & ~4095UL), 4096, rw,
				       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) < 0);
}

static void test_beyond_end(void)
{
	int fd = open_file("f", PAGES(2) + 100, O_RDWR);
	char *memory = map_file(fd, PAGES(6), PROT_READ | PROT_WRITE, MAP_SHARED);

	memory[PAGES(2) + 50] = 'e';
	check_killed(load_byte, (long)memory + PAGES(3));
	check_killed(store_byte, (long)memory + PAGES(5));
	CHECK_EQ(read(fd, memory + PAGES(4), 10), -EFAULT);
	/* Cut shorter under the mapping: what is gone cannot be touched, what is left can. */
	CHECK_EQ(ftruncate(fd, PAGES(1)), 0);
	CHECK(pattern_matches(memory, PAGE_BYTES, 0, 1));
	memory[10] = 'x';
	check_killed(load_byte, (long)memory + PAGES(2));
	CHECK_EQ(read(fd, memory + PAGES(1), 10), -EFAULT);
	CHECK_EQ(munmap(memory, (size_t)PAGES(6)), 0);
	CHECK_EQ(file_size("f"), PAGES(1));
}

static void test_fixed(void)
{
	char *memory = map_anonymous(PAGES(8), MAP_PRIVATE);
	int fd = open_file("f", PAGES(2), O_RDONLY);

	memset(memory, 5, (size_t)PAGES(8));
	/* What is refused leaves what was there. */
	CHECK_EQ(sys_mmap(memory, (size_t)PAGES(2), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0),
		 -EACCES);
	CHECK_EQ(sys_mmap(memory, (size_t)PAGES(2), PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 1), -EINVAL);
	CHECK(memory[0] == 5 && memory[PAGES(2) - 1] == 5);
	/* Over the middle: what was there goes. */
	char *file = mmap(memory + PAGES(3), (size_t)PAGES(2), PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
	CHECK(file == memory + PAGES(3));
	CHECK(pattern_matches(file, (size_t)PAGES(2), 0, 1));
	CHECK(memory[PAGES(3) - 1] == 5 && memory[PAGES(5)] == 5);
	check_killed(store_byte, (long)file);
	CHECK_EQ(munmap(memory, (size_t)PAGES(8)), 0);
	/* Somewhere else entirely, and over what is not there. */
	char *far = mmap((void *)0x1000000000, PAGE_BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(far == (char *)0x1000000000);
	*far = 1;
	CHECK_EQ(munmap(far, PAGE_BYTES), 0);
}

static void test_as_buffers(void)
{
	/* The kernel copies between a file and a mapping of the same file, or of another. */
	int fd = open_file("f", PAGES(4), O_RDWR), other = open_file("g", PAGES(4), O_RDWR);
	char *f = map_file(fd, PAGES(4), PROT_READ | PROT_WRITE, MAP_SHARED);
	char *g = map_file(other, PAGES(4), PROT_READ | PROT_WRITE, MAP_SHARED);

	CHECK_EQ(write(fd, g, (size_t)PAGES(2)), PAGES(2));
	CHECK_EQ(read(other, f + PAGES(2), (size_t)PAGES(1)), PAGES(1));
	check_file("g", PAGES(4), 1);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(read(fd, f + PAGES(1), (size_t)PAGES(1)), PAGES(1));
	CHECK(pattern_matches(f + PAGES(1), PAGE_BYTES, 0, 1));
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(write(fd, f + PAGES(3), (size_t)PAGES(1)), PAGES(1));
	CHECK(pattern_matches(f, PAGE_BYTES, (uint64_t)PAGES(3), 1));
	CHECK_EQ(unlink("g"), 0);
}

static void exchange(long who)
{
	/* Each reads a file into a mapping of the other's. */
	int mine = (int)CHECK_OK(open(who ? "f" : "g", O_RDWR)),
	    theirs = (int)CHECK_OK(open(who ? "g" : "f", O_RDWR));

	for (int i = 0; i < 20; i++) {
		char *memory = map_file(theirs, PAGES(3), PROT_READ | PROT_WRITE, MAP_SHARED);
		CHECK_EQ(lseek(mine, 0, SEEK_SET), 0);
		CHECK_EQ(read(mine, memory, (size_t)PAGES(3)), PAGES(3));
		CHECK_EQ(lseek(mine, 0, SEEK_SET), 0);
		CHECK_EQ(write(mine, memory, (size_t)PAGES(3)), PAGES(3));
		CHECK_EQ(munmap(memory, (size_t)PAGES(3)), 0);
	}
}

static void test_crosswise(void)
{
	make_file("f", PAGES(3), 1);
	make_file("g", PAGES(3), 1);
	for (long who = 0; who < 4; who++)
		start(exchange, who & 1);
	finish_all(4);
	check_file("f", PAGES(3), 1);
	check_file("g", PAGES(3), 1);
}

static void count_in_map(long who)
{
	int fd = (int)CHECK_OK(open("f", O_RDWR));
	volatile char *memory = map_file(fd, PAGES(4), PROT_READ | PROT_WRITE, MAP_SHARED);

	for (int i = 0; i < 2000; i++) {
		memory[who * 1000 + i % 1000] = (char)(who + 1);
		if (i % 100 == 0)
			CHECK_OK(i % 200 ? fsync(fd) : kdebug(KDEBUG_DROP_CACHES, 0));
	}
}

static void test_shared_at_once(void)
{
	int fd = (int)CHECK_OK(creat("f"));

	memset(buffer, 0, sizeof(buffer));
	CHECK_EQ(write(fd, buffer, (size_t)PAGES(4)), PAGES(4));
	for (long who = 0; who < 4; who++)
		start(count_in_map, who);
	finish_all(4);
	CHECK_OK(kdebug(KDEBUG_DROP_CACHES, 0));
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(read(fd, buffer, 4000), 4000);
	for (int i = 0; i < 4000; i++)
		CHECK_EQ(buffer[i], i / 1000 + 1);
}

static void test_many_mappings(void)
{
	enum { NR = 100 };
	int fd = open_file("f", PAGES(1), O_RDWR);
	char *memory[NR];

	for (int i = 0; i < NR; i++) {
		memory[i] = i % 2 ? map_anonymous(PAGES(2), MAP_PRIVATE)
				  : map_file(fd, PAGES(1), PROT_READ, MAP_SHARED);
		(void)*(volatile char *)memory[i];
	}
	CHECK_EQ(run_child(load_byte, (long)memory[NR - 1]), 0);
	for (int i = 0; i < NR; i += 3)
		CHECK_EQ(munmap(memory[i], (size_t)PAGES(i % 2 ? 2 : 1)), 0);
	CHECK_EQ(run_child(load_byte, (long)memory[1]), 0);
	check_killed(load_byte, (long)memory[3]);
}

static void test_offset(void)
{
	int fd = open_file("f", PAGES(10), O_RDWR);
	char *memory = mmap(NULL, (size_t)PAGES(3), PROT_READ | PROT_WRITE, MAP_SHARED, fd, PAGES(5));

	CHECK(memory);
	CHECK(pattern_matches(memory, (size_t)PAGES(3), (uint64_t)PAGES(5), 1));
	pattern_fill(memory + PAGES(1), PAGE_BYTES, 0, 8);
	CHECK_EQ(munmap(memory, (size_t)PAGES(3)), 0);
	CHECK_EQ(lseek(fd, PAGES(6), SEEK_SET), PAGES(6));
	CHECK_EQ(read(fd, buffer, PAGE_BYTES), PAGE_BYTES);
	CHECK(pattern_matches(buffer, PAGE_BYTES, 0, 8));
	/* Into a hole: its blocks appear. */
	int sparse = (int)CHECK_OK(creat("s"));
	CHECK_EQ(ftruncate(sparse, PAGES(30)), 0);
	memory = mmap(NULL, (size_t)PAGES(4), PROT_READ | PROT_WRITE, MAP_SHARED, sparse, PAGES(20));
	CHECK(memory);
	CHECK(all_zero(memory, PAGES(4)));
	pattern_fill(memory, (size_t)PAGES(4), 0, 2);
	CHECK_EQ(munmap(memory, (size_t)PAGES(4)), 0);
	CHECK_OK(kdebug(KDEBUG_DROP_CACHES, 0));
	CHECK_EQ(lseek(sparse, PAGES(20), SEEK_SET), PAGES(20));
	CHECK_EQ(read_full(sparse, buffer, (size_t)PAGES(5)), PAGES(5));
	CHECK(pattern_matches(buffer, (size_t)PAGES(4), 0, 2) && all_zero(buffer + PAGES(4), PAGES(1)));
}

const struct test tests_mmap[] = {
    {"mmap-private", test_private_file, 0, "a file's private mapping, written without the file's knowing"},
    {"mmap-read-only", test_read_only, 0, "rights of mappings"},
    {"mmap-shared", test_shared_file, 0, "writes reach the file, the file's reach the mapping"},
    {"mmap-children", test_shared_with_children, 0, "shared and private mappings across fork"},
    {"mmap-anonymous", test_anonymous, 0, "1 GiB reserved, a little used"},
    {"mmap-partial", test_partial_unmap, 0, "head, tail and middle unmapped"},
    {"mmap-unlinked", test_unlinked_file, 0, "a mapping keeps an unlinked file"},
    {"mmap-left", test_left_mapped, 0, "exit, kill, exec and death with mappings"},
    {"mmap-misuse", test_misuse, 0, "bad lengths, places, rights, files"},
    {"mmap-end", test_beyond_end, 0, "beyond the end of the file, and when it moves"},
    {"mmap-fixed", test_fixed, 0, "at a place of our choice"},
    {"mmap-buffers", test_as_buffers, 0, "read and write between files and mappings"},
    {"mmap-crosswise", test_crosswise, 0, "files read into each other's mappings by four"},
    {"mmap-at-once", test_shared_at_once, 0, "four write one shared mapping among syncs"},
    {"mmap-many", test_many_mappings, 0, "a hundred mappings"},
    {"mmap-offset", test_offset, 0, "from the middle of a file, and into a hole"},
    {NULL, NULL, 0, NULL},
};
