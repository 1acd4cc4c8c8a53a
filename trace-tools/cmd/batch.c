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
#include "base/text.h"
#include "help.h"
#include "watch.h"

#define BATCHES_FOLDER "pagetrail-batch"
#define BATCH_FILE "batch.json"
#define BATCH_BYTES_MAX (1U << 20)
#define BATCH_PAGE "index.html"
/* Runs are looked for so deep in a folder, and so deep behind a link, which may lead to all there is. */
#define RUNS_DEPTH 16
#define LINK_DEPTH 3

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

static bool is_among(const char *path, char *const *paths, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		if (!strcmp(path, paths[i]))
			return true;
	}
	return false;
}

/*
 * The folders as absolute paths, each once. A shell's pattern for all that is in a folder gives files as well, and links to what it
 * gives already: these are left out, and it is said. A name that is not there is a mistake.
 */
static char **real_paths(const struct arguments *arguments, size_t *nr)
{
	char **paths = xcalloc((size_t)arguments->nr_operands, sizeof(*paths));
	struct stat about;

	*nr = 0;
	for (int i = 0; i < arguments->nr_operands; i++) {
		const char *given = arguments->operands[i];
		char *path = realpath(given, NULL);
		if (!path || stat(path, &about))
			die("%s: %s", given, strerror(errno));
		if (S_ISDIR(about.st_mode) && !is_among(path, paths, *nr)) {
			paths[(*nr)++] = path;
			continue;
		}
		warn("%s: %s", given,
		     S_ISDIR(about.st_mode) ? "is given twice, and done once" : "no folder, and left out");
		free(path);
	}
	if (!*nr)
		die("batch: none of these is a folder");
	return paths;
}

/* ---- the rows ---- */

static void add_row(struct batch_table *table, char *tree, const char *path, enum batch_state state)
{
	ARRAY_PUSH(table->rows, table->nr, table->capacity) =
	    (struct batch_row){.tree = tree, .path = xstrdup(path), .state = state};
}

/* A row that has its end already: `reason` is from the heap. */
static void add_failed(struct batch_table *table, const char *tree, const char *path, char *reason)
{
	add_row(table, xstrdup(tree), path, BATCH_FAILED);
	table->rows[table->nr - 1].reason = reason;
}

struct place {
	char *tree, *path;
};

/* The runs of one folder that was given. Links wait until all that is not behind one was seen. */
struct search {
	struct batch_table *table;
	struct stat *seen;
	struct place *links, *too_deep;
	size_t nr_seen, seen_capacity, nr_links, links_capacity, nr_too_deep, too_deep_capacity;
};

static bool seen_before(struct search *search, const struct stat *about)
{
	for (size_t i = 0; i < search->nr_seen; i++) {
		if (search->seen[i].st_dev == about->st_dev && search->seen[i].st_ino == about->st_ino)
			return true;
	}
	ARRAY_PUSH(search->seen, search->nr_seen, search->seen_capacity) = *about;
	return false;
}

/* What is behind a name in a folder: 0 and *about, or the errno; ENOENT is nothing at all. */
static int look_at(const char *folder, const char *name, struct stat *about)
{
	char *path = xasprintf("%s/%s", folder, name);
	int error = stat(path, about) ? errno : 0;

	/* A link that leads nowhere is more than nothing. */
	if (error == ENOENT && !lstat(path, about))
		error = EIO;
	free(path);
	return error;
}

/* A run, or something that shall be one: it gets its row. */
static bool add_run(struct search *search, const char *tree, const char *folder)
{
	struct stat about;
	int trace = look_at(folder, "trace", &about);

	if (!trace && S_ISDIR(about.st_mode))
		add_row(search->table, xstrdup(tree), folder, BATCH_NOT_RUN);
	else if (!look_at(folder, "run.json", &about))
		add_failed(search->table, tree, folder, xstrdup("it has a run.json, but no folder trace"));
	else if (trace && trace != ENOENT && trace != EIO)
		add_failed(search->table, tree, folder, xasprintf("cannot be read: %s", strerror(trace)));
	else
		return false;
	return true;
}

static void add_runs(struct search *search, const char *tree, const char *folder, unsigned depth);

