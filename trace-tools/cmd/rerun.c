/* SPDX-License-Identifier: MIT */
/* pagetrail rerun: repeats a recorded run and compares the two, event by event. */
#include <inttypes.h>
#include <stdlib.h>

#include "analysis/same_trace.h"
#include "base/json.h"
#include "command.h"
#include "report/print.h"
#include "run/again.h"

/* A run that differs once is tried once more: what differs is then told of the second. */
#define TRIES 2

static const char *rerun_verdict(int status)
{
	return status == STATUS_OK ? "identical" : status == STATUS_LEAKED ? "different" : "cannot tell";
}

static void print_record(const struct same_trace *found, const struct trace_record *record, const char *whose)
{
	char time[24];

	printf("  %s: ", whose);
	if (!record) {
		printf("hart%u had ended\n", found->hart);
		return;
	}
	printf("%s %s", time_text(record->time, time), event_info(record->event)->name);
	print_record_fields(stdout, record);
	printf(", stack %u\n", record->stack);
}

static void print_text(const struct same_trace *found, const char *first, const char *second, unsigned tries)
{
	switch (found->what) {
	case TRACE_SAME:
		printf("identical: %" PRIu64 " event%s%s\n", found->nr_same, plural_s(found->nr_same),
		       tries > 1 ? ", at the second try" : "");
		break;
	case TRACE_HARTS_DIFFER:
		printf("different: the two traces have not the same harts\n");
		break;
	case TRACE_RECORDS_DIFFER:
		printf("different, twice: the first difference is event %" PRIu64 " of hart%u\n",
		       found->number, found->hart);
		print_record(found, found->a, first);
		print_record(found, found->b, second);
		break;
	case TRACE_STACKS_DIFFER:
		printf("different, twice: the events are the same, stack %" PRIu64 " is not\n",
		       found->number);
	}
}

static void print_json(const struct same_trace *found, const char *first, const char *second, int status,
		       unsigned tries)
{
	struct json json;

	json_begin_command(&json, stdout, "rerun", rerun_verdict(status));
	json_string(&json, "run", first);
	json_string(&json, "again", second);
	json_int(&json, "tries", tries);
	json_int(&json, "events_alike", (int64_t)found->nr_same);
	if (found->what == TRACE_RECORDS_DIFFER) {
		json_int(&json, "hart", found->hart);
		json_int(&json, "event_number", (int64_t)found->number);
	}
	json_end(&json);
}

static int rerun_run(const struct arguments *arguments)
{
	const char *first = arguments->operands[0];
	char *second =
	    option(arguments, "out") ? xstrdup(option(arguments, "out")) : xasprintf("%s/again", first);
	bool as_json = option(arguments, "json") != NULL;
	int status = STATUS_CANNOT_TELL;
	struct same_trace found;
	struct again again;
	char *error;

	if (!again_read(&again, first, &error))
		die("%s", error);
	struct run *recorded = open_run(first);
	for (unsigned tries = 1; status != STATUS_OK && tries <= TRIES; tries++) {
		struct session *session = again_run(&again, second, NULL);
		bool ended = session->end == END_POWEROFF;
		session_free(session);
		struct run *repeated = open_run(second);
		found = trace_compare(recorded, repeated);
		status = found.what == TRACE_SAME ? STATUS_OK : ended ? STATUS_LEAKED : STATUS_CANNOT_TELL;
		if (status == STATUS_OK || tries == TRIES || !ended) {
			if (as_json)
				print_json(&found, first, second, status, tries);
			else
				print_text(&found, first, second, tries);
		}
		run_close(repeated);
		if (!ended)
			break;
	}
	run_close(recorded);
	again_free(&again);
	free(second);
	return status;
}

static const struct option_spec options[] = {
    {"out", "RUN2", "the folder of the repeated run (RUN/again)"},
    {"json", NULL, "as JSON"},
    {NULL, NULL, NULL},
};

const struct command command_rerun = {
    .name = "rerun",
    .operands = "RUN",
    .summary = "repeat a run of --icount and say whether it was the same, event by event",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = rerun_run,
};
