/* SPDX-License-Identifier: MIT */
/* Pipes. */
#include "tests.h"

static int ends[2];

static void send_pattern(long size_bytes)
{
	static const size_t chunks[] = {1, 7, 100, 511, 512, 1000, 4095, 4096, 4097, 9999};
	long done = 0;

	close(ends[0]);
	for (int i = 0; done < size_bytes; i++) {
		long n = MIN((long)chunks[i % (int)ARRAY_SIZE(chunks)], size_bytes - done);
		pattern_fill(buffer, (size_t)n, (uint64_t)done, 9);
		CHECK_EQ(write_full(ends[1], buffer, (size_t)n), n);
		done += n;
	}
}

/* Everything up to the end of file, in reads of odd sizes; it must be the pattern. */
static long receive_pattern(void)
{
	long done = 0, n;

	for (size_t size = 1; (n = CHECK_OK(read(ends[0], buffer, size))) > 0; size = size * 3 % 10007 + 1) {
		if (!pattern_matches(buffer, (size_t)n, (uint64_t)done, 9))
			FAIL("wrong bytes near %ld", done);
		done += n;
	}
	return done;
}

static void transfer(long size_bytes)
{
	CHECK_EQ(pipe(ends), 0);
	int pid = start(send_pattern, size_bytes);
	close(ends[1]);
	CHECK_EQ(receive_pattern(), size_bytes);
	close(ends[0]);
	CHECK_EQ(finish(pid), 0);
}

static void test_transfer(void)
{
	transfer(1);
	transfer(4096);
	transfer(50001);
}

static void test_large_transfer(void)
{
	transfer(2 * 1024 * 1024);
}

static void test_closed_ends(void)
{
	char c = 'x';

	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(write(ends[1], &c, 1), 1);
	close(ends[1]);
	CHECK_EQ(read(ends[0], &c, 1), 1);
	CHECK_EQ(read(ends[0], &c, 1), 0);
	CHECK_EQ(read(ends[0], &c, 1), 0);
	close(ends[0]);

	CHECK_EQ(pipe(ends), 0);
	close(ends[0]);
	CHECK_EQ(write(ends[1], &c, 1), -EPIPE);
	close(ends[1]);
	CHECK_EQ(write(ends[1], &c, 1), -EBADF);
}

static void test_misuse(void)
{
	struct stat st;
	char c = 'x';

	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(read(ends[1], &c, 1), -EBADF);
	CHECK_EQ(write(ends[0], &c, 1), -EBADF);
	CHECK_EQ(lseek(ends[0], 0, SEEK_SET), -ESPIPE);
	CHECK(ftruncate(ends[1], 0) < 0);
	CHECK(getdents(ends[0], buffer, 100) < 0);
	CHECK(fsync(ends[1]) <= 0);
	CHECK_EQ(fstat(ends[0], &st), 0);
	CHECK_EQ(st.st_mode & S_IFMT, S_IFIFO);
	CHECK_EQ(read(ends[0], &c, 0), 0);
	CHECK_EQ(write(ends[1], &c, 0), 0);
	int next = dup(0);
	close(next);
	for (int i = 0; i < nr_bad_addresses; i++)
		CHECK_EQ(pipe((int *)bad_addresses[i]), -EFAULT);
	/* A pipe that could not be told of is not left open. */
	CHECK_EQ(dup(0), next);
}

static void fill_until_killed(long unused)
{
	close(ends[0]);
	for (;;)
		write_full(ends[1], buffer, 4096);
}

static void drain_until_killed(long unused)
{
	close(ends[1]);
	while (read(ends[0], buffer, 4096) > 0)
		;
	FAIL("the pipe ended");
}

static void test_kill_while_blocked(void)
{
	CHECK_EQ(pipe(ends), 0);
	/* A writer at a full pipe, whose reader does not read. */
	int pid = start(fill_until_killed, 0);
	sleep_ms(10);
	CHECK_EQ(kill(pid), 0);
	CHECK_EQ(finish(pid), KILLED);
	close(ends[0]);
	close(ends[1]);
	/* A reader at an empty one. */
	CHECK_EQ(pipe(ends), 0);
	pid = start(drain_until_killed, 0);
	sleep_ms(10);
	CHECK_EQ(kill(pid), 0);
	CHECK_EQ(finish(pid), KILLED);
}

static void write_to_broken(long unused)
{
	long result;

	close(ends[0]);
	while ((result = write(ends[1], buffer, sizeof(buffer))) > 0)
		;
	CHECK_EQ(result, -EPIPE);
}

