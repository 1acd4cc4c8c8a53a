/* SPDX-License-Identifier: MIT */
/* What several tests need. */
#include "books.h"
#include "tests.h"

#define SETTLE_TRIES 50

char buffer[65536];

const uintptr_t bad_addresses[] = {
    0, /* nothing is mapped there */
    8,
    0x1000,
    0xfff8,       /* just below the program */
    0x2000000000, /* between heap and stack */
    0x3fffffe000,
    0x4000000000, /* first address above the user's half */
    0x80200000,   /* the kernel's physical address */
    0x8000000000,
    0xffffffc000000000, /* the kernel's map of all memory */
    0xffffffc080200000, /* its text */
    0xffffffff00000000, /* its stacks */
    0xfffffffffffffff8,
    0xffffffffffffffff,
};
const int nr_bad_addresses = ARRAY_SIZE(bad_addresses);

void fail(const char *file, int line, const char *fmt, ...)
{
	char text[300];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fprintf(2, "  %s:%d: %s\n", file, line, text);
	exit(1);
}

int start(void (*body)(long arg), long arg)
{
	int pid = fork();

	if (pid < 0)
		FAIL("fork: %s", error_text(pid));
	if (pid == 0) {
		body(arg);
		exit(0);
	}
	return pid;
}

void start_together(int n, void (*body)(long arg), long arg)
{
	int gate[2];
	char c;

	CHECK_EQ(pipe(gate), 0);
	for (int i = 0; i < n; i++) {
		int pid = fork();

		if (pid < 0)
			FAIL("fork: %s", error_text(pid));
		if (pid == 0) {
			close(gate[1]);
			read(gate[0], &c, 1);
			close(gate[0]);
			body(arg);
			exit(0);
		}
	}
	close(gate[0]);
	close(gate[1]);
}

int finish(int pid)
{
	int status = 12345;
	int ended = wait_pid(pid, &status);

	if (ended != pid)
		FAIL("waited for pid %d and got %d", pid, ended);
	return status;
}

int run_child(void (*body)(long arg), long arg)
{
	return finish(start(body, arg));
}

void check_killed(void (*body)(long arg), long arg)
{
	int status = run_child(body, arg);

	if (status != KILLED)
		FAIL("with argument 0x%lx the process should have been killed, but ended with %d", arg,
		     status);
}

void load_byte(long address)
{
	(void)*(volatile char *)address;
}

void store_byte(long address)
{
	*(volatile char *)address = 1;
}

void finish_all(int n)
{
	while (n-- > 0) {
		int status = 12345;
		int pid = wait(&status);
		if (pid < 0 || status != 0)
			FAIL("a child (%d) ended with status %d", pid, status);
	}
}

uint64_t random_next(uint64_t *state)
{
	/* A 64-bit linear congruential step (the multiplier is Knuth's MMIX one), high bits mixed down. */
	*state = *state * 6364136223846793005UL + 1442695040888963407UL;
	return *state ^ (*state >> 29);
}

static unsigned char pattern_byte(uint64_t offset, unsigned seed)
{
	return (unsigned char)(offset ^ (offset >> 8) * 7 ^ (offset >> 16) * 13 ^ seed * 31);
}

void pattern_fill(void *buf, size_t size_bytes, uint64_t offset, unsigned seed)
{
	unsigned char *bytes = buf;

	for (size_t i = 0; i < size_bytes; i++)
		bytes[i] = pattern_byte(offset + i, seed);
}

bool pattern_matches(const void *buf, size_t size_bytes, uint64_t offset, unsigned seed)
{
	const unsigned char *bytes = buf;

	for (size_t i = 0; i < size_bytes; i++)
		if (bytes[i] != pattern_byte(offset + i, seed))
			return false;
	return true;
}

void make_file(const char *path, long size_bytes, unsigned seed)
{
	int fd = (int)CHECK_OK(creat(path));

	for (long done = 0; done < size_bytes;) {
		long n = MIN(size_bytes - done, 4096);
		pattern_fill(buffer, (size_t)n, (uint64_t)done, seed);
		CHECK_EQ(write(fd, buffer, (size_t)n), n);
		done += n;
	}
	CHECK_EQ(close(fd), 0);
}

void check_file(const char *path, long size_bytes, unsigned seed)
{
	int fd = (int)CHECK_OK(open(path, O_RDONLY));
	long done = 0, n;

	while ((n = CHECK_OK(read(fd, buffer, 4096))) > 0) {
		if (!pattern_matches(buffer, (size_t)n, (uint64_t)done, seed))
			FAIL("%s: wrong contents near byte %ld", path, done);
		done += n;
	}
	CHECK_EQ(done, size_bytes);
	close(fd);
}

uint64_t free_pages(void)
{
	struct freemem info;

	CHECK_EQ(freemem_read(&info), 0);
	return info.free;
}

uint64_t settled_pages(void)
{
	/* The audit stops all harts, and says whether one of them was in the middle of taking or giving. */
	for (int tries = 0; tries < SETTLE_TRIES; tries++) {
		CHECK_OK(sync());
		uint64_t pages = free_pages();
		CHECK_OK(books_audit());
		if (free_pages() == pages)
			return pages;
	}
	FAIL("the number of free pages does not settle");
}

uint64_t free_blocks(void)
{
	struct statfs st;

	CHECK_EQ(statfs("/", &st), 0);
	return st.f_bfree;
}

uint64_t free_inodes(void)
{
	struct statfs st;

	CHECK_EQ(statfs("/", &st), 0);
	return st.f_ffree;
}

void check_disk_free(uint64_t blocks, uint64_t inodes)
{
	uint64_t blocks_now = 0, inodes_now = 0;

	for (int tries = 0; tries < 100; tries++) {
		blocks_now = free_blocks();
		inodes_now = free_inodes();
		if (blocks_now == blocks && inodes_now == inodes)
			return;
		sleep_ms(10);
	}
	FAIL("the disk has %lu blocks and %lu inodes free, not %lu and %lu", blocks_now, inodes_now, blocks,
	     inodes);
}

long file_size(const char *path)
{
	struct stat st;
	int err = stat(path, &st);

	return err < 0 ? err : (long)st.st_size;
}
