/* SPDX-License-Identifier: MIT */
/* pagetrail stacks: the call sites that take pages and objects, by how much they hold and how often they take. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "command.h"
#include "report/print.h"

/* Rows shown when nobody says how many. */
#define LIMIT 20

struct row {
	uint32_t stack;
	const struct site *site;
	uint64_t key;
};

struct look {
	const struct model *model;
	struct stack_table *stacks;
	struct row *rows;
	size_t nr;
	uint64_t limit;
	const char *by;
	double seconds; /* of the run */
};

static uint64_t key_live(const struct site *site)
{
	return site->pages_live + site->objects_live;
}

static uint64_t key_peak(const struct site *site)
{
	return site->pages_peak + site->objects_peak;
}

static uint64_t key_total(const struct site *site)
{
	return site->pages_allocated + site->object_allocs;
}

/* What went through: taken and given back. */
static uint64_t key_churn(const struct site *site)
{
	return site->pages_freed + site->object_frees;
}

static const struct {
	const char *name;
	uint64_t (*key)(const struct site *site);
} keys[] = {{"live", key_live}, {"peak", key_peak}, {"total", key_total}, {"churn", key_churn}};
#define NR_KEYS (sizeof(keys) / sizeof(keys[0]))

static int compare_rows(const void *a, const void *b)
{
	const struct row *left = a, *right = b;

	if (left->key != right->key)
		return left->key > right->key ? -1 : 1;
	return left->stack < right->stack ? -1 : left->stack > right->stack;
}

static void make_rows(struct look *look)
{
	size_t by = 0;

	while (by < NR_KEYS && strcmp(keys[by].name, look->by))
		by++;
	if (by == NR_KEYS)
		die("--by: live, peak, total or churn, not %s", look->by);
	uint32_t nr_sites;
	const struct site *sites = model_sites(look->model, &nr_sites);
	look->rows = xcalloc(nr_sites, sizeof(*look->rows));
	for (uint32_t i = 1; i < nr_sites; i++) {
		const struct site *site = &sites[i];
		if (site->allocs || site->object_allocs)
			look->rows[look->nr++] = (struct row){i, site, keys[by].key(site)};
	}
	if (look->nr)
		qsort(look->rows, look->nr, sizeof(*look->rows), compare_rows);
}

static double per_second(const struct look *look, uint64_t nr)
{
	return look->seconds > 0 ? (double)nr / look->seconds : 0;
}

/* Seconds that one of nr lived on average. */
static double mean_life(uint64_t ticks, uint64_t nr)
{
	return nr ? time_seconds(ticks) / (double)nr : 0;
}

static void print_row(const struct look *look, const struct row *row)
{
	const struct site *site = row->site;

	printf("\n");
	if (site->allocs) {
		printf("pages   live %" PRIu64 ", peak %" PRIu64 ", total %" PRIu64 "; allocated %" PRIu64
		       " time%s, freed %" PRIu64 " time%s",
		       site->pages_live, site->pages_peak, site->pages_allocated, site->allocs,
		       plural_s(site->allocs), site->frees, plural_s(site->frees));
		if (site->pages_freed)
			printf("; churn %" PRIu64 " (%.1f a second), mean life %.6f s", site->pages_freed,
			       per_second(look, site->pages_freed),
			       mean_life(site->page_ticks, site->pages_freed));
		printf("\n");
	}
	if (site->object_allocs) {
		printf("objects live %" PRIu64 ", peak %" PRIu64 ", allocated %" PRIu64 ", freed %" PRIu64,
		       site->objects_live, site->objects_peak, site->object_allocs, site->object_frees);
		if (site->object_frees)
			printf(" (%.1f a second), mean life %.6f s", per_second(look, site->object_frees),
			       mean_life(site->object_ticks, site->object_frees));
		printf("\n");
	}
	stack_table_print(look->stacks, row->stack, "    ", stdout);
}

static void json_row(struct json *json, const struct look *look, const struct row *row)
{
	const struct site *site = row->site;

	json_open(json, NULL, '{');
	json_int(json, "stack", row->stack);
	json_string(json, "function", stack_table_function(look->stacks, row->stack));
	json_int(json, "pages_live", (int64_t)site->pages_live);
	json_int(json, "pages_peak", (int64_t)site->pages_peak);
	json_int(json, "pages_total", (int64_t)site->pages_allocated);
	json_int(json, "pages_churn", (int64_t)site->pages_freed);
	json_real(json, "page_life", mean_life(site->page_ticks, site->pages_freed));
	json_int(json, "page_allocs", (int64_t)site->allocs);
	json_int(json, "page_frees", (int64_t)site->frees);
	json_int(json, "objects_live", (int64_t)site->objects_live);
	json_int(json, "objects_peak", (int64_t)site->objects_peak);
	json_int(json, "object_allocs", (int64_t)site->object_allocs);
	json_int(json, "object_frees", (int64_t)site->object_frees);
	json_real(json, "object_life", mean_life(site->object_ticks, site->object_frees));
	json_stack(json, "frames", look->stacks, row->stack);
	json_close(json, '}');
}

static void print_json(const struct look *look)
{
	struct json json;

	json_begin_command(&json, stdout, "stacks",
			   run_complete(model_run(look->model)) ? "complete" : "cannot tell");
	json_string(&json, "by", look->by);
	json_real(&json, "seconds", look->seconds);
	json_int(&json, "call_sites", (int64_t)look->nr);
	json_open(&json, "sites", '[');
	for (size_t i = 0; i < look->nr && i < look->limit; i++)
		json_row(&json, look, &look->rows[i]);
	json_close(&json, ']');
	json_end(&json);
}

static int stacks_run(const struct arguments *arguments)
{
	bool as_json = option(arguments, "json") != NULL;
	struct look look = {
	    .by = option(arguments, "by") ? option(arguments, "by") : "live",
	    .limit = option_number(arguments, "limit", as_json ? UINT64_MAX : LIMIT, 0, UINT64_MAX)};
	struct run *run = open_run(arguments->operands[0]);
	struct model *model = model_replay(run, NULL);

	look.model = model;
	look.stacks = stack_table_open(run);
	look.seconds = time_seconds(model_totals(model)->last_time - model_totals(model)->first_time);
	make_rows(&look);
	if (as_json) {
		print_json(&look);
	} else {
		run_print_losses(run, stdout);
		printf("%zu call site%s, by %s\n", look.nr, plural_s(look.nr), look.by);
		for (size_t i = 0; i < look.nr && i < look.limit; i++)
			print_row(&look, &look.rows[i]);
		if (look.nr > look.limit)
			printf("\n%zu more (--limit)\n", look.nr - (size_t)look.limit);
	}
	int status = run_complete(run) ? STATUS_OK : STATUS_CANNOT_TELL;
	free(look.rows);
	stack_table_close(look.stacks);
	model_free(model);
	run_close(run);
	return status;
}

static const struct option_spec options[] = {
    {"by", "live|peak|total|churn", "what to sort by (live)"},
    {"limit", "N", "at most so many (20; as JSON all)"},
    {"json", NULL, "as JSON"},
    FORCE_SYMBOLS,
    {NULL, NULL, NULL},
};

const struct command command_stacks = {
    .name = "stacks",
    .operands = "RUN",
    .summary = "list the call sites that allocate pages and objects",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = stacks_run,
};