/* One name in a folder. */
static void add_name(struct search *search, char *tree, char *path, unsigned depth)
{
	struct stat about;

	if (lstat(path, &about)) {
		add_failed(search->table, tree, path, xasprintf("cannot be read: %s", strerror(errno)));
	} else if (S_ISLNK(about.st_mode)) {
		ARRAY_PUSH(search->links, search->nr_links, search->links_capacity) =
		    (struct place){tree, path};
		return;
	} else if (S_ISDIR(about.st_mode) && depth) {
		add_runs(search, tree, path, depth - 1);
	} else if (S_ISDIR(about.st_mode)) {
		ARRAY_PUSH(search->too_deep, search->nr_too_deep, search->too_deep_capacity) =
		    (struct place){tree, path};
		return;
	}
	free(tree);
	free(path);
}

/* All runs in a folder and below it; tree: what the folder is called. */
static void add_runs(struct search *search, const char *tree, const char *folder, unsigned depth)
{
	struct dirent **names = NULL;
	struct stat about;

	if (!stat(folder, &about) && seen_before(search, &about))
		return;
	if (add_run(search, tree, folder))
		return;
	int nr = scandir(folder, &names, NULL, alphasort);
	if (nr < 0)
		add_failed(search->table, tree, folder, xasprintf("cannot be read: %s", strerror(errno)));
	for (int i = 0; i < nr; i++) {
		if (names[i]->d_name[0] != '.')
			add_name(search, xasprintf("%s/%s", tree, names[i]->d_name),
				 xasprintf("%s/%s", folder, names[i]->d_name), depth);
		free(names[i]);
	}
	free(names);
}

static void add_link(struct search *search, const struct place *link)
{
	struct stat about;

	if (stat(link->path, &about))
		add_failed(search->table, link->tree, link->path,
			   xasprintf("cannot be read: %s", strerror(errno)));
	else if (S_ISDIR(about.st_mode))
		add_runs(search, link->tree, link->path, LINK_DEPTH);
}

/* Folders that no link or other way has led into: one row for all of them. */
static void add_too_deep(struct search *search, const char *tree, const char *folder)
{
	const char *first = NULL;
	struct stat about;
	size_t nr = 0;

	for (size_t i = 0; i < search->nr_too_deep; i++) {
		if (stat(search->too_deep[i].path, &about) || !seen_before(search, &about))
			first = nr++ ? first : search->too_deep[i].path;
	}
	if (nr)
		add_failed(search->table, tree, folder,
			   xasprintf("%zu folder%s too deep to look for runs: %s%s", nr,
				     nr == 1 ? " is" : "s are", first, nr == 1 ? "" : ", ..."));
}

static void free_places(struct place *places, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		free(places[i].tree);
		free(places[i].path);
	}
	free(places);
}

static void find_runs(struct batch_table *table, const char *tree, const char *folder)
{
	struct search search = {.table = table};

	add_runs(&search, tree, folder, RUNS_DEPTH);
	for (size_t i = 0; i < search.nr_links; i++) {
		/* What is added meanwhile may move the list. */
		struct place link = search.links[i];
		add_link(&search, &link);
	}
	add_too_deep(&search, tree, folder);
	free_places(search.links, search.nr_links);
	free_places(search.too_deep, search.nr_too_deep);
	free(search.seen);
}

static void add_rows(struct batch *batch)
{
	size_t nr;
	char **paths = real_paths(batch->arguments, &nr);
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
			find_runs(&batch->table, tree, paths[i]);
		if (batch->table.nr == before)
			add_row(&batch->table, xstrdup(tree), paths[i], BATCH_NO_RUN);
		free(paths[i]);
	}
	free(paths);
}

/* ---- the folder ---- */

/* These decide what becomes of a tree; those that name files come first. */
static const char *const deciding[] = {
    "kernel-description", "elf",         "symbols", "baseline", "suppressions",
    "no-baseline",        "timeout",     "check",   "until",    "prompt",
    "fail-on-leak",       "leak-points", "why",     "passed",   "failed"};
#define DECIDING (sizeof(deciding) / sizeof(deciding[0]))
#define DECIDING_FILES 5

/* A file has the same name wherever the command is given. */
static void print_option(struct json *json, const char *name, const char *value, bool is_file)
{
	char *path = is_file ? realpath(value, NULL) : NULL,
	     *text = xasprintf("--%s%s%s", name, *value ? " " : "", path ? path : value);

	json_string(json, NULL, text);
	free(text);
	free(path);
}

