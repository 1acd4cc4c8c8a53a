/* SPDX-License-Identifier: MIT */
/*
 * The first process: runs the tests and powers off with their status, or (PROMPT) does what is typed:
 *
 *     $ usertests        all of them
 *     $ usertests mmap   one
 *     $ quit             power off
 *
 * Before the end it takes last_steps(), where those mistakes show after which a kernel does not live long: they wait for
 * arm(). What init holds then is still mapped when the machine stops.
 */
#include "../config.h"
#include "user.h"

static int run(const char *argument)
{
	int status = -1, pid = fork();

	if (pid == 0) {
		exec("usertests", argument);
		exit(127);
	}
	while (pid > 0) {
		int ended = wait(&status);

		if (ended == pid)
			return status;
		if (ended < 0)
			break;
	}
	return -1;
}

/*
 * Two mappings: pages of one stay, the other is unmapped as the very last thing. The pages touched before arm() bring the
 * page tables, so that only user pages are allocated after it.
 */
static void last_steps(void)
{
	char *kept = mmap(4 * PGSIZE, 1), *given = mmap(2 * PGSIZE, 1);
	int pid;

	kept[0] = given[0] = given[PGSIZE] = 1;
	arm();
	kept[1 * PGSIZE + 8] = 1; /* not at 0, where a free page has its link */
	kept[2 * PGSIZE + 8] = 2;
	pid = fork();
	if (pid == 0)
		exit(0);
	if (pid > 0)
		wait(NULL);
	munmap(given, 2 * PGSIZE);
}

static int starts_with(const char *line, const char *word)
{
	while (*word && *line == *word) {
		line++;
		word++;
	}
	return !*word;
}

static void prompt(void)
{
	char line[64];

	for (;;) {
		int size;

		print("$ ");
		size = read(0, line, sizeof(line) - 1);
		if (size <= 0)
			continue;
		line[size - (line[size - 1] == '\n')] = 0;
		if (equal(line, "quit"))
			return;
		if (starts_with(line, "usertests "))
			run(line + 10);
		else if (equal(line, "usertests"))
			run("");
		else if (line[0])
			print("unknown command: %s\n", line);
	}
}

int main(void)
{
	int status = 0;

	print("init: %d pages free\n", freepages());
	if (PROMPT)
		prompt();
	else
		status = run("");
	last_steps();
	poweroff(status);
	return 0;
}
