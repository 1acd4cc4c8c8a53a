/* SPDX-License-Identifier: MIT */
/*
 * grind [SECONDS | ROUNDSr] [SEED] [lose]: 10 seconds by default, and a seed from the clock.
 *
 * grind 600        ten minutes              grind 5r 1234    five rounds from seed 1234
 *
 * With `lose` it loses a page in each round, to show that it would notice.
 *
 * Between rounds, with every worker gone and its files removed: free pages, disk blocks and inodes must be what they
 * were before the first round, and the auditor must find nothing. Status 1, with the seed and the round to play again,
 * at the first difference; also when a worker does not end in time. The last line:
 *
 *   grind: seed 1234, 5 rounds, 10000 calls, 0 pages leaked: OK
 */
#include "books.h"
#include "grind.h"

#define NR_WORKERS 4
#define CALLS_A_ROUND 400 /* of each worker; its children make more */
#define ROUND_LIMIT_MS 60000
#define SETTLE_MS 10000

static void start_worker(uint64_t seed, long round, int worker, int *pid)
{
	*pid = fork();
	if (*pid < 0)
		die("grind: fork: %s", error_text(*pid));
	if (*pid > 0)
		return;
	random_seed(seed ^ (uint64_t)round << 20 ^ (uint64_t)worker << 56);
	int err = chdir(GRIND_DIR);
	if (err < 0)
		die("grind: %s: %s", GRIND_DIR, error_text(err));
	worker_run(CALLS_A_ROUND, 0);
	exit(0);
}

/* False: somebody had to be killed. */
static bool run_workers(uint64_t seed, long round)
{
	long end = uptime() + ROUND_LIMIT_MS;
	int pids[NR_WORKERS], left = NR_WORKERS;
	bool in_time = true;

	mkdir(GRIND_DIR);
	for (int i = 0; i < NR_WORKERS; i++)
		start_worker(seed, round, i, &pids[i]);
	while (left > 0) {
		int pid = wait_nohang(NULL);

		for (int i = 0; i < NR_WORKERS; i++) {
			if (pid > 0 && pids[i] == pid) {
				pids[i] = 0;
				left--;
			}
		}
		if (pid == 0)
			sleep_ms(5);
		if (!in_time || uptime() < end)
			continue;
		in_time = false;
		for (int i = 0; i < NR_WORKERS; i++) {
			if (pids[i]) {
				printf("grind: worker %d, pid %d, did not end\n", i, pids[i]);
				kill(pids[i]);
			}
		}
	}
	return in_time;
}

static bool loses; /* the canary */

static bool round_is_good(uint64_t seed, long round, const struct books *before, long *lost)
{
	char *ps[] = {"ps", NULL};
	struct books after;
	bool in_time = run_workers(seed, round);
	if (loses)
		kdebug(KDEBUG_LEAK_PAGES, 1);
	bool settled = books_settle(&after, before, GRIND_DIR, SETTLE_MS);
	long findings = books_audit();

	*lost = (long)(before->pages - after.pages);
	if (in_time && settled && findings == 0)
		return true;
	printf("grind: seed %lu round %ld: leaked %ld pages, %ld blocks, %ld inodes; %ld findings\n", seed,
	       round, *lost, (long)(before->blocks - after.blocks), (long)(before->inodes - after.inodes),
	       findings);
	books_print_audit();
	run(ps);
	return false;
}

/* Everything that this process will touch is resident and its own. */
static void warm_up(struct books *books)
{
	free(read_file("/proc/audit", NULL));
	remove_tree(GRIND_DIR);
	for (int i = 0; i < 2; i++) {
		int pid = fork();
		if (pid == 0)
			exit(0);
		books_touch_image();
		wait_pid(pid, NULL);
		books_take(books);
	}
}

int main(int argc, char **argv)
{
	long seconds = 10, rounds = 0, round = 0, lost = 0;
	struct books before;
	bool good = true;

	if (argc > 1) {
		size_t length = strlen(argv[1]);
		bool is_rounds = length > 1 && argv[1][length - 1] == 'r';
		if (is_rounds)
			argv[1][length - 1] = 0;
		*(is_rounds ? &rounds : &seconds) = parse_number(argv[1]);
	}
	uint64_t seed = argc > 2 ? (uint64_t)parse_number(argv[2]) : (uint64_t)uptime();
	loses = argc > 3 && strcmp(argv[3], "lose") == 0;
	long begin = uptime();
	warm_up(&before);
	if (books_audit() != 0)
		die("grind: the auditor is not content before the first round");
	while (good && (rounds ? round < rounds : uptime() - begin < seconds * 1000)) {
		long start = uptime();

		good = round_is_good(seed, round, &before, &lost);
		printf("grind: seed %lu round %ld: %ld ms, %lu pages free, %s\n", seed, round,
		       uptime() - start, before.pages - (uint64_t)lost, good ? "audit clean" : "FAILED");
		round++;
	}
	printf("grind: seed %lu, %ld rounds, %ld calls, %ld pages leaked: %s\n", seed, round,
	       round * NR_WORKERS * CALLS_A_ROUND, lost, good ? "OK" : "FAILED");
	return !good;
}