static void print_batch_file(const struct batch *batch, FILE *out)
{
	const char **typed = option_all(batch->arguments, "type");
	struct json json;

	json_begin(&json, out);
	json_string(&json, "watch", batch->command);
	json_open(&json, "options", '[');
	for (size_t i = 0; i < DECIDING; i++) {
		const char *value = option(batch->arguments, deciding[i]);
		if (value)
			print_option(&json, deciding[i], value, i < DECIDING_FILES);
	}
	for (size_t i = 0; typed && typed[i]; i++)
		print_option(&json, "type", typed[i], false);
	json_close(&json, ']');
	json_end(&json);
	free(typed);
}

static void write_batch_file(const struct batch *batch, const char *path)
{
	struct outfile out;

	outfile_open(&out, path);
	print_batch_file(batch, out.file);
	outfile_close(&out);
}

static bool has_option(const struct json_value *list, const char *text)
{
	for (const struct json_value *one = list->first; one; one = one->next) {
		if (one->text && !strcmp(one->text, text))
			return true;
	}
	return false;
}

static void check_options(const struct batch *batch, const struct json_value *before,
			  const struct json_value *now)
{
	const struct json_value *a = before->first, *b = now->first;

	while (a && b && a->text && !strcmp(a->text, b->text)) {
		a = a->next;
		b = b->next;
	}
	if (!a && !b)
		return;
	if (a && a->text && !has_option(now, a->text))
		die("--resume: %s was begun with %s", batch->out, a->text);
	if (b && !has_option(before, b->text))
		die("--resume: %s was begun without %s", batch->out, b->text);
	die("--resume: %s was begun with its options in another order, or another number of them",
	    batch->out);
}

static struct json_value *batch_file_now(const struct batch *batch)
{
	struct text_buffer buffer;

	print_batch_file(batch, text_begin(&buffer));
	char *text = text_end(&buffer);
	struct json_value *value = json_parse(text);
	free(text);
	if (!value)
		die("--resume: too many options");
	return value;
}

/* An old batch goes on only with what it was begun with. */
static void check_batch_file(const struct batch *batch, const char *path)
{
	const char *fault, *before, *now;
	char *text = file_read_regular(path, BATCH_BYTES_MAX, NULL, &fault);

	if (!text)
		die("--resume: %s: %s", path, fault);
	struct json_value *value = json_parse(text), *ours = batch_file_now(batch);
	const struct json_value *watch = json_get(value, "watch"), *options = json_get(value, "options");
	if (!watch || !options || (watch->type != JSON_STRING && watch->type != JSON_NULL) ||
	    options->type != JSON_ARRAY)
		die("--resume: %s does not say how a batch was begun: begin a new one", path);
	before = json_get_string(value, "watch");
	now = json_get_string(ours, "watch");
	if (!before != !now || (before && strcmp(before, now)))
		die("--resume: %s was begun with%s%s", batch->out, before ? " --watch " : "out --watch",
		    before ? before : "");
	check_options(batch, options, json_get(ours, "options"));
	json_value_free(ours);
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

/* A run that is there is only read. */
static void check_watch_options(const struct batch *batch)
{
	static const char *const names[] = {"type",        "until",  "prompt",  "why",
					    "leak-points", "check",  "timeout", "kernel-description",
					    "elf",         "symbols"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !batch->command; i++) {
		if (option(batch->arguments, names[i]))
			die("--%s: only with --watch", names[i]);
	}
}

/* Now, and not once in each tree. */
static void check_patterns(const struct arguments *arguments)
{
	struct guest_tests_patterns patterns;

	guest_tests_patterns_make(&patterns, option(arguments, "passed"), option(arguments, "failed"));
	guest_tests_patterns_free(&patterns);
}

static int batch_command(const struct arguments *arguments)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	struct batch batch = {.arguments = arguments, .command = option(arguments, "watch")};

	if (option(arguments, "json") && option(arguments, "csv"))
		die("--json and --csv: one of them");
	batch.jobs = option_number(arguments, "jobs", processors > 0 ? (uint64_t)processors : 1, 1, 1000);
	check_watch_options(&batch);
	check_patterns(arguments);
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
    {"jobs", "N", "so many trees at a time; -j N for short (as many as there are processors)"},
    {"timeout", "SECONDS", "end what runs in a tree after so long (600)"},
    {"passed", "REGEX", "the guest's tests passed when its console says this (what xv6's test programs say)"},
    {"failed", "REGEX", "they failed when it says this, whatever else it says (likewise, and a panic)"},
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
