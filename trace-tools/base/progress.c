/* SPDX-License-Identifier: MIT */
/* progress: see progress.h. */
#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util.h"

#define BETWEEN_NS 100000000LL /* ten times a second is enough to read */

static struct {
	const char *command; /* NULL: there is no line */
	const char *work;
	int64_t next; /* when the line is written next, clock_ns */
	bool shown;
} progress = {.work = "reading the trace"};

void progress_begin(const char *command)
{
	const char *wanted = getenv("PAGETRAIL_PROGRESS");
	double seconds = wanted ? strtod(wanted, NULL) : 1;

	if (!isatty(STDERR_FILENO) || (wanted && !strcmp(wanted, "off")))
		return;
	progress.command = command;
	progress.next = clock_ns() + (int64_t)((seconds > 0 && seconds < 1e6 ? seconds : 0) * 1e9);
}

void progress_stop(void)
{
	progress_erase();
	progress.command = NULL;
}

void progress_name(const char *work)
{
	progress.work = work;
}

void progress_show(uint64_t done, uint64_t total)
{
	if (!progress.command)
		return;
	int64_t now = clock_ns();
	if (now < progress.next)
		return;
	progress.next = now + BETWEEN_NS;
	progress.shown = true;
	fprintf(stderr, "\r%s: %s", progress.command, progress.work);
	if (total)
		fprintf(stderr, " %2.0f %%", 100.0 * (double)done / (double)total);
	fputs("\033[K", stderr);
	fflush(stderr);
}

void progress_erase(void)
{
	if (!progress.shown)
		return;
	progress.shown = false;
	fputs("\r\033[K", stderr);
	fflush(stderr);
}
