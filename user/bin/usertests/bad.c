/* SPDX-License-Identifier: MIT */
/* System calls with arguments that no careful program would give. None may do more harm than an error. */
#include "tests.h"

static int file_fd, dir_fd, pipe_fds[2];

static void open_some(void)
{
	make_file("f", 10000, 1);
	file_fd = (int)CHECK_OK(open("f", O_RDWR));
	dir_fd = (int)CHECK_OK(open(".", O_RDONLY));
	CHECK_EQ(pipe(pipe_fds), 0);
	CHECK_EQ(write(pipe_fds[1], buffer, 50), 50);
}

static void test_bad_buffers(void)
{
	struct freemem info;

	open_some();
	for (int i = 0; i < nr_bad_addresses; i++) {
		void *bad = (void *)bad_addresses[i];
		CHECK_EQ(lseek(file_fd, 0, SEEK_SET), 0);
		CHECK_EQ(read(file_fd, bad, 100), -EFAULT);
		CHECK_EQ(write(file_fd, bad, 100), -EFAULT);
		CHECK_EQ(lseek(file_fd, 0, SEEK_CUR), 0);
		CHECK_EQ(read(pipe_fds[0], bad, 10), -EFAULT);
		CHECK_EQ(write(pipe_fds[1], bad, 10), -EFAULT);
		CHECK_EQ(fstat(file_fd, bad), -EFAULT);
		CHECK_EQ(statfs("/", bad), -EFAULT);
		CHECK_EQ(getdents(dir_fd, bad, 500), -EFAULT);
		CHECK_EQ(pipe(bad), -EFAULT);
		CHECK_EQ(freemem(bad, NULL, 0), -EFAULT);
		CHECK_EQ(freemem_read(&info), 0);
		/* With tracing off there are no events to copy anywhere. */
		if (bad && info.trace_recorded)
			CHECK_EQ(freemem(&info, bad, 1000), -EFAULT);
		CHECK_EQ(mark(0, bad), -EFAULT);
	}
	check_file("f", 10000, 1);
	CHECK_EQ(read(pipe_fds[0], buffer, 100), 50);
}

static void test_bad_strings(void)
{
	char *end = sbrk(0);
	CHECK(sbrk((long)(-(uintptr_t)end & (PAGE_BYTES - 1)) + (long)PAGE_BYTES));
	end = sbrk(0);
	memset(end - 100, 's', 100);
	for (int i = -1; i < nr_bad_addresses; i++) {
		/* The first one is a string without an end, at the end of memory. */
		char *bad = i < 0 ? end - 50 : (char *)bad_addresses[i];
		CHECK_EQ(open(bad, O_RDWR | O_CREAT), -EFAULT);
		CHECK_EQ(mkdir(bad), -EFAULT);
		CHECK_EQ(mknod(bad, S_IFCHR, 0x100), -EFAULT);
		CHECK_EQ(link(bad, "x"), -EFAULT);
		CHECK_EQ(link("/README", bad), -EFAULT);
		CHECK_EQ(unlink(bad), -EFAULT);
		CHECK_EQ(rmdir(bad), -EFAULT);
		CHECK_EQ(chdir(bad), -EFAULT);
		CHECK_EQ(statfs(bad, (struct statfs *)buffer), -EFAULT);
	}
	/* One that ends with the last byte there is. */
	end[-1] = 0;
	CHECK_EQ(open(end - 50, O_RDONLY), -ENOENT);
	make_file(end - 50, 10, 1);
	check_file(end - 50, 10, 1);
}

