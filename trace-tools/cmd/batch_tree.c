/* SPDX-License-Identifier: MIT */
/* batch_tree: the process that watches or reads one tree. See batch.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/outfile.h"
#include "batch.h"
#include "report/leaks_text.h"
#include "run/process.h"
#include "watch.h"

#define TIMEOUT_SECONDS 600
#define OUTPUT_MIB_MAX 32
#define REASON_LINE_MAX 160 /* of a line that is quoted in a table */
#define LAST_LINE "; its last line: "

/* All that is said goes to a file, from now on; nobody types. */
static void redirect(const char *output)
{
	int in = open("/dev/null", O_RDONLY), out = open(output, O_WRONLY | O_CREAT | O_APPEND, 0666);

	if (in < 0 || out < 0)
		die("%s: %s", output, strerror(errno));
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	close(in);
	close(out);
}

/* With what the table's verdicts were found with. */
static void exec_report(const struct batch *batch, const char *run, const char *path)
{
	static const char *const passed[][2] = {
	    {"baseline", "--baseline"}, {"no-baseline", "--no-baseline"}, {"suppressions", "--suppressions"}};
	const char *words[10] = {"pagetrail", "report", run, "--out", path};
	size_t nr = 5;

	for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++) {
		const char *value = option(batch->arguments, passed[i][0]);
		if (!value)
			continue;
		words[nr++] = passed[i][1];
		if (*value)
			words[nr++] = value;
	}
	execv("/proc/self/exe", (char *const *)words);
	_exit(127);
}

/* A report of each run; that one cannot be written is no reason to do without the row. */
static void write_reports(const struct batch *batch, struct batch_row *row)
{
	for (size_t i = 0; i < row->nr_runs && option(batch->arguments, "html"); i++) {
		char name[40], *path;
		snprintf(name, sizeof(name), i ? "report-%zu.html" : "report.html", i + 1);
		path = batch_file(batch, row, name);
		fflush(NULL);
		pid_t pid = fork();
		if (pid == 0) {
			exec_report(batch, row->runs[i], path);
		}
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			die("report: %s", strerror(errno));
		if (file_is_regular(path))
			ARRAY_PUSH(row->reports, row->nr_reports, row->reports_capacity) = path;
		else
			free(path);
	}
}

static void write_result(const struct batch *batch, struct batch_row *row)
{
	char *path = batch_file(batch, row, BATCH_RESULT);
	struct outfile out;
	struct json json;

	outfile_open(&out, path);
	json_begin(&json, out.file);
	batch_row_json(&json, "row", row);
	json_end(&json);
	outfile_close(&out);
	free(path);
}

static void add_found(const struct leaks *leaks, void *row)
{
	batch_row_add(row, leaks);
}

static void add_run(struct batch_row *row, const char *folder)
{
	ARRAY_PUSH(row->runs, row->nr_runs, row->runs_capacity) = xstrdup(folder);
}

/* A verdict of leaks for something else than leaked pages: a double free, a corrupted list. */
static enum batch_state state_of(const struct batch_row *row, int status)
{
	if (status == STATUS_LEAKED)
		return row->pages || row->objects || !row->broken ? BATCH_LEAKED : BATCH_BROKEN;
	return status == STATUS_OK ? BATCH_NO_LEAKS : BATCH_CANNOT_TELL;
}

static void read_tests(const struct batch *batch, struct batch_row *row, const char *run)
{
	struct guest_tests_patterns patterns;

	guest_tests_patterns_make(&patterns, option(batch->arguments, "passed"),
				  option(batch->arguments, "failed"));
	guest_tests_console(&row->tests, &patterns, run);
	guest_tests_patterns_free(&patterns);
}

/* ---- a tree whose command is watched ---- */

static char *command_end_text(const struct watch *watch)
{
	if (WIFEXITED(watch->command_status))
		return xasprintf("the command ended with status %d", WEXITSTATUS(watch->command_status));
	return xasprintf("the command was ended by signal %d", WTERMSIG(watch->command_status));
}

/* What was said last before it came to nothing: by the kernel, else by the command. Caller frees. */
static char *last_line(const struct batch_row *row, const struct watch *watch)
{
	char *line = watch->nr_runs ? console_last_line(watch->runs[watch->nr_runs - 1].folder) : NULL;

	if (line || watch->end == WATCH_ENDED)
		return line ? line : file_last_line(row->output);
	return watch->last_line ? xstrdup(watch->last_line) : NULL;
}

/* "WHAT: LINE", or WHAT alone. Frees `what`. */
static char *with_line(char *what, const char *between, const char *line)
{
	if (!line)
		return what;
	char *text = xasprintf("%s%s%.*s%s", what, between, REASON_LINE_MAX, line,
			       strlen(line) > REASON_LINE_MAX ? "..." : "");
	free(what);
	return text;
}

