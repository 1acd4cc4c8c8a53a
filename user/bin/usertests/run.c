/* SPDX-License-Identifier: MIT */
/*
 * The main function of usertests, kalloctest, cowtest, lazytest and mmaptest: runs tests and counts. Each program's
 * groups.c says which tests it has.
 *
 * PROGRAM [-q] [-l] [-v] [-r TIMES] [NAME...]
 *
 *   -q   leave out the slow ones       -l   only list them
 *   -v   say which test begins         -r   run the whole selection so many times
 *
 * Around each test, in this order: the caches are dropped and the free pages counted; a mark in the trace; the test in
 * a child; a mark; its leavings in /tmp removed; caches dropped and pages counted again; an audit. The two counts are
 * taken in the same state of this process (all its pages resident, see warm_up), so that the difference is what the
 * kernel lost. Something may still be on its way out (a grandchild that init has not yet waited for): a difference is
 * only believed once it stays for SETTLE_MS.
 *
 * One line a test:
 *   [ 3/70] test NAME ....... OK   before 27411 after 27411 leaked 0 audit clean
 * and the sums in the last two:
 *   usertests: 70 passed, 0 failed, 0 pages leaked
 *   ALL TESTS PASSED
 */
#include "books.h"
#include "tests.h"

#define SETTLE_MS 1000
#define NAME_COLUMN 22

static char test_dir[40];
static bool quick, verbose;
static int nr_names;
static char **names;
static int nr_passed, nr_failed;
static long nr_lost, known_findings;

/* The test itself, in its child. */
static int run_in_child(const struct test *test)
{
	int status = 12345;
	int pid = fork();

	if (pid < 0) {
		fprintf(2, "  fork: %s\n", error_text(pid));
		return 1;
	}
	if (pid == 0) {
		if (mkdir(test_dir) < 0 || chdir(test_dir) < 0)
			die("  cannot make %s", test_dir);
		test->run();
		exit(0);
	}
	wait_pid(pid, &status);
	return status;
}

static void print_line(const struct test *test, int number, int total, bool good, const struct books *before,
		       const struct books *after, long new_findings, long time_ms)
{
	static const char dots[] = "..........................................";
	int digits = total > 99 ? 3 : total > 9 ? 2 : 1;
	int pad = MAX(NAME_COLUMN - (int)strlen(test->name), 3);
	char verdict[32] = "audit clean";

	if (new_findings < 0)
		snprintf(verdict, sizeof(verdict), "audit busy");
	else if (new_findings > 0)
		snprintf(verdict, sizeof(verdict), "audit %ld findings", new_findings);
	printf("[%*d/%d] test %s %.*s %s before %lu after %lu leaked %ld %s (%ld ms)\n", digits, number,
	       total, test->name, pad, dots, good ? "OK  " : "FAILED", before->pages, after->pages,
	       (long)(before->pages - after->pages), verdict, time_ms);
}

static void run_test(const struct test *test, int number, int total)
{
	struct books before, after;
	long begin = uptime();

	if (verbose)
		printf("[%d/%d] %s: %s\n", number, total, test->name, test->what);
	books_take(&before);
	mark(0, test->name);
	int status = run_in_child(test);
	mark(1, test->name);
	books_settle(&after, &before, test_dir, SETTLE_MS);
	long findings = books_audit();

	long new_findings = findings < 0 ? findings : findings - known_findings;
	long lost = (long)(before.pages - after.pages);
	bool disk_same = before.blocks == after.blocks && before.inodes == after.inodes;
	bool good = status == 0 && lost == 0 && disk_same && new_findings == 0;
	print_line(test, number, total, good, &before, &after, new_findings, uptime() - begin);
	if (!disk_same)
		printf("  disk: leaked %ld blocks, %ld inodes\n", (long)(before.blocks - after.blocks),
		       (long)(before.inodes - after.inodes));
	if (status != 0)
		printf("  status %d%s\n", status, status == KILLED ? " (killed)" : "");
	if (new_findings > 0)
		books_print_audit();
	if (findings >= 0)
		known_findings = findings;
	nr_lost += lost;
	nr_passed += good;
	nr_failed += !good;
}

static bool is_test(const char *name)
{
	for (const struct test *const *group = test_groups; *group; group++)
		for (const struct test *test = *group; test->name; test++)
			if (strcmp(name, test->name) == 0)
				return true;
	return false;
}

static bool is_wanted(const struct test *test)
{
	if (nr_names == 0)
		return !(test->flags & TEST_CANARY) && !(quick && test->flags & TEST_SLOW);
	for (int i = 0; i < nr_names; i++)
		if (strcmp(names[i], test->name) == 0)
			return true;
	return false;
}

/* Calls visit for each wanted test, in order; returns how many there are. */
static int for_each_wanted(void (*visit)(const struct test *test, int number, int total), int total)
{
	int number = 0;

	for (const struct test *const *group = test_groups; *group; group++) {
		for (const struct test *test = *group; test->name; test++) {
			if (!is_wanted(test))
				continue;
			number++;
			if (visit)
				visit(test, number, total);
		}
	}
	return number;
}

static void list_test(const struct test *test, int number, int total)
{
	printf("%-*s %s %s\n", NAME_COLUMN, test->name, test->flags & TEST_SLOW ? "slow " : "quick",
	       test->what);
}

static void do_nothing(void) {}

/* Brings this process into the state in which it stays: all its pages its own, and the paths of a test walked once. */
static void warm_up(void)
{
	static const struct test empty = {"warm-up", do_nothing, 0, "nothing"};
	struct books books;

	books_touch_image();
	remove_tree(test_dir);
	for (int i = 0; i < 2; i++) {
		books_take(&books);
		run_in_child(&empty);
		remove_tree(test_dir);
	}
	known_findings = MAX(books_audit(), 0);
	free(read_file("/proc/audit", NULL)); /* the heap that a report of findings needs */
	if (known_findings)
		printf("%s: the auditor had %ld findings before the first test\n", test_program,
		       known_findings);
}

int main(int argc, char **argv)
{
	long times = 1;
	bool list = false;
	int i = 1;

	snprintf(test_dir, sizeof(test_dir), "/tmp/%s", test_program);
	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "-q") == 0)
			quick = true;
		else if (strcmp(argv[i], "-l") == 0)
			list = true;
		else if (strcmp(argv[i], "-v") == 0)
			verbose = true;
		else if (strcmp(argv[i], "-r") == 0 && i + 1 < argc)
			times = parse_number(argv[++i]);
		else
			die("usage: %s [-q] [-l] [-v] [-r TIMES] [NAME...]", test_program);
	}
	names = argv + i;
	nr_names = argc - i;
	int total = for_each_wanted(list ? list_test : NULL, 0);
	if (list)
		return 0;
	for (int k = 0; k < nr_names; k++)
		if (!is_test(names[k]))
			die("%s: %s is not a test; `%s -l` lists them", test_program, names[k], test_program);
	warm_up();
	for (long round = 0; round < times; round++)
		for_each_wanted(run_test, total);
	printf("%s: %d passed, %d failed, %ld pages leaked\n", test_program, nr_passed, nr_failed, nr_lost);
	bool good = nr_failed == 0 && nr_lost == 0;
	if (good)
		printf("ALL TESTS PASSED\n");
	return !good;
}
