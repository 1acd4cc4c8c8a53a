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

/* Nothing was compared, and why. */
static int cannot_tell(char *fault, const char *first, const char *second, unsigned tries, bool as_json)
{
	const struct same_trace nothing = {.what = TRACE_HARTS_DIFFER};

	warn("%s", fault);
	free(fault);
	if (as_json)
		print_json(&nothing, first, second, STATUS_CANNOT_TELL, tries);
	return STATUS_CANNOT_TELL;
}

static int compare(struct again *again, const struct run *recorded, const char *second, bool as_json)
{
	struct same_trace found = {.what = TRACE_HARTS_DIFFER};
	struct run *repeated = NULL;
	unsigned tries = 0;

	while (found.what != TRACE_SAME && tries++ < TRIES) {
		if (repeated)
			run_close(repeated);
		char *fault = again_run(again, second, NULL);
		if (fault)
			return cannot_tell(fault, recorded->folder, second, tries, as_json);
		repeated = open_run(second);
		found = trace_compare(recorded, repeated);
	}
	tries = tries > TRIES ? TRIES : tries;
	int status = found.what == TRACE_SAME ? STATUS_OK : STATUS_LEAKED;
	if (as_json)
		print_json(&found, recorded->folder, second, status, tries);
	else
		print_text(&found, recorded->folder, second, tries);
	run_close(repeated);
	return status;
}

static int rerun_run(const struct arguments *arguments)
{
	const char *first = arguments->operands[0];
	char *second =
	    option(arguments, "out") ? xstrdup(option(arguments, "out")) : xasprintf("%s/again", first);
	bool as_json = option(arguments, "json") != NULL;
	struct again again;
	char *error;

	if (!again_read(&again, first, &error))
		die("%s", error);
	struct run *recorded = open_run(first);
	char *fault = again_unfit(recorded);
	if (fault)
		die("%s", fault);
	int status = compare(&again, recorded, second, as_json);
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