/* No machine was started. Of a tree that does not build, --until tells nothing. */
static char *no_machine_reason(const struct watch *watch, const char *last)
{
	if (watch->end_text && watch->end != WATCH_UNSEEN)
		return with_line(xasprintf("%s; no machine had started", watch->end_text), LAST_LINE, last);
	char *end = command_end_text(watch), *what = xasprintf("%s before a machine started", end);
	free(end);
	return watch->first_error ? with_line(what, ": ", watch->first_error)
				  : with_line(what, LAST_LINE, last);
}

/* Of a kernel that said nothing, the last line is not its own: it is the command that starts QEMU. */
static char *timed_out_reason(const struct watch *watch, const char *last)
{
	char *said = watch->nr_runs ? console_last_line(watch->runs[watch->nr_runs - 1].folder) : NULL;
	bool silent = watch->nr_runs && !said;

	free(said);
	return silent ? xasprintf("%s; its kernel said nothing", watch->end_text)
		      : with_line(xstrdup(watch->end_text), LAST_LINE, last);
}

/* Why it has no verdict; else what a reader of the verdict must know. */
static void give_reason(struct batch_row *row, const struct watch *watch, const char *last)
{
	char *reason = NULL;

	if (!watch->nr_calls)
		reason = no_machine_reason(watch, last);
	else if (watch->end == WATCH_TIMED_OUT)
		reason = timed_out_reason(watch, last);
	else if (watch->end_text)
		reason = xstrdup(watch->end_text);
	else if (watch->nr_calls > watch->nr_runs)
		reason =
		    xasprintf("%zu of its %zu machine%s could not be watched",
			      watch->nr_calls - watch->nr_runs, watch->nr_calls, plural_s(watch->nr_calls));
	else if (row->state == BATCH_CANNOT_TELL && !row->reason)
		reason = xstrdup("its machine could not be judged: the output says why");
	else if (!row->reason && !row->what && watch->command_status)
		reason = command_end_text(watch);
	if (!reason)
		return;
	free(row->reason);
	row->reason = reason;
}

static void judge_tests(const struct batch *batch, struct batch_row *row, const struct watch *watch)
{
	for (size_t i = 0; i < watch->nr_runs; i++)
		read_tests(batch, row, watch->runs[i].folder);
	/* What it would have said is not known. */
	if (watch->end == WATCH_TIMED_OUT || watch->end == WATCH_TOO_LONG || watch->nr_calls > watch->nr_runs)
		guest_tests_doubt(&row->tests);
}

/* The shell goes there, not we: the files that our options name are where the user is. */
static void watch_tree(const struct batch *batch, struct batch_row *row)
{
	char *command[] = {"sh", "-c", "cd -- \"$1\" && eval \"$2\"", "sh", row->path, (char *)batch->command,
			   NULL};
	char *folder = batch_file(batch, row, "run");
	struct watch_options options = {.folder = folder, .command = command};

	watch_read_options(batch->arguments, &options);
	if (!options.timeout_seconds)
		options.timeout_seconds = TIMEOUT_SECONDS;
	options.output_mib_max = OUTPUT_MIB_MAX;
	struct watch *watch = watch_run(&options);
	if (watch->end == WATCH_INTERRUPTED)
		die("interrupted");
	/* Before a verdict is written behind it. */
	char *last = last_line(row, watch);
	int status = watch_report(watch, batch->arguments, add_found, row);
	bool timed_out = status == STATUS_CANNOT_TELL && watch->end == WATCH_TIMED_OUT;
	batch_row_close(row, timed_out         ? BATCH_TIMED_OUT
			     : watch->nr_calls ? state_of(row, status)
					       : BATCH_NO_MACHINE);
	give_reason(row, watch, last);
	free(last);
	judge_tests(batch, row, watch);
	for (size_t i = 0; i < watch->nr_runs; i++)
		add_run(row, watch->runs[i].folder);
	watch_free(watch);
	free(options.typed);
	free(folder);
}

/* ---- a run that is there ---- */

static void print_and_add(const struct leaks *leaks, void *row)
{
	leaks_print(leaks, false, stdout);
	batch_row_add(row, leaks);
}

static void read_run(const struct batch *batch, struct batch_row *row)
{
	struct run *run = open_run(row->path);
	struct model *model = model_replay(run, NULL);

	batch_row_close(row, state_of(row, leaks_read(run, model, batch->arguments,
						      option(batch->arguments, "fail-on-leak") != NULL,
						      print_and_add, row)));
	read_tests(batch, row, row->path);
	if (run_interrupted(run))
		guest_tests_doubt(&row->tests);
	model_free(model);
	run_close(run);
	add_run(row, row->path);
}

void batch_do_tree(const struct batch *batch, struct batch_row *row)
{
	time_t began = time(NULL);

	/* Of its own group: the terminal's interrupt is for the batch, which then ends its trees in order. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	row->output = batch_file(batch, row, BATCH_OUTPUT);
	redirect(row->output);
	if (batch->command)
		watch_tree(batch, row);
	else
		read_run(batch, row);
	process_kill_descendants();
	write_reports(batch, row);
	row->seconds = (uint64_t)(time(NULL) - began);
	write_result(batch, row);
	exit(STATUS_OK);
}
