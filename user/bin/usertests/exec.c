/* SPDX-License-Identifier: MIT */
/* exec: arguments, their limits, and what it refuses. */
#include "tests.h"

/* Runs a program with its output in a pipe; returns its status, the output in buffer (as a string). */
static int run_captured(char *const *argv)
{
	int fds[2];

	CHECK_EQ(pipe(fds), 0);
	int pid = fork();
	if (pid == 0) {
		close(1);
		CHECK_EQ(dup(fds[1]), 1);
		close(fds[0]);
		close(fds[1]);
		exit(exec_program(argv));
	}
	close(fds[1]);
	ssize_t n = CHECK_OK(read_full(fds[0], buffer, sizeof(buffer) - 1));
	buffer[n] = 0;
	close(fds[0]);
	return finish(pid);
}

static void test_arguments(void)
{
	char *const words[] = {"echo", "one", "", "three words here", "'\"\\", "5", NULL};
	char *const none[] = {"echo", NULL};

	CHECK_EQ(run_captured(words), 0);
	CHECK_EQ(strcmp(buffer, "one  three words here '\"\\ 5\n"), 0);
	CHECK_EQ(run_captured(none), 0);
	CHECK_EQ(strcmp(buffer, "\n"), 0);
}

static void test_argument_limits(void)
{
	static char *argv[ARG_MAX_COUNT + 3];
	static char word[ARG_MAX_BYTES + 2];

	/* As many as there may be. */
	for (int i = 0; i < ARG_MAX_COUNT; i++)
		argv[i] = "echo";
	CHECK_EQ(run_captured(argv), 0);
	CHECK_EQ(strlen(buffer), (ARG_MAX_COUNT - 1) * 5);
	argv[ARG_MAX_COUNT] = "echo";
	CHECK_EQ(exec("/bin/echo", argv), -E2BIG);

	/* As long as they may be: strings with their zeros, pointers with their NULL. */
	memset(argv, 0, sizeof(argv));
	argv[0] = "echo";
	argv[1] = word;
	size_t longest = ARG_MAX_BYTES - 5 - 3 * sizeof(char *) - 1;
	memset(word, 'w', longest);
	CHECK_EQ(run_captured(argv), 0);
	CHECK_EQ(strlen(buffer), longest + 1);
	word[longest] = 'w';
	CHECK_EQ(exec("/bin/echo", argv), -E2BIG);
	memset(word, 'w', sizeof(word) - 1);
	CHECK_EQ(exec("/bin/echo", argv), -E2BIG);
}

/* exec must fail with that error and leave this process as it was. */
static void check_refused(const char *path, int wanted)
{
	char *const argv[] = {"x", NULL};
	volatile long on_stack = 0x1234;
	char *heap = sbrk(PAGE_BYTES);

	CHECK(heap);
	memset(heap, 7, PAGE_BYTES);
	CHECK_EQ(exec(path, argv), wanted);
	CHECK_EQ(on_stack, 0x1234);
	CHECK_EQ(heap[PAGE_BYTES - 1], 7);
	CHECK(sbrk(-(long)PAGE_BYTES));
}

static void test_refusals(void)
{
	char long_path[PATH_MAX + 8];

	check_refused("/bin/not-there", -ENOENT);
	check_refused("/not/there", -ENOENT);
	check_refused("/README/x", -ENOTDIR);
	check_refused("/README", -EACCES);
	check_refused("/bin", -EACCES);
	check_refused("/dev/null", -EACCES);
	check_refused("", -ENOENT);
	memset(long_path, 'p', sizeof(long_path));
	long_path[sizeof(long_path) - 1] = 0;
	check_refused(long_path, -ENAMETOOLONG);
}

static void test_bad_argv(void)
{
	char *const good[] = {"true", NULL};

	for (int i = 0; i < nr_bad_addresses; i++) {
		uintptr_t bad = bad_addresses[i];
		char *const bad_string[] = {"true", (char *)bad, NULL};
		CHECK_EQ(exec((char *)bad, good), -EFAULT);
		if (bad)
			CHECK_EQ(exec("/bin/true", (char *const *)bad), -EFAULT);
		if (bad)
			CHECK_EQ(exec("/bin/true", bad_string), -EFAULT);
	}
	/* A string, and a vector, that run into the end of memory. */
	char *end = sbrk(0);
	char *page = sbrk(PAGE_BYTES - (uintptr_t)end % PAGE_BYTES);
	CHECK(page);
	end = sbrk(0);
	memset(page, 'x', (size_t)(end - page));
	CHECK_EQ(exec(end - 10, good), -EFAULT);
	char **vector = (char **)end - 2;
	vector[0] = vector[1] = "true";
	CHECK_EQ(exec("/bin/true", vector), -EFAULT);
}

static void test_files_stay_open(void)
{
	char *const cat[] = {"cat", NULL};

	make_file("input", 5000, 1);
	int fds[2];
	CHECK_EQ(pipe(fds), 0);
	int pid = fork();
	if (pid == 0) {
		close(0);
		CHECK_EQ(open("input", O_RDONLY), 0);
		close(1);
		CHECK_EQ(dup(fds[1]), 1);
		close(fds[0]);
		close(fds[1]);
		exec("/bin/cat", cat);
		exit(1);
	}
	close(fds[1]);
	CHECK_EQ(read_full(fds[0], buffer, sizeof(buffer)), 5000);
	CHECK(pattern_matches(buffer, 5000, 0, 1));
	CHECK_EQ(finish(pid), 0);
}

static void run_many(long rounds)
{
	char *const argv[] = {"true", NULL};

	for (long i = 0; i < rounds; i++)
		CHECK_EQ(run(argv), 0);
}

static void test_exec_at_once(void)
{
	for (int i = 0; i < 4; i++)
		start(run_many, 10);
	finish_all(4);
}

static void test_shell(void)
{
	static char *const scripts[] = {
	    "true && echo yes || echo no",    "false && echo no || echo yes",
	    "echo yes > f; cat < f",          "echo y > f; echo es >> f; wc f | grep -c 2",
	    "(echo yes; echo no) | grep yes", "cat /README | cat | cat | grep -c Pagetrail",
	    "echo yes | (cat | cat)",         "exit 3; echo no",
	    "cd /; ls | grep -c README",
	};
	static const char *const outputs[] = {"yes\n", "yes\n", "yes\n", "1\n", "yes\n",
					      "1\n",   "yes\n", "",      "1\n"};
	static const int statuses[] = {0, 0, 0, 0, 0, 0, 0, 3, 0};

	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
		char *const argv[] = {"sh", "-c", scripts[i], NULL};
		int status = run_captured(argv);
		if (status != statuses[i] || strcmp(buffer, outputs[i]) != 0)
			FAIL("%s: status %d, output %s", scripts[i], status, buffer);
	}
}

const struct test tests_exec[] = {
    {"exec-arguments", test_arguments, 0, "arguments arrive, empty and odd ones too"},
    {"exec-limits", test_argument_limits, 0, "most and longest arguments, and one more"},
    {"exec-refusals", test_refusals, 0, "what is no program is refused and nothing changed"},
    {"exec-bad-argv", test_bad_argv, 0, "bad pointers for path, vector and strings"},
    {"exec-files", test_files_stay_open, 0, "files stay open across exec"},
    {"exec-race", test_exec_at_once, 0, "execs on all harts at once"},
    {"shell", test_shell, 0, "lists, pipes, redirections and statuses of sh"},
    {NULL, NULL, 0, NULL},
};
