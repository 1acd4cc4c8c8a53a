/* pagetrail stacks: the call sites that take pages and objects, by how much they hold. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/json.h"
#include "command.h"

#define LIMIT 20

struct row {
	uint32_t stack;
	const struct site *site;
	uint64_t key;
};

static int compare_rows(const void *a, const void *b)
{
	const struct row *left = a, *right = b;

	if (left->key != right->key)
		return left->key > right->key ? -1 : 1;
	return left->stack < right->stack ? -1 : left->stack > right->stack;
}

static uint64_t sort_key(const struct site *site, const char *by)
{
	if (!strcmp(by, "peak"))
		return site->pages_peak + site->objects_peak;
	if (!strcmp(by, "total"))
		return site->allocs + site->object_allocs;
	return site->pages_live + site->objects_live;
}

static void print_row(const struct row *row, struct stackbook *book)
{
	const struct site *site = row->site;

	printf("\n");
	if (site->allocs)
		printf("pages   live %" PRIu64 ", peak %" PRIu64 ", taken %" PRIu64
		       " times, given back %" PRIu64 " times\n",
		       site->pages_live, site->pages_peak, site->allocs, site->frees);
	if (site->object_allocs)
		printf("objects live %" PRIu64 ", peak %" PRIu64 ", made %" PRIu64 ", freed %" PRIu64 "\n",
		       site->objects_live, site->objects_peak, site->object_allocs, site->object_frees);
	stackbook_print(book, row->stack, "    ", stdout);
}

static void print_json(const struct row *rows, size_t nr, size_t shown, const char *by, struct run *run,
		       struct stackbook *book)
{
	struct json json;

	json_begin_command(&json, stdout, "stacks", run_complete(run) ? "complete" : "cannot tell");
	json_int(&json, "call_sites", (int64_t)nr);
	json_string(&json, "by", by);
	json_open(&json, "sites", '[');
	for (size_t i = 0; i < shown; i++) {
		const struct site *site = rows[i].site;
		json_open(&json, NULL, '{');
		json_int(&json, "stack", rows[i].stack);
		json_string(&json, "function", stackbook_function(book, rows[i].stack));
		json_int(&json, "pages_live", (int64_t)site->pages_live);
		json_int(&json, "pages_peak", (int64_t)site->pages_peak);
		json_int(&json, "page_allocs", (int64_t)site->allocs);
		json_int(&json, "page_frees", (int64_t)site->frees);
		json_int(&json, "objects_live", (int64_t)site->objects_live);
		json_int(&json, "objects_peak", (int64_t)site->objects_peak);
		json_int(&json, "object_allocs", (int64_t)site->object_allocs);
		json_int(&json, "object_frees", (int64_t)site->object_frees);
		json_stack(&json, "frames", book, rows[i].stack);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_end(&json);
}

static int stacks_run(const struct arguments *arguments)
{
	const char *by = option(arguments, "by") ? option(arguments, "by") : "live";
	bool as_json = option(arguments, "json") != NULL;
	uint64_t limit = option_number(arguments, "limit", as_json ? UINT64_MAX : LIMIT, 0, UINT64_MAX);

	if (strcmp(by, "live") && strcmp(by, "peak") && strcmp(by, "total"))
		die("--by: live, peak or total, not %s", by);
	struct run *run = open_run(arguments->operands[0]);
	struct model *model = model_replay(run, NULL);
	struct stackbook *book = stackbook_open(run);
	struct row *rows = xcalloc(model->nr_sites, sizeof(*rows));
	size_t nr = 0;

	for (uint32_t i = 1; i < model->nr_sites; i++) {
		const struct site *site = &model->sites[i];
		if (site->allocs || site->object_allocs)
			rows[nr++] = (struct row){i, site, sort_key(site, by)};
	}
	qsort(rows, nr, sizeof(*rows), compare_rows);
	size_t shown = nr < limit ? nr : limit;
	if (as_json) {
		print_json(rows, nr, shown, by, run, book);
	} else {
		run_print_losses(run, stdout);
		printf("%zu call sites, by %s\n", nr, by);
		for (size_t i = 0; i < shown; i++)
			print_row(&rows[i], book);
	}
	int status = run_complete(run) ? STATUS_NOTHING_LOST : STATUS_CANNOT_TELL;
	free(rows);
	stackbook_close(book);
	model_free(model);
	run_close(run);
	return status;
}

static const struct option_spec options[] = {
    {"by", "live|peak|total", "what to sort by (live)"},
    {"limit", "N", "at most so many (20; as JSON all)"},
    {"json", NULL, "as JSON"},
    {NULL, NULL, NULL},
};

const struct command command_stacks = {
    .name = "stacks",
    .operands = "RUN",
    .summary = "list the call sites that take pages and objects",
    .description = "For each allocation stack: what it holds at the end, the most it ever held, and how "
		   "often it took and\n"
		   "gave back.\n",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = stacks_run,
};
