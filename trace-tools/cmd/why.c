/* SPDX-License-Identifier: MIT */
/*
 * pagetrail why: repeats a run and says of everything that leaked in it where its last pointer died.
 *
 * The repeated run is proved to be the same by its trace (rerun.c does that alone). One that went another way is tried once more;
 * then there is no answer, since the things that were followed were others.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "analysis/leak_point.h"
#include "analysis/same_trace.h"
#include "base/json.h"
#include "command.h"
#include "describe/follow.h"
#include "report/leak_point_text.h"
#include "run/again.h"

#define TRIES 2
#define LIMIT 64

/* What was recorded, and what is asked. */
struct why {
	const char *folder;
	struct run *run;
	struct model *model;
	struct stack_table *stacks;
	struct leaks *leaks;
	size_t limit;
	uint64_t first, last; /* groups to tell of */
	struct leaks_query query;
};

static void open_recorded(struct why *why, const struct arguments *arguments)
{
	why->folder = arguments->operands[0];
	why->limit = option_number(arguments, "limit", LIMIT, 1, 1000000);
	why->run = open_run(why->folder);
	why->model = model_replay(why->run, NULL);
	why->stacks = stack_table_open(why->run);
	why->query = (struct leaks_query){.pid = -1};
	why->leaks = leaks_find(why->model, why->stacks, &why->query);
	why->first =
	    option_number(arguments, "group", 0, 1, why->leaks->nr_groups ? why->leaks->nr_groups : 1);
	why->last = why->first ? why->first : why->leaks->nr_groups;
	why->first = why->first ? why->first - 1 : 0;
}

static void close_recorded(struct why *why)
{
	leaks_free(why->leaks);
	stack_table_close(why->stacks);
	model_free(why->model);
	run_close(why->run);
}

/* All lines of the hooks file that this needs; caller frees. */
static char *make_hooks(const struct why *why, const char *kernel)
{
	char *text = NULL, *error = NULL;
	size_t bytes;
	struct types *types = types_open(kernel, &error);
	FILE *out = open_memstream(&text, &bytes);

	if (!types || !out || !follow_own_kernel(types, out, &error))
		die("%s", error ? error : "out of memory");
	leak_points_want(why->leaks, why->limit, out);
	fclose(out);
	types_close(types);
	return text;
}

/* False: it went another way, and what it says is about other things. */
static bool repeat(const struct why *why, struct again *again, const char *folder, const char *hooks)
{
	struct same_trace found = {.what = TRACE_HARTS_DIFFER};

	for (unsigned tries = 0; tries < TRIES && found.what != TRACE_SAME; tries++) {
		session_free(again_run(again, folder, hooks));
		struct run *repeated = open_run(folder);
		found = trace_compare(why->run, repeated);
		run_close(repeated);
	}
	if (found.what == TRACE_RECORDS_DIFFER)
		warn("%s: the repeated run went another way, twice: event %" PRIu64 " of hart%u differs",
		     why->folder, found.number, found.hart);
	else if (found.what != TRACE_SAME)
		warn("%s: the repeated run went another way, twice", why->folder);
	return found.what == TRACE_SAME;
}

static void print(const struct why *why, const struct leak_points *points)
{
	printf("%s was repeated, event by event, and every pointer to what leaked was followed\n\n",
	       why->folder);
	for (size_t g = why->first; g < why->last; g++)
		leak_point_print(why->leaks, why->stacks, points, why->first, g, stdout);
}

static void print_json(const struct why *why, const struct leak_points *points, int status)
{
	struct json json;

	json_begin_command(&json, stdout, "why", status == STATUS_OK ? "no leaks" : "leaked");
	json_string(&json, "run", why->folder);
	json_open(&json, "groups", '[');
	for (size_t g = why->first; g < why->last; g++)
		leak_point_json(why->leaks, why->stacks, points, g, &json);
	json_close(&json, ']');
	json_end(&json);
}

static int tell(const struct why *why, const char *folder, bool as_json)
{
	char *path = xasprintf("%s/icount/leak-points", folder), *error;
	struct lives lives;

	if (!lives_read(&lives, path, &error))
		die("%s", error);
	struct leak_points points = leak_points_judge(why->leaks, why->stacks, &lives, why->limit);
	if (as_json)
		print_json(why, &points, STATUS_LEAKED);
	else
		print(why, &points);
	leak_points_free(&points);
	lives_free(&lives);
	free(path);
	return STATUS_LEAKED;
}

static int why_run(const struct arguments *arguments)
{
	struct why why = {0};
	struct again again;
	char *error;
	int status = STATUS_CANNOT_TELL;

	open_recorded(&why, arguments);
	if (!why.leaks->nr_groups) {
		if (option(arguments, "json"))
			print_json(&why, NULL, STATUS_OK);
		else
			printf("nothing leaked in %s\n", why.folder);
		status = why.leaks->status;
	} else if (!again_read(&again, why.folder, &error)) {
		warn("%s", error);
		free(error);
	} else {
		char *folder = xasprintf("%s/why", why.folder), *hooks = make_hooks(&why, again.kernel);
		if (repeat(&why, &again, folder, hooks))
			status = tell(&why, folder, option(arguments, "json") != NULL);
		again_free(&again);
		free(folder);
		free(hooks);
	}
	close_recorded(&why);
	return status;
}

static const struct option_spec options[] = {
    {"group", "N", "tell only of the N-th group of `pagetrail leaks`"},
    {"limit", "N", "follow at most so many of each group (64)"},
    {"json", NULL, "as JSON"},
    {NULL, NULL, NULL},
};

const struct command command_why = {
    .name = "why",
    .operands = "RUN",
    .summary = "repeat a run and say where the last pointer to what leaked died, and who is to blame",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = why_run,
};
