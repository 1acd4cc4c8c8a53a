/* SPDX-License-Identifier: MIT */
/*
 * failsweep [-q] [-l] [NAME...]: walks the error paths of every scenario and counts.
 *
 *   -q   audits once a scenario, not after every attempt      -l   only lists the scenarios
 *
 * After each attempt: its files are removed, the caches dropped, and free pages, disk blocks and inodes counted; then an
 * audit. The first attempt of a scenario has nothing refused: it must succeed, and shows that what comes after is
 * due to the refusals. A scenario ends with the first attempt that did not come as far as the n-th allocation.
 *
 *   scenario               failures  errors successes  killed  panics  lost  audit
 *   fork                         17      17         0       2       0     0  clean
 *   failsweep: 60 scenarios, 900 failures injected, 0 panics, 0 pages leaked
 *
 * killed counts the errors that were the death of the process, as a refused page is for one that touches it. The status
 * is 0 only if every scenario ended as it must, without a leak.
 */
#include "books.h"
#include "failsweep.h"

#define SETTLE_MS 1000
#define ATTEMPTS_MAX 3000
#define SWEEP_DIR "/tmp/failsweep"

static const struct scenario *const groups[] = {
    process_scenarios, memory_scenarios, mmap_scenarios, file_scenarios, name_scenarios, read_scenarios,
};

struct tally {
	long failures, errors, successes, killed, lost, findings;
	bool wrong;
};

static bool quick;
static int nr_names;
static char **names;
static struct books before;
static long known_findings, nr_failures, nr_lost, nr_wrong;

/* ---- one attempt ---- */

/* In its own process: the status says how it ended. nth 0: nothing is refused; next: see nth_set. */
static void __attribute__((noreturn)) attempt(const struct scenario *scenario, long nth, long next)
{
	int flags = ENDED;

	CHECK_OK(mkdir(SWEEP_DIR));
	CHECK_OK(chdir(SWEEP_DIR));
	nth_open();
	if (scenario->prepare)
		scenario->prepare();
	if (!(scenario->flags & KEEPS_CACHE))
		CHECK_OK(kdebug(KDEBUG_DROP_CACHES, 0));
	books_touch_image();
	nth_set(nth, next);
	long result = scenario->act();
	long left = nth_left();
	if (nth > 0 && left == 0)
		flags |= INJECTED;
	if (nth > 0 && left <= next)
		flags |= FIRST;
	nth_set(0, 0);
	if (result < 0 || (scenario->wanted && result != scenario->wanted))
		flags |= ERROR;
	if (flags & ERROR && !(flags & (INJECTED | FIRST)))
		FAIL("%s gives %ld though nothing was refused", scenario->name, result);
	if (scenario->check)
		scenario->check(result);
	exit(flags);
}

static void look_for_losses(const struct scenario *scenario, long nth, bool audited, struct tally *tally)
{
	struct books after;
	long findings;

	bool settled = books_settle(&after, &before, SWEEP_DIR, SETTLE_MS);
	tally->lost += (long)(before.pages - after.pages);
	if (!settled) {
		printf("  %s: after failure %ld: leaked %ld pages, %ld blocks, %ld inodes\n", scenario->name,
		       nth, (long)(before.pages - after.pages), (long)(before.blocks - after.blocks),
		       (long)(before.inodes - after.inodes));
		tally->wrong = audited = true;
	}
	before = after;
	if (!audited)
		return;
	findings = books_audit();
	if (findings == known_findings)
		return;
	printf("  %s: after failure %ld: %ld findings\n", scenario->name, nth, findings - known_findings);
	books_print_audit();
	tally->wrong = true;
	tally->findings += findings - known_findings;
	if (findings >= 0)
		known_findings = findings;
	books_take(&before);
}

/* False: the scenario is through. */
static bool count_status(const struct scenario *scenario, long nth, int status, struct tally *tally)
{
	bool killed = status == KILLED && nth > 0 && scenario->flags & MAY_DIE;

	if (!killed && (status == KILLED || !(status & ENDED) || status & BROKEN)) {
		printf("  %s: failure %ld: status %d%s\n", scenario->name, nth, status,
		       status == KILLED ? " (killed)" : "");
		tally->wrong = true;
		return nth > 0 && tally->failures < ATTEMPTS_MAX && ++tally->failures;
	}
	if (!killed && !(status & INJECTED))
		return nth == 0;
	tally->failures++;
	tally->killed += killed;
	if (killed || status & ERROR)
		tally->errors++;
	else
		tally->successes++;
	return true;
}

