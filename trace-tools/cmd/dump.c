/* SPDX-License-Identifier: MIT */
/* pagetrail dump: the records of a run as text, in one order over all harts. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/progress.h"
#include "command.h"
#include "export/export.h"
#include "report/print.h"

struct dump {
	const struct arguments *arguments;
	struct stack_table *stacks; /* NULL: addresses stay numbers */
	uint32_t event;             /* 0: all */
	bool one_page;
	uint32_t pfn;
	uint64_t limit, nr;
	bool as_json;
	struct json json;
	/* A panic's text comes in parts; it is printed when the last is there. */
	struct trace_record panic; /* the first of them; event 0: none waits */
	uint32_t panic_stream;
	char panic_text[PANIC_TEXT_BYTES];
};

static bool wanted(const struct dump *dump, const struct trace_record *record)
{
	if (dump->event && record->event != dump->event)
		return false;
	if (!dump->one_page)
		return true;
	if (event_is_page(record->event))
		return record->payload.ev_payload_page_alloc.pfn == dump->pfn;
	return record->event == EV_finding && !record->flags &&
	       record->payload.ev_payload_finding.where == dump->pfn;
}

static void print_record(const struct dump *dump, const struct run *run, const struct trace_record *record,
			 uint32_t stream)
{
	char time[24];

	printf("%s hart%u %s", time_text(record->time, time), run->streams[stream].hart,
	       event_info(record->event)->name);
	if (record->event == EV_panic)
		printf(" %s", dump->panic_text);
	else
		print_record_fields(stdout, record);
	putchar('\n');
	if (dump->stacks && record->stack)
		stack_table_print(dump->stacks, record->stack, "      ", stdout);
}

static void json_fields(const struct dump *dump, struct json *json, const struct trace_record *record)
{
	const struct event_info *event = event_info(record->event);
	char text[17];

	json_open(json, "fields", '{');
	for (uint32_t i = 0; i < event->nr_fields; i++) {
		uint64_t value = column_value(record, &event->fields[i], text);
		if (event->fields[i].text)
			json_string(json, event->fields[i].name,
				    record->event == EV_panic ? dump->panic_text : text);
		else
			json_int(json, event->fields[i].name, (int64_t)value);
	}
	json_close(json, '}');
}

static void json_record(struct dump *dump, const struct run *run, const struct trace_record *record,
			uint32_t stream)
{
	const struct event_info *event = event_info(record->event);
	struct json *json = &dump->json;

	json_open(json, NULL, '{');
	json_real(json, "time", time_seconds(record->time));
	json_int(json, "hart", run->streams[stream].hart);
	json_string(json, "event", event->name);
	json_string(json, "kind", event_kind_text(event, record->kind));
	if (event->flags == FLAGS_PAGE) {
		json_string(json, "page_kind", page_kind_text(record_page_kind(record)));
		json_int(json, "order", record_order(record));
	} else if (event->flags == FLAGS_SUBJECT) {
		json_string(json, "what", record->flags ? "object" : "page");
	}
	json_fields(dump, json, record);
	json_int(json, "stack", record->stack);
	if (dump->stacks)
		json_stack(json, "frames", dump->stacks, record->stack);
	json_close(json, '}');
}

static void dump_record(struct dump *dump, const struct run *run, const struct trace_record *record,
			uint32_t stream)
{
	if (dump->as_json)
		json_record(dump, run, record, stream);
	else
		print_record(dump, run, record, stream);
	dump->nr++;
}

static void dump_panic(struct dump *dump, const struct run *run)
{
	if (dump->panic.event && dump->nr < dump->limit)
		dump_record(dump, run, &dump->panic, dump->panic_stream);
	dump->panic.event = 0;
}

static void take_record(struct dump *dump, const struct run *run, const struct trace_record *record,
			uint32_t stream)
{
	if (record->event != EV_panic || !record->kind)
		dump_panic(dump, run);
	if (!wanted(dump, record))
		return;
	if (record->event != EV_panic) {
		if (dump->nr < dump->limit)
			dump_record(dump, run, record, stream);
		return;
	}
	if (!dump->panic.event) {
		dump->panic = *record;
		dump->panic_stream = stream;
	}
	panic_text_add(dump->panic_text, record);
}

static int dump_run(const struct arguments *arguments)
{
	struct run *run = open_run(arguments->operands[0]);
	struct dump dump = {.arguments = arguments,
			    .limit = option_number(arguments, "limit", UINT64_MAX, 0, UINT64_MAX)};
	const char *event = option(arguments, "event"), *page = option(arguments, "page");
	const struct trace_record *records;
	struct merge merge;
	uint32_t stream;
	size_t nr;

	if (event && !(dump.event = event_id(event)))
		die("there is no event %s", event);
	dump.one_page = page != NULL;
	if (page && !model_parse_page(page, &dump.pfn))
		die("%s is not a page of RAM: give an address or a page frame number", page);
	if (option(arguments, "resolve"))
		dump.stacks = stack_table_open(run);
	dump.as_json = option(arguments, "json") != NULL;
	if (dump.as_json) {
		json_begin_command(&dump.json, stdout, "dump", NULL);
		json_open(&dump.json, "events", '[');
	}
	if (isatty(STDOUT_FILENO))
		progress_stop();
	merge_begin(&merge, run, NULL, NULL);
	while (dump.nr < dump.limit && (nr = merge_batch(&merge, &records, &stream)) != 0) {
		for (size_t i = 0; i < nr && dump.nr < dump.limit; i++)
			take_record(&dump, run, &records[i], stream);
	}
	dump_panic(&dump, run);
	if (dump.as_json) {
		json_close(&dump.json, ']');
		json_string(&dump.json, "verdict", run_complete(run) ? "complete" : "cannot tell");
		json_end(&dump.json);
	}
	run_print_losses(run, stderr);
	int status = run_complete(run) ? STATUS_OK : STATUS_CANNOT_TELL;
	if (dump.stacks)
		stack_table_close(dump.stacks);
	run_close(run);
	return status;
}

static const struct option_spec options[] = {
    {"resolve", NULL, "print each stack with function, file and line"},
    {"event", "EVENT", "only events of this name"},
    {"page", "ADDR|PFN", "only events of this page"},
    {"limit", "N", "at most so many"},
    {"json", NULL, "as JSON"},
    FORCE_SYMBOLS,
    {NULL, NULL, NULL},
};

const struct command command_dump = {
    .name = "dump",
    .operands = "RUN",
    .summary = "print the events of a run, in the order of time",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = dump_run,
};
