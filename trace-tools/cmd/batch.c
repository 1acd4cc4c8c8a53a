/* SPDX-License-Identifier: MIT */
/* pagetrail batch: the command, its list of trees, and what it prints. See batch.h. */
#include "batch.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json_read.h"
#include "base/outfile.h"
#include "help.h"
#include "watch.h"

#define BATCHES_FOLDER "pagetrail-batch"
#define BATCH_FILE "batch.json"
#define BATCH_BYTES_MAX (1U << 20)
#define BATCH_PAGE "index.html"
/* Runs are looked for so deep in a folder: xv6/pagetrail-runs/20261128-101500 */
#define RUNS_DEPTH 3

/* ---- names ---- */

/* The last `nr` names of an absolute path. */
static const char *tail_of(const char *path, unsigned nr)
{
	const char *at = path + strlen(path);

	while (nr && at > path) {
		do
			at--;
		while (at > path && *at != '/');
		nr--;
	}
	return *at == '/' && at[1] ? at + 1 : at;
}

static bool all_differ(char *const *paths, size_t nr, unsigned names)
{
	for (size_t i = 0; i < nr; i++) {
		for (size_t k = 0; k < i; k++) {
			if (!strcmp(tail_of(paths[i], names), tail_of(paths[k], names)))
				return false;
		}
	}
	return true;
}

/* The folders as absolute paths, each once. */
static char **real_paths(const struct arguments *arguments)
{
	size_t nr = (size_t)arguments->nr_operands;
	char **paths = xcalloc(nr, sizeof(*paths));
	struct stat about;

	for (size_t i = 0; i < nr; i++) {
		const char *given = arguments->operands[i];
		paths[i] = realpath(given, NULL);
		if (!paths[i] || stat(paths[i], &about))
			die("%s: %s", given, strerror(errno));
		if (!S_ISDIR(about.st_mode))
			die("%s: not a folder", given);
		for (size_t k = 0; k < i; k++) {
			if (!strcmp(paths[i], paths[k]))
				die("%s: is given twice", given);
		}
	}
	return paths;
}

/* ---- the rows ---- */

static void add_row(struct batch_table *table, char *tree, const char *path, enum batch_state state)
{
	ARRAY_PUSH(table->rows, table->nr, table->capacity) =
	    (struct batch_row){.tree = tree, .path = xstrdup(path), .state = state};
}

/* All runs in a folder and below it; tree: what the folder is called. */
static void add_runs(struct batch_table *table, const char *tree, const char *folder, unsigned depth)
{
	struct dirent **names = NULL;
	struct stat about;

	if (run_is_folder(folder)) {
		add_row(table, xstrdup(tree), folder, BATCH_NOT_RUN);
		return;
	}
	int nr = depth ? scandir(folder, &names, NULL, alphasort) : 0;
	for (int i = 0; i < nr; i++) {
		char *path = xasprintf("%s/%s", folder, names[i]->d_name),
		     *name = xasprintf("%s/%s", tree, names[i]->d_name);
		if (names[i]->d_name[0] != '.' && !lstat(path, &about) && S_ISDIR(about.st_mode))
			add_runs(table, name, path, depth - 1);
		free(path);
		free(name);
		free(names[i]);
	}
	free(names);
}

static void add_rows(struct batch *batch)
{
	char **paths = real_paths(batch->arguments);
	size_t nr = (size_t)batch->arguments->nr_operands;
	unsigned names = 1;

	/* The paths differ, so that some number of names is enough. */
	while (!all_differ(paths, nr, names))
		names++;
	for (size_t i = 0; i < nr; i++) {
		const char *tree = tail_of(paths[i], names);
		size_t before = batch->table.nr;
		if (batch->command)
			add_row(&batch->table, xstrdup(tree), paths[i], BATCH_NOT_RUN);
		else
			add_runs(&batch->table, tree, paths[i], RUNS_DEPTH);
		if (batch->table.nr == before)
			add_row(&batch->table, xstrdup(tree), paths[i], BATCH_NO_RUN);
		free(paths[i]);
	}
	free(paths);
}

/* ---- the folder ---- */

static void write_batch_file(const struct batch *batch, const char *path)
{
	struct outfile out;
	struct json json;

	outfile_open(&out, path);
	json_begin(&json, out.file);
	json_string(&json, "watch", batch->command);
	json_end(&json);
	outfile_close(&out);
}