static void test_straddling(void)
{
	/* Half of the buffer is there. What can be moved may be; what cannot must not be claimed. */
	char *end = sbrk(0);
	CHECK(sbrk((long)(-(uintptr_t)end & (PAGE_BYTES - 1)) + (long)PAGE_BYTES));
	end = sbrk(0);
	open_some();
	char *half = end - 100;
	long n = read(file_fd, half, 200);
	CHECK(n == -EFAULT || (n >= 0 && n <= 100));
	CHECK_EQ(lseek(file_fd, 0, SEEK_CUR), MAX(n, 0));
	CHECK_EQ(lseek(file_fd, 0, SEEK_SET), 0);
	pattern_fill(half, 100, 0, 1);
	n = write(file_fd, half, 200);
	CHECK(n == -EFAULT || (n >= 0 && n <= 100));
	CHECK_EQ(lseek(file_fd, 0, SEEK_SET), 0);
	n = write(pipe_fds[1], half, 200);
	CHECK(n == -EFAULT || (n >= 0 && n <= 100));
	n = read(pipe_fds[0], half, 200);
	CHECK(n == -EFAULT || (n >= 0 && n <= 150));
	CHECK_EQ(fstat(file_fd, (struct stat *)(end - 8)), -EFAULT);
	CHECK_EQ(pipe((int *)(end - 4)), -EFAULT);
	*(uint32_t *)(end - 4) = sizeof(struct freemem);
	CHECK_EQ(freemem((struct freemem *)(end - 4), NULL, 0), -EFAULT);
	pattern_fill(half, 100, 0, 1);
	check_file("f", 10000, 1);
	/* A file's pages across a hole: one page is there, the next is not. */
	n = read(file_fd, end - 4096 - 100, 9000);
	CHECK(n == -EFAULT || n <= 4196);
}

static void test_huge_lengths(void)
{
	static const unsigned long lengths[] = {
	    1UL << 31, 1UL << 32, (1UL << 32) + 1, 1UL << 38, 1UL << 40, 1UL << 62,
	    1UL << 63, -1UL,      -4096UL,         -100UL,
	};

	open_some();
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		CHECK_EQ(lseek(file_fd, 0, SEEK_SET), 0);
		long n = read(file_fd, buffer, lengths[i]);
		CHECK(n < 0 || n == 10000);
		CHECK_EQ(lseek(file_fd, 0, SEEK_SET), 0);
		/* The buffer ends long before the length does: the page after our memory stops it. */
		int fd = (int)CHECK_OK(creat("g"));
		n = write(fd, sbrk(0), lengths[i]);
		CHECK(n <= (long)PAGE_BYTES);
		close(fd);
		n = read(pipe_fds[0], buffer, lengths[i]);
		CHECK(n < 0 || n <= 50);
		if (n > 0)
			CHECK_EQ(write(pipe_fds[1], buffer, (size_t)n), n);
		CHECK(write(pipe_fds[1], sbrk(0), lengths[i]) <= (long)PAGE_BYTES);
		n = getdents(dir_fd, buffer, lengths[i]);
		CHECK(n < 0 || n < 4096);
	}
	CHECK_EQ(unlink("g"), 0);
}

/* The position in a directory is whatever the reader makes it. */
static void test_bad_positions(void)
{
	static const char *const dirs[] = {"/", "/dev", "/proc", "/proc/self"};

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		int fd = (int)CHECK_OK(open(dirs[i], O_RDONLY | O_DIRECTORY));

		for (long at = 0; at < 200; at++) {
			CHECK_EQ(lseek(fd, at, SEEK_SET), at);
			CHECK_OK(getdents(fd, buffer, 4000));
		}
		for (int shift = 8; shift < 63; shift++) {
			long at = (1L << shift) + 17;

			CHECK_EQ(lseek(fd, at, SEEK_SET), at);
			CHECK_OK(getdents(fd, buffer, 4000));
		}
		close(fd);
	}
}

static void test_bad_descriptors(void)
{
	static const int fds[] = {-1, -2, NOFILE, NOFILE + 1, 1000, 0x7fffffff, -0x7fffffff - 1, NOFILE - 1};
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		CHECK_EQ(close(fds[i]), -EBADF);
		CHECK_EQ(read(fds[i], buffer, 1), -EBADF);
		CHECK_EQ(write(fds[i], buffer, 1), -EBADF);
		CHECK_EQ(lseek(fds[i], 0, SEEK_SET), -EBADF);
		CHECK_EQ(dup(fds[i]), -EBADF);
		CHECK_EQ(fstat(fds[i], &st), -EBADF);
		CHECK_EQ(getdents(fds[i], buffer, 100), -EBADF);
		CHECK_EQ(fsync(fds[i]), -EBADF);
		CHECK_EQ(ftruncate(fds[i], 0), -EBADF);
	}
	/* All three standard ones may be closed; a process without any still lives. */
	int pid = fork();
	if (pid == 0) {
		for (int fd = 0; fd < 3; fd++)
			CHECK_EQ(close(fd), 0);
		write(1, "nobody sees this\n", 17);
		exit(open("/README", O_RDONLY));
	}
	CHECK_EQ(finish(pid), 0);
}