/* A panic would have been the end of the machine: behind a row that is printed there was none. */
static void print_row(const char *name, const struct tally *tally)
{
	printf("%-22s %8ld %7ld %9ld %7ld %7d %5ld  %s%s\n", name, tally->failures, tally->errors,
	       tally->successes, tally->killed, 0, tally->lost, tally->findings ? "FINDINGS" : "clean",
	       tally->wrong ? "  FAILED" : "");
}

/* The attempt's status. */
static int try(const struct scenario *scenario, long nth, long next)
{
	int status = 0, pid = fork();

	if (pid == 0)
		attempt(scenario, nth, next);
	if (pid < 0 || wait_pid(pid, &status) != pid)
		die("failsweep: %s: no process for the attempt", scenario->name);
	return status;
}

/* The nth refused, and a second one after it: the next, the one after that, and so on. False: there is no nth. */
static bool sweep_second(const struct scenario *scenario, long nth, struct tally *tally)
{
	int status;
	bool more = true;

	for (long next = 1; more; next++) {
		status = try(scenario, nth, next);
		more = count_status(scenario, nth, status, tally) && next < ATTEMPTS_MAX;
		look_for_losses(scenario, nth, !quick || !more, tally);
	}
	return status == KILLED || status & FIRST;
}

static void sweep(const struct scenario *scenario)
{
	struct tally tally = {0};
	bool more = true;

	mark(0, scenario->name);
	for (long nth = 0; more; nth++) {
		int status = try(scenario, nth, 0);

		more = nth < ATTEMPTS_MAX && count_status(scenario, nth, status, &tally);
		tally.wrong |= nth == ATTEMPTS_MAX;
		look_for_losses(scenario, nth, !quick || !more, &tally);
	}
	for (long nth = 1;
	     scenario->flags & TWICE && nth < ATTEMPTS_MAX && sweep_second(scenario, nth, &tally);)
		nth++;
	mark(1, scenario->name);
	print_row(scenario->name, &tally);
	nr_failures += tally.failures;
	nr_lost += tally.lost;
	nr_wrong += tally.wrong;
}

/* ---- all of them ---- */

/* What exec's scenarios start: how far the injection came, for the attempt's parent. */
static int probe_main(char **argv)
{
	nth_fd = (int)parse_number(argv[2]);
	return ENDED | (nth_left() == 0 ? INJECTED : 0);
}

/* Everything that this process will touch is resident and its own before the first count. */
static void warm_up(void)
{
	free(read_file("/proc/audit", NULL));
	remove_tree(SWEEP_DIR);
	for (int i = 0; i < 2; i++) {
		int pid = fork();
		if (pid == 0)
			exit(0);
		books_touch_image();
		wait_pid(pid, NULL);
		books_take(&before);
	}
	known_findings = MAX(books_audit(), 0);
}

static bool is_wanted(const struct scenario *scenario)
{
	for (int i = 0; i < nr_names; i++)
		if (strcmp(names[i], scenario->name) == 0)
			return true;
	return nr_names == 0 && !(scenario->flags & ONLY_NAMED);
}

int main(int argc, char **argv)
{
	int i = 1, nr_scenarios = 0;
	bool list = false;

	if (argc > 2 && strcmp(argv[1], "--probe") == 0)
		return probe_main(argv);
	for (; i < argc && argv[i][0] == '-'; i++) {
		quick |= strcmp(argv[i], "-q") == 0;
		list |= strcmp(argv[i], "-l") == 0;
	}
	names = argv + i;
	nr_names = argc - i;
	if (!list) {
		warm_up();
		printf("%-22s %8s %7s %9s %7s %7s %5s  %s\n", "scenario", "failures", "errors", "successes",
		       "killed", "panics", "lost", "audit");
	}
	for (size_t group = 0; group < ARRAY_SIZE(groups); group++) {
		for (const struct scenario *scenario = groups[group]; scenario->name; scenario++) {
			if (!is_wanted(scenario))
				continue;
			nr_scenarios++;
			if (list)
				printf("%s\n", scenario->name);
			else
				sweep(scenario);
		}
	}
	if (list)
		return 0;
	printf("failsweep: %d scenarios, %ld failures injected, 0 panics, %ld pages leaked\n", nr_scenarios,
	       nr_failures, nr_lost);
	if (nr_wrong)
		printf("failsweep: %ld scenarios FAILED\n", nr_wrong);
	return nr_wrong > 0 || nr_scenarios == 0;
}
