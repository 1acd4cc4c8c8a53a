/* SPDX-License-Identifier: MIT */
/* pagetrail diff: what two instants hold, of one run or of two. */
#include <inttypes.h>
#include <stdlib.h>

#include "analysis/compare.h"
#include "base/json.h"
#include "command.h"
#include "report/print.h"

struct look {
	struct run *runs[NR_SIDES]; /* the same one twice for two instants of one run */
	struct model *models[NR_SIDES];
	struct stack_table *books[NR_SIDES];
	uint64_t times[NR_SIDES];
	struct compare compare;
	uint64_t limit;
	bool all; /* also what is the same */
	const char *cut
	    [NR_SIDES]; /* of two runs: why the last instant of this one is not its machine's end; NULL: it is, or another was asked for */
};

static bool look_complete(const struct look *look)
{
	return run_complete(look->runs[SIDE_A]) && run_complete(look->runs[SIDE_B]) && !look->cut[SIDE_A] &&
	       !look->cut[SIDE_B];
}

static size_t nr_different(const struct compare_row *rows, size_t nr)
{
	size_t different = 0;

	for (size_t i = 0; i < nr; i++)
		different += compare_differs(&rows[i]);
	return different;
}

/* ---- text ---- */

static void print_sides(const struct look *look)
{
	char time[24];

	for (int side = 0; side < NR_SIDES; side++) {
		const struct compare_amount *amount = &look->compare.totals[side];
		printf("%c: %s at %s s: ", 'A' + side, look->runs[side]->folder,
		       time_text(look->times[side], time));
		printf("%" PRIu64 " page%s, %" PRIu64 " object%s", amount->pages, plural_s(amount->pages),
		       amount->objects, plural_s(amount->objects));
		if (model_knows_free(look->models[side]))
			printf(", %" PRId64 " page%s free", model_free_pages(look->models[side]),
			       plural_s(model_free_pages(look->models[side])));
		printf("\n");
		if (look->cut[side])
			printf("%c is not compared at its end: %s\n", 'A' + side, look->cut[side]);
	}
}

static void print_kinds_row(const struct compare_row *row)
{
	const struct compare_amount *a = &row->amounts[SIDE_A], *b = &row->amounts[SIDE_B];

	if (a->pages || b->pages)
		printf("%-12s %-7s %8" PRIu64 " %8" PRIu64 " %+8" PRId64 "\n", row->name, "pages", a->pages,
		       b->pages, (int64_t)(b->pages - a->pages));
	if (a->objects || b->objects)
		printf("%-12s %-7s %8" PRIu64 " %8" PRIu64 " %+8" PRId64 "\n", row->name, "objects",
		       a->objects, b->objects, (int64_t)(b->objects - a->objects));
}

/* "pagecache 30 -> 50" */
static void print_kinds_of_stack(const struct compare_row *row)
{
	const char *comma = "";

	for (uint32_t kind = 0; kind < PK_NR; kind++) {
		uint64_t a = row->kinds[SIDE_A][kind], b = row->kinds[SIDE_B][kind];
		if (a || b)
			printf("%s%s %" PRIu64 " -> %" PRIu64, comma, page_kind_text(kind), a, b);
		comma = a || b ? ", " : comma;
	}
}

static void print_stack(const struct look *look, const struct compare_row *row)
{
	const struct compare_amount *a = &row->amounts[SIDE_A], *b = &row->amounts[SIDE_B];
	int side = row->present[SIDE_B] ? SIDE_B : SIDE_A;

	printf("\n");
	if (a->pages || b->pages) {
		printf("%+" PRId64 " pages (", (int64_t)(b->pages - a->pages));
		print_kinds_of_stack(row);
		printf(")");
	}
	if (a->objects || b->objects)
		printf("%s%+" PRId64 " objects (%" PRIu64 " -> %" PRIu64 ")",
		       a->pages || b->pages ? ", " : "", (int64_t)(b->objects - a->objects), a->objects,
		       b->objects);
	if (!row->present[SIDE_A] || !row->present[SIDE_B])
		printf(", only in %c", row->present[SIDE_A] ? 'A' : 'B');
	printf("%s\n", row->by_names ? ", by the functions' names: their code differs" : "");
	stack_table_print(look->books[side], row->stacks[side], "    ", stdout);
}

static void print_text(const struct look *look)
{
	const struct compare *compare = &look->compare;
	size_t different = nr_different(compare->stacks, compare->nr_stacks), shown = 0;

	print_sides(look);
	if (nr_different(compare->rows, compare->nr_rows) || look->all)
		printf("%-12s %-7s %8s %8s %8s\n", "", "", "A", "B", "B - A");
	for (size_t i = 0; i < compare->nr_rows; i++) {
		if (look->all || compare_differs(&compare->rows[i]))
			print_kinds_row(&compare->rows[i]);
	}
	if (!different)
		printf("no difference: each stack holds as much in B as in A\n");
	else
		printf("%zu of %zu stacks differ\n", different, compare->nr_stacks);
	for (size_t i = 0; i < compare->nr_stacks; i++) {
		if (!look->all && !compare_differs(&compare->stacks[i]))
			continue;
		if (shown++ < look->limit)
			print_stack(look, &compare->stacks[i]);
	}
	if (shown > look->limit)
		printf("\n%zu more (--limit)\n", shown - (size_t)look->limit);
}

/* ---- JSON ---- */

static void json_amount(struct json *json, const char *key, const struct compare_amount *amount)
{
	json_open(json, key, '{');
	json_int(json, "pages", (int64_t)amount->pages);
	json_int(json, "objects", (int64_t)amount->objects);
	json_int(json, "object_bytes", (int64_t)amount->object_bytes);
	json_close(json, '}');
}

