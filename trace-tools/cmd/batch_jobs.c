/* SPDX-License-Identifier: MIT */
/*
 * batch_jobs: so many trees at a time. See batch.h.
 *
 * A signal ends the batch: trees that are at work are asked to end, and whoever does not is ended; what is done stays.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json_read.h"
#include "base/signals.h"
#include "base/text.h"
#include "batch.h"
#include "run/process.h"

/* A machine that is asked to end writes its copy of RAM. */
#define END_SECONDS 60
#define RESULT_BYTES_MAX (4U << 20)

struct jobs {
	struct batch *batch;
	pid_t *workers; /* by row; 0: none is at work on it */
	size_t nr_working, nr_done, next;
	int signals;
	sigset_t mask;
	int64_t end_at; /* when all that still works is ended; 0: nobody was asked to end */
};

char *batch_file(const struct batch *batch, const struct batch_row *row, const char *name)
{
	return xasprintf("%s/trees/%s/%s", batch->out, row->tree, name);
}

/* A path as result.json has it may be none: that of the file of this name in the row's folder is. */
static void restore_path(const struct batch *batch, const struct batch_row *row, char **path)
{
	const char *slash = *path ? strrchr(*path, '/') : NULL;
	char *restored = slash ? batch_file(batch, row, slash + 1) : NULL;

	if (!restored)
		return;
	free(*path);
	*path = restored;
}

/* The row that was read, with the names as they are on the disk. */
static void take_row(const struct batch *batch, struct batch_row *row, struct batch_row *read)
{
	free(read->tree);
	free(read->path);
	read->tree = xstrdup(row->tree);
	read->path = xstrdup(row->path);
	restore_path(batch, read, &read->output);
	for (size_t i = 0; i < read->nr_reports; i++)
		restore_path(batch, read, &read->reports[i]);
	batch_row_free(row);
	*row = *read;
}

bool batch_read_result(const struct batch *batch, struct batch_row *row)
{
	char *path = batch_file(batch, row, BATCH_RESULT);
	const char *fault;
	char *text = file_read_regular(path, RESULT_BYTES_MAX, NULL, &fault);
	struct json_value *value = text ? json_parse(text) : NULL;
	struct batch_row read;

	bool good = batch_row_read(&read, json_get(value, "row"));
	char *wanted = utf8_text(row->path);
	if (good && !strcmp(read.path, wanted)) {
		take_row(batch, row, &read);
	} else if (good) {
		row->state = BATCH_FAILED;
		row->reason = xasprintf("%s is the result of another tree: %s", path, read.path);
		batch_row_free(&read);
	}
	free(wanted);
	json_value_free(value);
	free(text);
	free(path);
	return good;
}

/* ---- one tree ---- */

static void start(struct jobs *jobs, size_t number)
{
	struct batch_row *row = &jobs->batch->table.rows[number];
	char *folder = batch_file(jobs->batch, row, ".");

	folder[strlen(folder) - strlen("/.")] = 0;
	/* What an interrupted batch has left of it. */
	if (folder_remove(folder) || make_folders(folder))
		die("%s: %s", folder, strerror(errno));
	fflush(NULL);
	pid_t pid = fork();
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (pid == 0) {
		signals_release(jobs->signals, &jobs->mask);
		batch_do_tree(jobs->batch, row);
	}
	jobs->workers[number] = pid;
	jobs->nr_working++;
	free(folder);
}

/* The last thing that we said in a file, without our name; NULL: nothing. Caller frees. */
static char *last_words(const char *path)
{
	static const char ours[] = "pagetrail: ";
	char *text = file_read_all(path, NULL), *rest = text, *line, *found = NULL;

	while ((line = strsep(&rest, "\n"))) {
		if (!strncmp(line, ours, strlen(ours)))
			found = line + strlen(ours);
	}
	found = found ? xstrdup(found) : NULL;
	free(text);
	return found;
}

/* A worker that left no result: it said why, or died. */
static void give_up(struct batch *batch, struct batch_row *row, int status)
{
	char *output = batch_file(batch, row, BATCH_OUTPUT);

	if (batch->interrupted) {
		row->reason = xstrdup("interrupted");
	} else {
		row->state = BATCH_FAILED;
		row->reason = WIFSIGNALED(status)
				  ? xasprintf("pagetrail was ended by signal %d", WTERMSIG(status))
				  : last_words(output);
	}
	row->output = output;
}

static void finish(struct jobs *jobs, size_t number, int status)
{
	struct batch *batch = jobs->batch;
	struct batch_row *row = &batch->table.rows[number];

	jobs->workers[number] = 0;
	jobs->nr_working--;
	jobs->nr_done++;
	if (!batch_read_result(batch, row))
		give_up(batch, row, status);
	char *amount = batch_amount_text(row), *tree = line_text(row->tree);
	fprintf(stderr, "batch: %zu of %zu: %s: %s%s%s\n", jobs->nr_done, batch->table.nr, tree,
		batch_state_text(row->state), row->pages || row->objects ? ", " : "",
		row->pages || row->objects ? amount : "");
	free(amount);
	free(tree);
}

/* ---- all of them ---- */

static void signal_workers(const struct jobs *jobs, int signal)
{
	for (size_t i = 0; i < jobs->batch->table.nr; i++) {
		if (jobs->workers[i])
			kill(jobs->workers[i], signal);
	}
}

static void take_signals(struct jobs *jobs)
{
	struct signalfd_siginfo info;

	while (read(jobs->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			continue;
		/* Asked a second time: without waiting. */
		jobs->end_at =
		    jobs->batch->interrupted ? clock_ns() : clock_ns() + END_SECONDS * 1000000000LL;
		if (!jobs->batch->interrupted)
			signal_workers(jobs, SIGTERM);
		jobs->batch->interrupted = true;
	}
}

static void reap(struct jobs *jobs)
{
	int status;

	for (size_t i = 0; i < jobs->batch->table.nr; i++) {
		if (jobs->workers[i] && waitpid(jobs->workers[i], &status, WNOHANG) == jobs->workers[i])
			finish(jobs, i, status);
	}
}

static void start_more(struct jobs *jobs)
{
	struct batch_table *table = &jobs->batch->table;

	while (jobs->next < table->nr && jobs->nr_working < jobs->batch->jobs && !jobs->batch->interrupted) {
		if (table->rows[jobs->next].state == BATCH_NOT_RUN)
			start(jobs, jobs->next);
		jobs->next++;
	}
}

static void wait_for_something(struct jobs *jobs)
{
	struct pollfd fd = {.fd = jobs->signals, .events = POLLIN};
	int64_t left = jobs->end_at - clock_ns();

	poll(&fd, 1, !jobs->end_at ? -1 : left > 0 ? (int)(left / 1000000 + 1) : 0);
	take_signals(jobs);
	if (jobs->end_at && clock_ns() >= jobs->end_at)
		signal_workers(jobs, SIGKILL);
	reap(jobs);
}

void batch_run_jobs(struct batch *batch)
{
	struct jobs jobs = {.batch = batch, .workers = xcalloc(batch->table.nr, sizeof(pid_t))};

	for (size_t i = 0; i < batch->table.nr; i++)
		jobs.nr_done += batch->table.rows[i].state != BATCH_NOT_RUN;
	jobs.signals = signals_catch(&jobs.mask, (int[]){SIGINT, SIGTERM, SIGHUP, SIGCHLD, 0});
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	start_more(&jobs);
	while (jobs.nr_working) {
		wait_for_something(&jobs);
		start_more(&jobs);
	}
	process_kill_descendants();
	signals_release(jobs.signals, &jobs.mask);
	free(jobs.workers);
}
