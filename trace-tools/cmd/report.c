/* SPDX-License-Identifier: MIT */
/* pagetrail report: the command; the HTML file is written by report/html.c. */
#include <stdlib.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/outfile.h"
#include "command.h"
#include "report/html.h"
#include "report/leaks_text.h"
#include "run/drain.h"

/* The folder that the user names; NULL: none. */
static const char *source_folder(const struct arguments *arguments)
{
	const char *folder = option(arguments, "source");
	struct stat about;

	if (folder && (stat(folder, &about) || !S_ISDIR(about.st_mode)))
		die("--source: %s is not a folder", folder);
	return folder;
}

static void say(const struct arguments *arguments, const char *path, int status)
{
	struct json json;

	if (!option(arguments, "json")) {
		fprintf(stderr, "report: %s\n", path);
		return;
	}
	json_begin_command(&json, stdout, "report", leaks_verdict(status));
	json_open(&json, "files", '[');
	json_string(&json, NULL, path);
	json_close(&json, ']');
	json_end(&json);
}

static int report_run(const struct arguments *arguments)
{
	const char *to = option(arguments, "out");
	struct run *run = open_run(arguments->operands[0]);
	const char *folder = source_folder(arguments);
	struct sources sources;
	char *path = to ? xstrdup(to) : xasprintf("%s/" RUN_REPORT, run->folder);
	struct html_pictures pictures;
	struct model_watch watch = {html_pictures_event, &pictures};
	struct outfile out;

	sources_open(&sources, run, folder);
	outfile_open(&out, path);
	html_pictures_begin(&pictures, run);
	struct model *model = model_replay(run, &watch);
	html_pictures_end(&pictures, model);
	struct stack_table *stacks = stack_table_open(run);
	struct leaks *leaks = leaks_find(model, stacks, NULL);
	html_write(out.file, run, leaks, &pictures, &sources);
	int status = leaks->status;
	outfile_close(&out);
	say(arguments, path, status);
	leaks_free(leaks);
	stack_table_close(stacks);
	model_free(model);
	html_pictures_free(&pictures);
	sources_close(&sources);
	run_close(run);
	free(path);
	return status;
}

static const struct option_spec options[] = {
    {"out", "FILE", "write there; -o FILE for short (RUN/report.html)"},
    {"source", "FOLDER",
     "where the kernel's sources are (in the run; where they were compiled, if not changed since)"},
    {"json", NULL, "say as JSON what the verdict is and which file was written"},
    FORCE_SYMBOLS,
    {NULL, NULL, NULL},
};

const struct command command_report = {
    .name = "report",
    .operands = "RUN",
    .summary = "write one HTML file with verdict, curves, leaks, tests and call sites",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = report_run,
};
