/*
 * failsweep [-q] [-l] [NAME...]: walks the error paths of every scenario and counts.
 *
 *   -q   audits once a scenario, not after every attempt      -l   only lists the scenarios
 *
 * After each attempt: its files are removed, the caches dropped, and free pages, disk blocks and inodes counted; then an
 * audit. The first attempt of a scenario has nothing refused: it must succeed, and shows that what comes after is
 * due to the refusals. A scenario ends with the first attempt that did not come as far as the n-th allocation.
 *
 *   scenario               failures  errors successes  killed  lost  audit
 *   fork                         17      17         0       2     0  clean
 *   failsweep: 60 scenarios, 900 failures injected, 0 panics, 0 pages lost
 *
 * killed counts the errors that were the death of the process, as a refused page is for one that touches it. Panics are
 * 0 wherever there is somebody left to print the line.
 */
#include "failsweep.h"

#define SETTLE_MS 1000
#define ATTEMPTS_MAX 3000
#define SWEEP_DIR "/tmp/failsweep"

static const struct scenario *const groups[] = {
    process_scenarios, memory_scenarios, mmap_scenarios, file_scenarios, name_scenarios, read_scenarios,
};

struct sample {
	uint64_t pages, blocks, inodes;
};
struct tally {
	long failures, errors, successes, killed, lost, findings;
	bool wrong;
};

static bool quick;
static int nr_names;
static char **names;
static struct sample before;
static long known_findings, nr_failures, nr_lost, nr_wrong;

static void take_sample(struct sample *sample)
{
	struct freemem info;
	struct statfs st;

	kdebug(KDEBUG_DROP_CACHES, 0);
	if (freemem_read(&info) < 0 || statfs("/", &st) < 0)
		die("failsweep: the machine cannot be counted");
	*sample = (struct sample){info.free, st.f_bfree, st.f_ffree};
}

/* Children of an attempt that was killed may still be on their way out: a difference must last. */
static void take_settled_sample(struct sample *sample)
{
	for (long waited = 0; waited <= SETTLE_MS; waited += 20) {
		take_sample(sample);
		if (memcmp(sample, &before, sizeof(before)) == 0)
			return;
		sleep_ms(20);
	}
}

static void remove_tree(const char *path)
{
	char name[400];
	struct dirent *entry;
	struct dir dir;

	if (dir_open(&dir, path) < 0)
		return;
	while ((entry = dir_read(&dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (entry->d_type == DT_DIR)
			remove_tree(name);
		else
			unlink(name);
	}
	dir_close(&dir);
	rmdir(path);
}

/* ---- one attempt ---- */

/* In its own process: the status says how it ended. */
static void __attribute__((noreturn)) attempt(const struct scenario *scenario, long nth)
{
	int flags = ENDED;

	CHECK_OK(mkdir(SWEEP_DIR));
	CHECK_OK(chdir(SWEEP_DIR));
	nth_open();
	if (scenario->prepare)
		scenario->prepare();
	if (!(scenario->flags & KEEPS_CACHE))
		CHECK_OK(kdebug(KDEBUG_DROP_CACHES, 0));
	touch_image();
	nth_set(nth);
	long result = scenario->act();
	if (nth > 0 && nth_left() == 0)
		flags |= INJECTED;
	nth_set(0);
	if (result < 0 || (scenario->wanted && result != scenario->wanted))
		flags |= ERROR;
	if (flags & ERROR && !(flags & INJECTED))
		FAIL("%s gives %ld though nothing was refused", scenario->name, result);
	if (scenario->check)
		scenario->check(result);
	exit(flags);
}

static long audit(void)
{
	long findings = -EBUSY;

	for (int tries = 0; tries < 50 && findings == -EBUSY; tries++) {
		if (tries)
			sleep_ms(20);
		findings = kdebug(KDEBUG_AUDIT, 0);
	}
	return findings;
}

static void print_audit(void)
{
	char *text = read_file("/proc/audit", NULL);

	if (text)
		write_full(1, text, strlen(text));
	free(text);
}

static void look_for_losses(const struct scenario *scenario, long nth, bool audited, struct tally *tally)
{
	struct sample after;
	long findings;

	remove_tree(SWEEP_DIR);
	take_settled_sample(&after);
	tally->lost += (long)(before.pages - after.pages);
	if (memcmp(&after, &before, sizeof(after)) != 0) {
		printf("  %s: after failure %ld: lost %ld pages, %ld blocks, %ld inodes\n", scenario->name,
		       nth, (long)(before.pages - after.pages), (long)(before.blocks - after.blocks),
		       (long)(before.inodes - after.inodes));
		tally->wrong = audited = true;
	}
	before = after;
	if (!audited)
		return;
	findings = audit();
	if (findings == known_findings)
		return;
	printf("  %s: after failure %ld: %ld findings\n", scenario->name, nth, findings - known_findings);
	print_audit();
	tally->wrong = true;
	tally->findings += findings - known_findings;
	if (findings >= 0)
		known_findings = findings;
	take_sample(&before);
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

static void sweep(const struct scenario *scenario)
{
	struct tally tally = {0};
	bool more = true;

	mark(0, scenario->name);
	for (long nth = 0; more; nth++) {
		int status = 0, pid = fork();

		if (pid == 0)
			attempt(scenario, nth);
		if (pid < 0 || wait_pid(pid, &status) != pid)
			die("failsweep: %s: no process for the attempt", scenario->name);
		more = nth < ATTEMPTS_MAX && count_status(scenario, nth, status, &tally);
		tally.wrong |= nth == ATTEMPTS_MAX;
		look_for_losses(scenario, nth, !quick || !more, &tally);
	}
	mark(1, scenario->name);
	printf("%-22s %8ld %7ld %9ld %7ld %5ld  %s%s\n", scenario->name, tally.failures, tally.errors,
	       tally.successes, tally.killed, tally.lost, tally.findings ? "FINDINGS" : "clean",
	       tally.wrong ? "  FAILED" : "");
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
static void __attribute__((noinline)) warm_up(void)
{
	volatile char *byte;

	for (byte = __text_start; byte < __data_start; byte += PAGE_BYTES)
		(void)*byte;
	free(read_file("/proc/audit", NULL));
	remove_tree(SWEEP_DIR);
	for (int i = 0; i < 2; i++) {
		int pid = fork();
		if (pid == 0)
			exit(0);
		touch_image();
		wait_pid(pid, NULL);
		take_sample(&before);
	}
	known_findings = MAX(audit(), 0);
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
		printf("%-22s %8s %7s %9s %7s %5s  %s\n", "scenario", "failures", "errors", "successes",
		       "killed", "lost", "audit");
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
	printf("failsweep: %d scenarios, %ld failures injected, 0 panics, %ld pages lost\n", nr_scenarios,
	       nr_failures, nr_lost);
	if (nr_wrong)
		printf("failsweep: %ld scenarios FAILED\n", nr_wrong);
	return nr_wrong > 0 || nr_scenarios == 0;
}
