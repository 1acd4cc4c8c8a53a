/* SPDX-License-Identifier: MIT */
/* pagetrail export: a run in the formats of other programs. The formats are in export/. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/outfile.h"
#include "base/progress.h"
#include "command.h"
#include "export/export.h"

#define CURVE_STEPS 20000

static const char *const formats[] = {"speedscope", "collapsed", "csv", "sqlite", "perfetto"};
enum { SPEEDSCOPE, COLLAPSED, CSV, SQLITE, PERFETTO, NR_FORMATS };

static int chosen_format(const struct arguments *arguments)
{
	int format = NR_FORMATS;

	for (int i = 0; i < NR_FORMATS; i++) {
		if (!option(arguments, formats[i]))
			continue;
		if (format != NR_FORMATS)
			die("export: --%s or --%s, not both", formats[format], formats[i]);
		format = i;
	}
	if (format == NR_FORMATS)
		die("export: which format? --speedscope, --collapsed, --csv, --sqlite or --perfetto");
	return format;
}

static enum export_weight chosen_weight(const struct arguments *arguments)
{
	const char *by = option(arguments, "by");

	if (!by || !strcmp(by, "live"))
		return WEIGHT_LIVE;
	if (!strcmp(by, "peak"))
		return WEIGHT_PEAK;
	if (strcmp(by, "total"))
		die("--by: live, peak or total, not %s", by);
	return WEIGHT_TOTAL;
}

/* Formats that show leaks. */
static void export_findings(struct run *run, int format, struct outfile *out)
{
	struct curve curve;
	struct model_watch watch = {curve_event, &curve};
	char *error = NULL;

	curve_begin(&curve, run, CURVE_STEPS);
	struct model *model = model_replay(run, &watch);
	curve_end(&curve, model);
	struct stack_table *stacks = stack_table_open(run);
	struct leaks *leaks = leaks_find(model, stacks, NULL);
	if (format == PERFETTO)
		export_perfetto(leaks, &curve, out->file);
	else
		error = export_sqlite(run, leaks, out->part);
	if (error) {
		const char *path = out->path;
		outfile_drop(out);
		die("%s: %s", path, error);
	}
	leaks_free(leaks);
	stack_table_close(stacks);
	model_free(model);
	curve_free(&curve);
}

static void export_stacks(struct run *run, int format, enum export_weight weight, FILE *out)
{
	struct stack_table *stacks = stack_table_open(run);

	if (format == CSV) {
		export_csv(run, stacks, out);
	} else {
		struct model *model = model_replay(run, NULL);
		if (format == COLLAPSED)
			export_collapsed(model, stacks, weight, out);
		else
			export_speedscope(model, stacks, run->folder, out);
		model_free(model);
	}
	stack_table_close(stacks);
}

static void say_json(const char *format, const char *file, int status)
{
	struct json json;

	json_begin_command(&json, stdout, "export", status ? "cannot tell" : "complete");
	json_string(&json, "format", format);
	json_open(&json, "files", '[');
	json_string(&json, NULL, file);
	json_close(&json, ']');
	json_end(&json);
}

static int export_run(const struct arguments *arguments)
{
	int format = chosen_format(arguments);
	enum export_weight weight = chosen_weight(arguments);
	const char *to = option(arguments, "out");
	bool binary = format == SQLITE || format == PERFETTO;

	if (format != COLLAPSED && option(arguments, "by"))
		die("--by belongs to --collapsed");
	if (!to && binary)
		die("export: --%s needs -o FILE: it is not text", formats[format]);
	if (!to && option(arguments, "json"))
		die("export: --json says what was written to a file: name it with -o FILE");
	struct run *run = open_run(arguments->operands[0]);
	struct outfile out = {.file = stdout};
	if (to && format == SQLITE)
		outfile_name(&out, to);
	else if (to)
		outfile_open(&out, to);
	else if (isatty(STDOUT_FILENO))
		progress_stop();
	if (binary)
		export_findings(run, format, &out);
	else
		export_stacks(run, format, weight, out.file);
	if (to)
		outfile_close(&out);
	else if (fflush(stdout) || ferror(stdout))
		die("standard output: %s", strerror(errno));
	run_print_losses(run, stderr);
	int status = run_complete(run) ? STATUS_OK : STATUS_CANNOT_TELL;
	if (option(arguments, "json"))
		say_json(formats[format], to, status);
	run_close(run);
	return status;
}

static const struct option_spec options[] = {
    {"speedscope", NULL, "for speedscope.app: live pages, peak pages and allocations by allocation stack"},
    {"collapsed", NULL, "one line a stack, for flame graphs"},
    {"csv", NULL, "one line an event"},
    {"sqlite", NULL, "a database: events, stacks, frames, findings, tests, meta"},
    {"perfetto", NULL, "for ui.perfetto.dev: free pages, pages by kind, tests, leaks"},
    {"by", "live|peak|total", "with --collapsed: what a stack weighs (live)"},
    {"out", "FILE", "write there; -o FILE for short (standard output for text)"},
    {"json", NULL, "with -o: say as JSON what was written"},
    FORCE_SYMBOLS,
    {NULL, NULL, NULL},
};

const struct command command_export = {
    .name = "export",
    .operands = "RUN",
    .summary = "write a run in the format of another program",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = export_run,
};