static void json_row(struct json *json, const struct look *look, const struct compare_row *row)
{
	int side = row->present[SIDE_B] ? SIDE_B : SIDE_A;

	json_open(json, NULL, '{');
	json_string(json, "name",
		    row->name ? row->name : stack_table_function(look->books[side], row->stacks[side]));
	json_amount(json, "a", &row->amounts[SIDE_A]);
	json_amount(json, "b", &row->amounts[SIDE_B]);
	json_int(json, "pages", (int64_t)(row->amounts[SIDE_B].pages - row->amounts[SIDE_A].pages));
	json_int(json, "objects", (int64_t)(row->amounts[SIDE_B].objects - row->amounts[SIDE_A].objects));
	if (!row->name) {
		json_bool(json, "by_names", row->by_names);
		json_stack(json, "frames", look->books[side], row->stacks[side]);
	}
	json_close(json, '}');
}

static void print_json(const struct look *look)
{
	const struct compare *compare = &look->compare;
	size_t different = nr_different(compare->stacks, compare->nr_stacks), shown = 0;
	struct json json;

	json_begin_command(&json, stdout, "diff",
			   !look_complete(look) ? "cannot tell"
			   : different          ? "different"
						: "same");
	for (int side = 0; side < NR_SIDES; side++) {
		json_open(&json, side == SIDE_A ? "a" : "b", '{');
		json_string(&json, "run", look->runs[side]->folder);
		json_real(&json, "at", time_seconds(look->times[side]));
		json_int(&json, "free_pages", model_free_pages(look->models[side]));
		json_string(&json, "stopped_early", look->cut[side]);
		json_amount(&json, "live", &compare->totals[side]);
		json_close(&json, '}');
	}
	json_open(&json, "kinds", '[');
	for (size_t i = 0; i < compare->nr_rows; i++) {
		if (look->all || compare_differs(&compare->rows[i]))
			json_row(&json, look, &compare->rows[i]);
	}
	json_close(&json, ']');
	json_int(&json, "stacks_that_differ", (int64_t)different);
	json_open(&json, "stacks", '[');
	for (size_t i = 0; i < compare->nr_stacks && shown < look->limit; i++) {
		if (!look->all && !compare_differs(&compare->stacks[i]))
			continue;
		json_row(&json, look, &compare->stacks[i]);
		shown++;
	}
	json_close(&json, ']');
	json_end(&json);
}

/* ---- the command ---- */

/* Side A of one run begins at its start, side B and both sides of two runs end at their ends. */
static void take_side(struct look *look, int side, struct run *run, const char *option, const char *instant)
{
	struct timeline timeline;

	look->runs[side] = run;
	look->times[side] = UINT64_MAX;
	if (instant) {
		timeline_read(&timeline, run);
		look->times[side] = instant_or_die(&timeline, option, instant, EDGE_BEGIN);
		timeline_free(&timeline);
	}
	look->models[side] = model_replay_to(run, NULL, look->times[side]);
	if (!instant)
		look->times[side] = model_totals(look->models[side])->last_time;
	look->books[side] = stack_table_open(run);
}

static int diff_run(const struct arguments *arguments)
{
	bool two = arguments->nr_operands == 2, as_json = option(arguments, "json") != NULL;
	const char *from = option(arguments, "from"), *to = option(arguments, "to");
	struct look look = {.limit =
				option_number(arguments, "limit", as_json ? UINT64_MAX : 20, 0, UINT64_MAX),
			    .all = option(arguments, "all") != NULL};

	if (!two && !from && !to)
		die("diff: two runs, or two instants of one (--from, --to); see `pagetrail diff --help`");
	struct run *a = open_run(arguments->operands[0]);
	struct run *b = two ? open_run(arguments->operands[1]) : a;
	take_side(&look, SIDE_A, a, "--from", !from && !two ? "start" : from);
	take_side(&look, SIDE_B, b, "--to", to);
	look.cut[SIDE_A] = two && !from ? model_stopped_early(look.models[SIDE_A]) : NULL;
	look.cut[SIDE_B] = two && !to ? model_stopped_early(look.models[SIDE_B]) : NULL;
	if (!two && look.times[SIDE_A] > look.times[SIDE_B])
		die("diff: --from is after --to");
	compare_make(&look.compare, (const struct model *const *)look.models, look.books);
	if (as_json) {
		print_json(&look);
	} else {
		for (int side = 0; side < (two ? NR_SIDES : 1); side++)
			run_print_losses(look.runs[side], stdout);
		print_text(&look);
	}
	int status = look_complete(&look) ? STATUS_OK : STATUS_CANNOT_TELL;
	compare_free(&look.compare);
	for (int side = 0; side < NR_SIDES; side++) {
		stack_table_close(look.books[side]);
		model_free(look.models[side]);
	}
	run_close(a);
	if (two)
		run_close(b);
	return status;
}

static const struct option_spec options[] = {
    {"from", "MARK|SECONDS", "the instant of A (of one run: its start; of two: A's end)"},
    {"to", "MARK|SECONDS", "the instant of B (the end)"},
    {"all", NULL, "also what is the same in both"},
    {"limit", "N", "at most so many stacks (20; as JSON all)"},
    {"json", NULL, "as JSON"},
    FORCE_SYMBOLS,
    {NULL, NULL, NULL},
};

const struct command command_diff = {
    .name = "diff",
    .operands = "A [B]",
    .summary = "compare what two instants hold: of one run, or of two runs",
    .min_operands = 1,
    .max_operands = 2,
    .options = options,
    .run = diff_run,
};
