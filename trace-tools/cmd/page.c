/* SPDX-License-Identifier: MIT */
/* pagetrail page: one page's life; each get beside the put that released it. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/json.h"
#include "command.h"
#include "replay/ledger.h"
#include "report/print.h"

/* One page, looked at. */
struct look {
	const struct ledger *ledger;
	uint32_t pfn, head; /* head: of the block that it was last a part of */
	uint32_t first_life;
	const char *at; /* the instant asked for; NULL: the end */
	uint64_t time;
	const struct model *model;
	struct stack_table *stacks;
	bool resolve;
};

static const struct trace_record *last_record(const struct look *look)
{
	return look->ledger->nr ? &look->ledger->entries[look->ledger->nr - 1].record : NULL;
}

static const char *life_text(const struct look *look)
{
	const struct trace_record *last = last_record(look);

	return !last ? "unknown" : last->event == EV_page_free ? "free" : "live";
}

static uint32_t last_kind(const struct trace_record *last)
{
	return last->event == EV_page_kind ? last->kind & (PK_NR - 1) : record_page_kind(last);
}

/* Entries of the last life that nothing released. */
static bool is_open_now(const struct look *look, size_t i)
{
	return last_record(look)->event != EV_page_free &&
	       look->ledger->entries[i].life == look->ledger->nr_lives && ledger_is_open(look->ledger, i);
}

/* ---- text ---- */

static void print_entry(const struct look *look, size_t i, bool resolve)
{
	const struct ledger_entry *entry = &look->ledger->entries[i];
	const struct trace_record *record = &entry->record;
	const struct trace_payload_page *event = &record->payload.ev_payload_page_alloc;
	char time[24];

	printf("#%-4zu %s %-10s %2u -> %-2u pid %-3u ", i + 1, time_text(record->time, time),
	       event_info(record->event)->name, event->before, event->after, event->pid);
	print_record_reference(stdout, look->model, record);
	if (record->event == EV_page_alloc && model_run(look->model)->watched)
		printf("order %u", record_order(record));
	else if (record->event == EV_page_alloc)
		printf(", %s order %u", page_kind_text(record_page_kind(record)), record_order(record));
	if (event->pfn != look->pfn)
		printf(", block at 0x%x", event->pfn);
	if (entry->released_by != LEDGER_NONE)
		printf("  released by #%zu", entry->released_by + 1);
	if (entry->releases != LEDGER_NONE)
		printf("  releases #%zu", entry->releases + 1);
	if (record->event == EV_page_put && entry->releases == LEDGER_NONE)
		printf("  releases NOTHING: there is no such reference");
	printf("  in %s\n", stack_table_function(look->stacks, record->stack));
	if (resolve)
		stack_table_print(look->stacks, record->stack, "        ", stdout);
}

/* How the entries of one life add up, once it is over. */
static void print_balance(const struct look *look, uint32_t life, bool over)
{
	size_t nr_open = 0, nr_closing = 0, nr_unreleased = 0;

	for (size_t i = 0; i < look->ledger->nr; i++) {
		const struct ledger_entry *entry = &look->ledger->entries[i];
		if (entry->life != life)
			continue;
		nr_open += entry->opens;
		nr_closing += entry->releases != LEDGER_NONE;
		nr_unreleased += ledger_is_open(look->ledger, i);
	}
	if (over && nr_unreleased)
		printf("      freed while %zu of %zu references were open\n", nr_unreleased, nr_open);
	else if (!over)
		printf("      %zu acquired, %zu released, %zu open\n", nr_open, nr_closing, nr_unreleased);
}

static void print_head(const struct look *look)
{
	const struct trace_record *last = last_record(look);
	char time[24];

	printf("page 0x%x, physical address 0x%" PRIx64 ": ", look->pfn, (uint64_t)look->pfn << PAGE_SHIFT);
	if (!last)
		printf("no event of it is in the trace");
	else if (last->event == EV_page_free)
		printf("free");
	else
		printf("%s, order %u, count %u", page_kind_text(last_kind(last)), record_order(last),
		       last->payload.ev_payload_page_alloc.after);
	if (look->head != look->pfn)
		printf(", part of the block at 0x%x", look->head);
	if (look->at)
		printf(" at %s s", time_text(look->time, time));
	else if (last)
		printf(" at the end");
	printf("\n");
	if (look->ledger->nr_lives > 1)
		printf("%u %s%s\n", look->ledger->nr_lives, plural(look->ledger->nr_lives, "life", "lives"),
		       look->first_life > 1 ? ", the last of them shown" : "");
}

static void print_text(const struct look *look)
{
	const struct ledger *ledger = look->ledger;
	bool any_open = false;

	print_head(look);
	for (size_t i = 0; i < ledger->nr; i++) {
		const struct ledger_entry *entry = &ledger->entries[i];
		if (entry->life < look->first_life)
			continue;
		bool over = entry->record.event == EV_page_free, last = i + 1 == ledger->nr;
		print_entry(look, i, look->resolve);
		if (entry->life && (over || last || ledger->entries[i + 1].life != entry->life))
			print_balance(look, entry->life, over || !last);
	}
	for (size_t i = 0; i < ledger->nr; i++) {
		if (!is_open_now(look, i))
			continue;
		if (!any_open)
			printf("open:\n");
		any_open = true;
		print_entry(look, i, false);
		stack_table_print(look->stacks, ledger->entries[i].record.stack, "        ", stdout);
	}
}