static void test_reader_leaves(void)
{
	CHECK_EQ(pipe(ends), 0);
	int pid = start(write_to_broken, 0);
	close(ends[1]);
	CHECK(read_full(ends[0], buffer, 10000) == 10000);
	sleep_ms(5);
	close(ends[0]);
	CHECK_EQ(finish(pid), 0);
}

static void test_full(void)
{
	long capacity = 0;
	volatile long *written =
	    mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	/* A page fits; at the next byte the child blocks. */
	CHECK(written);
	*written = 0; /* there before the fork, and so shared */
	CHECK_EQ(pipe(ends), 0);
	int pid = fork();
	if (pid == 0) {
		for (;; ++*written)
			CHECK_EQ(write(ends[1], "f", 1), 1);
	}
	while (*written < (long)PAGE_BYTES)
		yield();
	sleep_ms(20);
	CHECK_EQ(*written, PAGE_BYTES);
	kill(pid);
	CHECK_EQ(finish(pid), KILLED);
	close(ends[1]);
	for (long n; (n = CHECK_OK(read(ends[0], buffer, sizeof(buffer)))) > 0; capacity += n)
		CHECK_EQ(buffer[n - 1], 'f');
	CHECK_EQ(capacity, PAGE_BYTES);
}

static void test_many(void)
{
	int fds[NOFILE][2], made = 0, err = 0;

	while (made < NOFILE && (err = pipe(fds[made])) == 0)
		made++;
	CHECK_EQ(err, -EMFILE);
	CHECK(made >= 10);
	for (int i = 0; i < made; i++)
		CHECK_EQ(write(fds[i][1], &i, sizeof(i)), sizeof(i));
	for (int i = 0; i < made; i++) {
		int got = -1;
		CHECK_EQ(read(fds[i][0], &got, sizeof(got)), sizeof(got));
		CHECK_EQ(got, i);
	}
	for (int i = 0; i < made; i += 2) {
		close(fds[i][0]);
		close(fds[i][1]);
	}
	/* The rest is closed by exit, with bytes still in it. */
	for (int i = 1; i < made; i += 2)
		CHECK_EQ(write(fds[i][1], buffer, 100), 100);
}

static void write_tagged(long tag)
{
	close(ends[0]);
	memset(buffer, (int)tag, 16);
	for (int i = 0; i < 500; i++)
		CHECK_EQ(write_full(ends[1], buffer, 16), 16);
}

static void test_several_writers(void)
{
	long counts[4] = {0}, n;

	CHECK_EQ(pipe(ends), 0);
	for (int i = 0; i < 4; i++)
		start(write_tagged, i);
	close(ends[1]);
	while ((n = CHECK_OK(read(ends[0], buffer, 999))) > 0)
		for (long i = 0; i < n; i++) {
			CHECK(buffer[i] >= 0 && buffer[i] < 4);
			counts[(int)buffer[i]]++;
		}
	for (int i = 0; i < 4; i++)
		CHECK_EQ(counts[i], 500 * 16);
	finish_all(4);
}

static void pass_on(long left)
{
	/* A ring of processes hands a number on and adds one each time. */
	long value;

	int fds[2];
	if (left == 0)
		return;
	CHECK_EQ(pipe(fds), 0);
	int pid = fork();
	if (pid == 0) {
		CHECK_EQ(read(fds[0], &value, sizeof(value)), sizeof(value));
		CHECK_EQ(value, left);
		pass_on(left - 1);
		exit(0);
	}
	CHECK_EQ(write(fds[1], &left, sizeof(left)), sizeof(left));
	close(fds[0]);
	close(fds[1]);
	CHECK_EQ(finish(pid), 0);
}

static void test_chain(void)
{
	pass_on(12);
}

const struct test tests_pipe[] = {
    {"pipe-transfer", test_transfer, 0, "bytes arrive in order, in chunks of all sizes"},
    {"pipe-large", test_large_transfer, TEST_SLOW, "2 MiB through a pipe"},
    {"pipe-closed", test_closed_ends, 0, "end of file and broken pipe"},
    {"pipe-misuse", test_misuse, 0, "wrong ends, seeks, bad pointers"},
    {"pipe-full", test_full, 0, "a writer blocks at a full pipe and its bytes are kept"},
    {"pipe-kill", test_kill_while_blocked, 0, "killed while blocked at either end"},
    {"pipe-reader-leaves", test_reader_leaves, 0, "a blocked writer learns that nobody reads"},
    {"pipe-many", test_many, 0, "as many pipes as descriptors, some closed by exit"},
    {"pipe-writers", test_several_writers, 0, "four writers at once"},
    {"pipe-chain", test_chain, 0, "a chain of processes joined by pipes"},
    {NULL, NULL, 0, NULL},
};