/* An old batch goes on only with what it was begun with. */
static void check_batch_file(const struct batch *batch, const char *path)
{
	const char *fault, *before;
	char *text = file_read_regular(path, BATCH_BYTES_MAX, NULL, &fault);

	if (!text)
		die("--resume: %s: %s", path, fault);
	struct json_value *value = json_parse(text);
	before = json_get_string(value, "watch");
	if (!value || !before != !batch->command || (before && strcmp(before, batch->command)))
		die("--resume: %s was begun with%s%s", batch->out, before ? " --watch " : "out --watch",
		    before ? before : "");
	json_value_free(value);
	free(text);
}

static void open_folder(struct batch *batch)
{
	const char *wanted = option(batch->arguments, "out");
	bool resume = option(batch->arguments, "resume") != NULL;
	char *folder = wanted ? xstrdup(wanted) : watch_dated_folder(BATCHES_FOLDER);

	if (resume && !wanted)
		die("--resume: which batch? --out names its folder");
	if (!resume && make_folders(folder))
		die("%s: %s", folder, strerror(errno));
	batch->out = realpath(folder, NULL);
	if (!batch->out)
		die("%s: %s", folder, strerror(errno));
	free(folder);
	batch->table.folder = batch->out;
	char *path = xasprintf("%s/" BATCH_FILE, batch->out);
	if (resume)
		check_batch_file(batch, path);
	else if (file_exists(path))
		die("%s holds a batch: --resume goes on with it", batch->out);
	else
		write_batch_file(batch, path);
	for (size_t i = 0; i < batch->table.nr && resume; i++)
		batch_read_result(batch, &batch->table.rows[i]);
	free(path);
}

/* ---- what is printed ---- */

static void write_page(const struct batch *batch)
{
	char *path = xasprintf("%s/" BATCH_PAGE, batch->out);
	struct outfile out;

	outfile_open(&out, path);
	batch_print_html(&batch->table, out.file);
	outfile_close(&out);
	fprintf(stderr, "batch: %s\n", path);
	free(path);
}

static void print_table(const struct batch *batch)
{
	if (option(batch->arguments, "json"))
		batch_print_json(&batch->table, stdout);
	else if (option(batch->arguments, "csv"))
		batch_print_csv(&batch->table, stdout);
	else
		batch_print_text(&batch->table, stdout);
	if (option(batch->arguments, "html"))
		write_page(batch);
	else
		fprintf(stderr, "batch: %s\n", batch->out);
	if (batch->interrupted)
		warn("interrupted: --resume --out %s goes on with it", batch->out);
}

static int batch_command(const struct arguments *arguments)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	struct batch batch = {.arguments = arguments, .command = option(arguments, "watch")};

	if (option(arguments, "json") && option(arguments, "csv"))
		die("--json and --csv: one of them");
	batch.jobs = option_number(arguments, "jobs", processors > 0 ? (uint64_t)processors : 1, 1, 1000);
	leaks_check(arguments);
	add_rows(&batch);
	open_folder(&batch);
	batch_run_jobs(&batch);
	print_table(&batch);
	int status = batch_table_status(&batch.table);
	for (size_t i = 0; i < batch.table.nr; i++)
		batch_row_free(&batch.table.rows[i]);
	free(batch.table.rows);
	free(batch.out);
	return status;
}

static const struct option_spec options[] = {
    {"watch", "COMMAND",
     "run this in each folder, as `pagetrail watch` does; without it, runs are read that are there"},
    {"out", "FOLDER", "where all that is written goes; -o FOLDER for short (pagetrail-batch/ and the time)"},
    {"jobs", "N", "so many trees at a time (as many as there are processors)"},
    {"timeout", "SECONDS", "end what runs in a tree after so long (600)"},
    {"resume", NULL, "go on with the batch in --out: what is done there stays"},
    {"html", NULL, "write a report of each run, and FOLDER/index.html with links to them"},
    {"csv", NULL, "print the table as CSV"},
    {"json", NULL, "as JSON"},
    WATCH_OPTIONS,
    {NULL, NULL, NULL},
};

const struct command command_batch = {
    .name = "batch",
    .operands = "FOLDER...",
    .summary = "watch many trees, or read many runs: one table of what leaks in which",
    .min_operands = 1,
    .max_operands = 100000,
    .options = options,
    .run = batch_command,
};
