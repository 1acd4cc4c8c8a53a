/* SPDX-License-Identifier: MIT */
/* pagetrail report: the command; the HTML file is written by report/html.c. */
#include <stdlib.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/outfile.h"
#include "command.h"
#include "report/html_compare.h"
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

/* What the page of one run is made of. */
struct page {
	struct run *run;
	struct html_pictures pictures;
	struct sources sources;
	FILE *out;
};

static void write_page(const struct leaks *leaks, void *context)
{
	struct page *page = context;

	html_write(page->out, page->run, leaks, &page->pictures, &page->sources);
}

static int report_one(const struct arguments *arguments)
{
	const char *to = option(arguments, "out"), *folder = source_folder(arguments);
	struct run *run = open_run(arguments->operands[0]);
	char *path = to ? xstrdup(to) : xasprintf("%s/" RUN_REPORT, run->folder);
	struct page page = {.run = run};
	struct model_watch watch = {html_pictures_event, &page.pictures};
	struct outfile out;

	sources_open(&page.sources, run, folder);
	outfile_open(&out, path);
	page.out = out.file;
	html_pictures_begin(&page.pictures, run);
	struct model *model = model_replay(run, &watch);
	html_pictures_end(&page.pictures, model);
	int status = leaks_read(run, model, arguments, false, write_page, &page);
	outfile_close(&out);
	say(arguments, path, status);
	model_free(model);
	html_pictures_free(&page.pictures);
	sources_close(&page.sources);
	run_close(run);
	free(path);
	return status;
}

/* ---- two runs ---- */

static void compared_open(struct compared_run *one, const char *folder)
{
	struct model_watch watch = {usage_event, &one->usage};

	one->run = open_run(folder);
	usage_begin(&one->usage, one->run);
	one->model = model_replay(one->run, &watch);
	usage_end(&one->usage);
	one->stacks = stack_table_open(one->run);
	one->leaks = leaks_find(one->model, one->stacks, NULL);
}

static void compared_close(struct compared_run *one)
{
	leaks_free(one->leaks);
	stack_table_close(one->stacks);
	usage_free(&one->usage);
	model_free(one->model);
	run_close(one->run);
}

/* The status is that of B: what a change made of A. Where a side is cut off, less than leaks cannot be told. */
static int status_of_two(const struct compared_run sides[NR_SIDES])
{
	int status = sides[SIDE_B].leaks->status;

	for (int side = 0; side < NR_SIDES && status == STATUS_OK; side++) {
		if (!run_complete(sides[side].run) || model_stopped_early(sides[side].model))
			status = STATUS_CANNOT_TELL;
	}
	return status;
}

static int report_two(const struct arguments *arguments)
{
	const char *to = option(arguments, "out");
	struct compared_run sides[NR_SIDES];
	struct outfile out;

	for (int side = 0; side < NR_SIDES; side++)
		compared_open(&sides[side], arguments->operands[side]);
	char *path = to ? xstrdup(to) : xasprintf("%s/" RUN_COMPARED, sides[SIDE_B].run->folder);
	outfile_open(&out, path);
	html_compare(out.file, sides);
	int status = status_of_two(sides);
	outfile_close(&out);
	say(arguments, path, status);
	for (int side = 0; side < NR_SIDES; side++)
		compared_close(&sides[side]);
	free(path);
	return status;
}

static int report_run(const struct arguments *arguments)
{
	static const char *const of_one[] = {"source", "baseline", "no-baseline", "suppressions"};

	for (size_t i = 0; i < sizeof(of_one) / sizeof(of_one[0]) && arguments->nr_operands == 2; i++) {
		if (option(arguments, of_one[i]))
			die("--%s: of one run, not of two", of_one[i]);
	}
	return arguments->nr_operands == 2 ? report_two(arguments) : report_one(arguments);
}

static const struct option_spec options[] = {
    {"out", "FILE", "write there; -o FILE for short (RUN/report.html; of two runs B/compare.html)"},
    {"source", "FOLDER",
     "where the kernel's sources are (in the run; where they were compiled, if not changed since)"},
    {"baseline", "RUN|FILE", "a run without the leak to compare with, as for `pagetrail leaks`"},
    NO_BASELINE,
    {"suppressions", "FILE", "known leaks, as for `pagetrail leaks`"},
    {"json", NULL, "say as JSON what the verdict is and which file was written"},
    FORCE_SYMBOLS,
    {NULL, NULL, NULL},
};

const struct command command_report = {
    .name = "report",
    .operands = "RUN | A B",
    .summary = "write one HTML file: of a run what leaked, where, when; of two what differs",
    .min_operands = 1,
    .max_operands = 2,
    .options = options,
    .run = report_run,
};
