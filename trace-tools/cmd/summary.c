/* SPDX-License-Identifier: MIT */
/* pagetrail summary: how much of what is in a run. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/json.h"
#include "command.h"
#include "report/print.h"

static void print_streams(const struct run *run)
{
	char first[24], last[24];

	for (uint32_t i = 0; i < run->nr_streams; i++) {
		const struct stream *stream = &run->streams[i];
		printf("  hart%-3u %12" PRIu64 " events in %zu packet%s, %s to %s s", stream->hart,
		       stream->chain.nr_records, stream->nr_packets, plural_s(stream->nr_packets),
		       time_text(stream->chain.begin_time, first), time_text(stream->chain.end_time, last));
		if (stream->chain.discarded)
			printf(", %" PRIu64 " discarded", stream->chain.discarded);
		putchar('\n');
	}
	printf("  stacks  %12u definitions\n", run->nr_stacks);
}

static void print_events(const struct model *model)
{
	for (uint32_t id = 0; id < EVENT_ID_MAX; id++) {
		if (model_totals(model)->by_event[id])
			printf("  %-14s %12" PRIu64 "\n", event_info(id)->name,
			       model_totals(model)->by_event[id]);
	}
}

static void print_live(const struct model *model)
{
	const char *exactness = run_complete(model_run(model)) ? "replay" : "replay, not exact over losses";

	printf("live at the end:");
	for (uint32_t kind = 0; kind < PK_NR; kind++) {
		if (model_totals(model)->pages_by_kind[kind])
			printf(" %s %" PRId64, page_kind_text(kind),
			       model_totals(model)->pages_by_kind[kind]);
	}
	printf(" pages; %zu object%s, %zu reference%s\n", model_nr_objects(model),
	       plural_s(model_nr_objects(model)), model_nr_references(model),
	       plural_s(model_nr_references(model)));
	if (model_totals(model)->sampled)
		printf("free pages at the end: %" PRId64 " (%s); %" PRIu64
		       " samples, largest difference %" PRId64 "\n",
		       model_free_pages(model), exactness, model_totals(model)->nr_samples,
		       model_totals(model)->sample_worst);
	else if (model_knows_free(model))
		printf("free pages at the end: %" PRId64 " (%s)\n", model_free_pages(model), exactness);
	if (model_totals(model)->out_of_order)
		printf("%" PRIu64 " page records %s\n", model_totals(model)->out_of_order,
		       model_run(model)->watched
			   ? "find another count than the one before left: it changed where nothing is traced"
			   : "are slightly out of order with another hart's");
	if (model_totals(model)->ooms || model_totals(model)->fails_injected)
		printf("%" PRIu64 " allocation%s failed: out of memory, %" PRIu64
		       " were refused by fail-nth\n",
		       model_totals(model)->ooms, plural_s(model_totals(model)->ooms),
		       model_totals(model)->fails_injected);
	if (model_totals(model)->panic_time)
		printf("PANIC: %s\n", model_totals(model)->panic);
}

static void print_json(const struct run *run, const struct model *model)
{
	struct json json;

	json_begin_command(&json, stdout, "summary", run_complete(run) ? "complete" : "cannot tell");
	json_int(&json, "events", (int64_t)model_totals(model)->nr_events);
	json_int(&json, "stacks", run->nr_stacks);
	json_int(&json, "total", (int64_t)model_totals(model)->nr_events + run->nr_stacks);
	json_bool(&json, "complete", run_complete(run));
	json_int(&json, "events_discarded", (int64_t)run_discarded(run));
	json_int(&json, "packets_missing", (int64_t)run_missing_packets(run));
	json_bool(&json, "beginning_missing", run_starts_late(run));
	json_open(&json, "damage", '[');
	for (size_t i = 0; i < run->nr_damages && i < DAMAGES_KEPT; i++) {
		json_open(&json, NULL, '{');
		json_string(&json, "file", run->damages[i].path);
		json_int(&json, "offset", (int64_t)run->damages[i].offset);
		json_string(&json, "what", run->damages[i].what);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_real(&json, "begin", time_seconds(model_totals(model)->first_time));
	json_real(&json, "end", time_seconds(model_totals(model)->last_time));
	json_open(&json, "by_event", '{');
	for (uint32_t id = 0; id < EVENT_ID_MAX; id++) {
		if (event_info(id))
			json_int(&json, event_info(id)->name, (int64_t)model_totals(model)->by_event[id]);
	}
	json_close(&json, '}');
	json_open(&json, "live_pages", '{');
	for (uint32_t kind = 1; kind < PK_NR; kind++)
		json_int(&json, page_kind_text(kind), model_totals(model)->pages_by_kind[kind]);
	json_close(&json, '}');
	json_int(&json, "live_objects", (int64_t)model_nr_objects(model));
	json_int(&json, "open_references", (int64_t)model_nr_references(model));
	json_int(&json, "free_pages", model_free_pages(model));
	json_int(&json, "sample_difference", model_totals(model)->sample_worst);
	json_int(&json, "out_of_order", (int64_t)model_totals(model)->out_of_order);
	tests_json(model, &json);
	json_end(&json);
}

static int summary_run(const struct arguments *arguments)
{
	struct run *run = open_run(arguments->operands[0]);
	bool as_json = option(arguments, "json") != NULL;

	if (!as_json) {
		printf("%s: %u hart%s\n", run->folder, run->nr_streams, plural_s(run->nr_streams));
		print_streams(run);
		fflush(stdout); /* the rest takes a look at every record */
	}
	struct model *model = model_replay(run, NULL);
	if (as_json) {
		print_json(run, model);
	} else {
		print_events(model);
		printf("total %" PRIu64 " = %" PRIu64 " event%s + %u stack definition%s\n",
		       model_totals(model)->nr_events + run->nr_stacks, model_totals(model)->nr_events,
		       plural_s(model_totals(model)->nr_events), run->nr_stacks, plural_s(run->nr_stacks));
		print_live(model);
		run_print_losses(run, stdout);
		if (run_complete(run))
			printf("complete: nothing discarded, nothing missing\n");
		if (option(arguments, "tests"))
			tests_print(model, stdout);
	}
	int status = run_complete(run) ? STATUS_OK : STATUS_CANNOT_TELL;
	model_free(model);
	run_close(run);
	return status;
}

static const struct option_spec options[] = {
    {"json", NULL, "as JSON"},
    {"tests", NULL, "a table of the tests, too"},
    {NULL, NULL, NULL},
};

const struct command command_summary = {
    .name = "summary",
    .operands = "RUN",
    .summary = "count the events of a run, and check that none are missing",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = summary_run,
};