static bool is_call(long number)
{
	switch (number) {
#define SYSCALL(ev_number, ev_name, ev_nargs) case ev_number:
#include <uapi/syscalls.def>
#undef SYSCALL
		return true;
	default:
		return false;
	}
}

static void test_bad_numbers(void)
{
	static const long numbers[] = {
	    1000, 1L << 31, 1L << 32, -1, 0x7fffffffffffffff, -0x7fffffffffffffff - 1, 0x100000005};

	for (long number = 0; number < 130; number++)
		if (!is_call(number))
			CHECK_EQ(syscall(number, 1L, 2L, 3L), -ENOSYS);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		CHECK_EQ(syscall(numbers[i], 1L, 2L, 3L), -ENOSYS);
	CHECK_EQ(kdebug(0, 0), -EINVAL);
	CHECK_EQ(kdebug(99, 0), -EINVAL);
	CHECK_EQ(kdebug(-1, 0), -EINVAL);
	CHECK_EQ(mark(2, "x"), -EINVAL);
	struct freemem info = {.size = 2};
	CHECK_EQ(freemem(&info, NULL, 0), -EINVAL);
}

/* Left out: calls that end the process, the machine or the test, that wait for ever, or that write into the trace. */
static bool may_be_tried(long number)
{
	static const long left_out[] = {SYS_exit,  SYS_fork, SYS_kill, SYS_poweroff, SYS_kdebug, SYS_exec,
					SYS_sleep, SYS_wait, SYS_read, SYS_pipe,     SYS_mark};

	for (size_t i = 0; i < ARRAY_SIZE(left_out); i++)
		if (number == left_out[i])
			return false;
	return true;
}

static long random_argument(uint64_t *state)
{
	switch (random_next(state) % 6) {
	case 0:
		return (long)(random_next(state) % 40);
	case 1:
		return (long)bad_addresses[random_next(state) % (uint64_t)nr_bad_addresses];
	case 2:
		return (long)(buffer + random_next(state) % sizeof(buffer));
	case 3:
		return -(long)(random_next(state) % 5000);
	case 4:
		return (long)(random_next(state) % 100000);
	default:
		return (long)random_next(state);
	}
}

static void make_random_calls(long seed)
{
	uint64_t state = (uint64_t)seed;

	make_file("f", 5000, 1);
	for (int fd = 0; fd < 12; fd++)
		open(fd % 2 ? "f" : ".", fd % 4 == 1 ? O_RDWR : O_RDONLY);
	/* Nothing must be read from the console, nor written to it. */
	for (int fd = 0; fd < 3; fd++) {
		close(fd);
		open("/dev/null", O_RDWR);
	}
	for (int i = 0; i < 600; i++) {
		long number = (long)(random_next(&state) % 70);
		if (may_be_tried(number))
			syscall(number, random_argument(&state), random_argument(&state),
				random_argument(&state), random_argument(&state));
	}
}

static void test_random_calls(void)
{
	for (int seed = 1; seed <= 12; seed++) {
		int status = run_child(make_random_calls, seed);
		CHECK(status == 0 || status == KILLED);
	}
}

static void test_closed_console(void)
{
	/* A program run without descriptors is only that. */
	char *const argv[] = {"echo", "hello", NULL};

	int pid = fork();
	if (pid == 0) {
		for (int fd = 0; fd < NOFILE; fd++)
			close(fd);
		exec("/bin/echo", argv);
		exit(9);
	}
	int status = finish(pid);
	CHECK(status == 1);
}

const struct test tests_bad[] = {
    {"bad-buffers", test_bad_buffers, 0, "bad addresses for every buffer"},
    {"bad-strings", test_bad_strings, 0, "bad addresses for every path; strings without an end"},
    {"bad-straddling", test_straddling, 0, "buffers that run past the end of memory"},
    {"bad-lengths", test_huge_lengths, 0, "lengths up to 2^64 - 1"},
    {"bad-positions", test_bad_positions, 0, "positions in directories where nothing begins"},
    {"bad-descriptors", test_bad_descriptors, 0, "descriptors that are none"},
    {"bad-numbers", test_bad_numbers, 0, "system calls that are none"},
    {"bad-random", test_random_calls, 0, "random calls with random arguments"},
    {"bad-no-console", test_closed_console, 0, "a program without any descriptor"},
    {NULL, NULL, 0, NULL},
};
