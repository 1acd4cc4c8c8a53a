/* SPDX-License-Identifier: MIT */
/* pagetrail live: what was held at an instant, and by what. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "command.h"
#include "replay/live_set.h"
#include "report/print.h"

struct look {
	const struct model *model;
	struct stack_table *stacks;
	struct live_set set;
	uint64_t time, limit;
	const char *by;
};

/* What the rows of references that no process holds are called. */
static const char *nobody_text(uint32_t ref)
{
	switch (ref) {
	case REF_NONE:
		return "(nobody)";
	case REF_PTE:
	case REF_TABLE:
		return "(address space of no known process)";
	case REF_CACHE:
		return "(page cache)";
	case REF_DIRTY:
		return "(dirty records)";
	case REF_PIPE:
		return "(pipes)";
	case REF_SLAB:
		return "(slab caches)";
	case REF_BOOT:
		return "(since boot)";
	default:
		return "(kernel)";
	}
}

static const char *row_name(const struct look *look, const struct live_row *row)
{
	if (look->set.by == BY_KIND)
		return row->key < HOLDING_CACHE ? page_kind_text(row->key)
						: model_cache(look->model, row->key - HOLDING_CACHE)->name;
	if (look->set.by == BY_STACK)
		return stack_table_function(look->stacks, row->key);
	if (row->key >= HOLDING_REF)
		return nobody_text(row->key - HOLDING_REF);
	return model_process(look->model, row->key)->name;
}

/* A pid that holds pages though its process is gone. */
static bool row_ended(const struct look *look, const struct live_row *row)
{
	const struct holder_life *life;

	if (look->set.by != BY_PID || row->key >= HOLDING_REF)
		return false;
	life = model_process(look->model, row->key);
	return life->seen && !life->alive;
}

/* ---- text ---- */

/* "anon 12, pagetable 3" */
static void print_kinds(const struct live_row *row)
{
	const char *comma = "";

	for (uint32_t kind = 0; kind < PK_NR; kind++) {
		if (row->kinds[kind])
			printf("%s%s %" PRIu64, comma, page_kind_text(kind), row->kinds[kind]);
		comma = row->kinds[kind] ? ", " : comma;
	}
}

static void print_table_row(const struct look *look, const struct live_row *row)
{
	char time[24], bytes[24], pid[16] = "";

	if (look->set.by == BY_PID && row->key < HOLDING_REF)
		snprintf(pid, sizeof(pid), "%u", row->key);
	if (look->set.by == BY_PID)
		printf("%5s %-16s %8" PRIu64 " %8" PRIu64 " %8" PRIu64 "  %13s  ", pid, row_name(look, row),
		       row->pages, row->alone, row->objects, time_text(row->oldest, time));
	else
		printf("%-12s %8" PRIu64 " %8" PRIu64 " %12s  %13s", row_name(look, row), row->pages,
		       row->objects,
		       bytes_text(row->pages ? row->pages * PAGE_BYTES : row->object_bytes, bytes),
		       time_text(row->oldest, time));
	if (look->set.by == BY_PID)
		print_kinds(row);
	printf("%s\n", row_ended(look, row) ? "  (ended)" : "");
}

static void print_stack_row(const struct look *look, const struct live_row *row)
{
	char time[24], bytes[24];

	printf("\n");
	if (row->pages) {
		printf("%" PRIu64 " page%s, %s (", row->pages, plural_s(row->pages),
		       bytes_text(row->pages * PAGE_BYTES, bytes));
		print_kinds(row);
		printf(")");
	}
	if (row->objects)
		printf("%s%" PRIu64 " object%s, %s", row->pages ? "; " : "", row->objects,
		       plural_s(row->objects), bytes_text(row->object_bytes, bytes));
	printf(", the oldest since %s s\n", time_text(row->oldest, time));
	stack_table_print(look->stacks, row->key, "    ", stdout);
}