/* ---- JSON ---- */

static void json_entry(struct json *json, const struct look *look, size_t i)
{
	const struct ledger_entry *entry = &look->ledger->entries[i];
	const struct trace_record *record = &entry->record;
	const struct trace_payload_page *event = &record->payload.ev_payload_page_alloc;

	json_open(json, NULL, '{');
	json_int(json, "number", (int64_t)i + 1);
	json_int(json, "life", entry->life);
	json_real(json, "time", time_seconds(record->time));
	json_string(json, "event", event_info(record->event)->name);
	json_int(json, "block", event->pfn);
	json_int(json, "order", record_order(record));
	json_string(json, record->event == EV_page_kind ? "kind" : "ref",
		    record->event == EV_page_kind ? page_kind_text(record->kind)
						  : ref_kind_text(record->kind));
	json_int(json, "holder", event->holder);
	json_int(json, "index", event->index);
	json_int(json, "before", event->before);
	json_int(json, "after", event->after);
	json_int(json, "pid", event->pid);
	json_string(json, "function", stack_table_function(look->stacks, record->stack));
	if (entry->released_by != LEDGER_NONE)
		json_int(json, "released_by", (int64_t)entry->released_by + 1);
	if (entry->releases != LEDGER_NONE)
		json_int(json, "releases", (int64_t)entry->releases + 1);
	json_close(json, '}');
}

static void print_json(const struct look *look)
{
	const struct trace_record *last = last_record(look);
	const struct ledger *ledger = look->ledger;
	bool live = last && last->event != EV_page_free;
	struct json json;

	json_begin_command(&json, stdout, "page",
			   run_complete(model_run(look->model)) ? "complete" : "cannot tell");
	json_int(&json, "pfn", look->pfn);
	json_real(&json, "at", time_seconds(look->time));
	json_string(&json, "life", life_text(look));
	json_string(&json, "kind", live ? page_kind_text(last_kind(last)) : NULL);
	json_int(&json, "count", live ? last->payload.ev_payload_page_alloc.after : 0);
	json_int(&json, "lives", ledger->nr_lives);
	json_open(&json, "entries", '[');
	for (size_t i = 0; i < ledger->nr; i++) {
		if (ledger->entries[i].life >= look->first_life)
			json_entry(&json, look, i);
	}
	json_close(&json, ']');
	json_open(&json, "open", '[');
	for (size_t i = 0; i < ledger->nr; i++) {
		if (is_open_now(look, i))
			json_int(&json, NULL, (int64_t)i + 1);
	}
	json_close(&json, ']');
	json_end(&json);
}

/* ---- the command ---- */

static int page_run(const struct arguments *arguments)
{
	struct page_history history = {0};
	struct ledger ledger;
	struct look look = {.at = option(arguments, "at"), .resolve = option(arguments, "resolve") != NULL};
	uint64_t last_lives = option_number(arguments, "last", UINT32_MAX, 1, UINT32_MAX);

	if (!model_parse_page(arguments->operands[1], &look.pfn))
		die("%s is not a page of RAM: give an address or a page frame number",
		    arguments->operands[1]);
	struct run *run = open_run(arguments->operands[0]);
	uint64_t ram_bytes = run->manifest.ram_bytes;
	if (ram_bytes && !run->watched && look.pfn - (RAM_BASE >> PAGE_SHIFT) >= ram_bytes >> PAGE_SHIFT)
		die("%s is outside RAM: the machine had %" PRIu64 " MiB", arguments->operands[1],
		    ram_bytes >> 20);
	struct model *model = replay_at(run, look.at, &look.time);
	look.model = model;
	look.stacks = stack_table_open(run);
	history.pfn = look.pfn;
	history.until = look.at ? look.time : 0;
	history_collect(run, &history, 1, NULL, 0);
	ledger_make(&ledger, history.records, history.nr);
	look.ledger = &ledger;
	look.head = history.nr ? last_record(&look)->payload.ev_payload_page_alloc.pfn : look.pfn;
	look.first_life = ledger.nr_lives > last_lives ? ledger.nr_lives - (uint32_t)last_lives + 1 : 0;
	if (option(arguments, "json")) {
		print_json(&look);
	} else {
		run_print_losses(run, stdout);
		print_text(&look);
	}
	int status = run_complete(run) ? STATUS_OK : STATUS_CANNOT_TELL;
	ledger_free(&ledger);
	free(history.records);
	stack_table_close(look.stacks);
	model_free(model);
	run_close(run);
	return status;
}

static const struct option_spec options[] = {
    {"at", "MARK|SECONDS", "its life up to then; NAME, NAME:end, NAME#2:end are marks"},
    {"last", "N", "only its last N lives"},
    {"resolve", NULL, "print the stack of each entry"},
    {"json", NULL, "as JSON"},
    FORCE_SYMBOLS,
    {NULL, NULL, NULL},
};

const struct command command_page = {
    .name = "page",
    .operands = "RUN ADDR|PFN",
    .summary = "print one page's life: each get with the put that released it",
    .min_operands = 2,
    .max_operands = 2,
    .options = options,
    .run = page_run,
};