static void print_text(const struct look *look)
{
	const struct live_set *set = &look->set;
	char time[24], bytes[24];

	printf("at %s s: %" PRIu64 " page%s live (%s), %" PRIu64 " object%s", time_text(look->time, time),
	       set->pages, plural_s(set->pages), bytes_text(set->pages * PAGE_BYTES, bytes), set->objects,
	       plural_s(set->objects));
	if (model_knows_free(look->model))
		printf("; %" PRId64 " page%s free", model_free_pages(look->model),
		       plural_s(model_free_pages(look->model)));
	printf("\n");
	if (set->nr && set->by == BY_KIND)
		printf("%-12s %8s %8s %12s  %13s\n", "kind, cache", "pages", "objects", "bytes", "oldest, s");
	if (set->nr && set->by == BY_PID)
		printf("%5s %-16s %8s %8s %8s  %13s  %s\n", "pid", "name", "pages", "alone", "objects",
		       "oldest, s", "kinds of pages");
	for (size_t i = 0; i < set->nr && i < look->limit; i++) {
		if (set->by == BY_STACK)
			print_stack_row(look, &set->rows[i]);
		else
			print_table_row(look, &set->rows[i]);
	}
	if (set->nr > look->limit)
		printf("%s%zu more (--limit)\n", set->by == BY_STACK ? "\n" : "",
		       set->nr - (size_t)look->limit);
}

/* ---- JSON ---- */

static void json_row(struct json *json, const struct look *look, const struct live_row *row)
{
	json_open(json, NULL, '{');
	json_string(json, "name", row_name(look, row));
	if (look->set.by == BY_PID && row->key < HOLDING_REF)
		json_int(json, "pid", row->key);
	if (look->set.by == BY_PID) {
		json_int(json, "alone", (int64_t)row->alone);
		json_bool(json, "ended", row_ended(look, row));
	}
	json_int(json, "pages", (int64_t)row->pages);
	json_int(json, "objects", (int64_t)row->objects);
	json_int(json, "object_bytes", (int64_t)row->object_bytes);
	json_real(json, "oldest", time_seconds(row->oldest));
	json_open(json, "kinds", '{');
	for (uint32_t kind = 0; kind < PK_NR; kind++) {
		if (row->kinds[kind])
			json_int(json, page_kind_text(kind), (int64_t)row->kinds[kind]);
	}
	json_close(json, '}');
	if (look->set.by == BY_STACK)
		json_stack(json, "frames", look->stacks, row->key);
	json_close(json, '}');
}

static void print_json(const struct look *look)
{
	const struct live_set *set = &look->set;
	struct json json;

	json_begin_command(&json, stdout, "live",
			   run_complete(model_run(look->model)) ? "complete" : "cannot tell");
	json_real(&json, "at", time_seconds(look->time));
	json_string(&json, "by", look->by);
	json_int(&json, "pages", (int64_t)set->pages);
	json_int(&json, "objects", (int64_t)set->objects);
	json_int(&json, "free_pages", model_free_pages(look->model));
	json_open(&json, "rows", '[');
	for (size_t i = 0; i < set->nr && i < look->limit; i++)
		json_row(&json, look, &set->rows[i]);
	json_close(&json, ']');
	json_end(&json);
}

/* ---- the command ---- */

static enum live_set_by parse_by(const char *by)
{
	static const char *const names[] = {[BY_KIND] = "kind", [BY_STACK] = "stack", [BY_PID] = "pid"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(by, names[i]))
			return (enum live_set_by)i;
	}
	die("--by: kind, stack or pid, not %s", by);
}

static int live_run(const struct arguments *arguments)
{
	struct look look = {.by = option(arguments, "by") ? option(arguments, "by") : "kind"};
	enum live_set_by by = parse_by(look.by);

	bool as_json = option(arguments, "json") != NULL;
	look.limit =
	    option_number(arguments, "limit", by == BY_STACK && !as_json ? 20 : UINT64_MAX, 0, UINT64_MAX);
	struct run *run = open_run(arguments->operands[0]);
	struct model *model = replay_at(run, option(arguments, "at"), &look.time);
	look.model = model;
	look.stacks = stack_table_open(run);
	live_set_make(&look.set, model, by);
	if (as_json) {
		print_json(&look);
	} else {
		run_print_losses(run, stdout);
		print_text(&look);
	}
	int status = run_complete(run) ? STATUS_OK : STATUS_CANNOT_TELL;
	live_set_free(&look.set);
	stack_table_close(look.stacks);
	model_free(model);
	run_close(run);
	return status;
}

static const struct option_spec options[] = {
    {"at", "MARK|SECONDS", "when (at the end of the trace); NAME, NAME:end, NAME#2:end are marks"},
    {"by", "kind|stack|pid", "what to add up by (kind)"},
    {"limit", "N", "at most so many rows (all; 20 stacks, as JSON all)"},
    {"json", NULL, "as JSON"},
    FORCE_SYMBOLS,
    {NULL, NULL, NULL},
};

const struct command command_live = {
    .name = "live",
    .operands = "RUN",
    .summary = "list what was held at an instant, and by which kinds, stacks or processes",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = live_run,
};
