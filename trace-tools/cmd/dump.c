/* pagetrail dump: the records of a run as text, in one order over all harts. */
#include <inttypes.h>
#include <string.h>

#include "command.h"

struct dump {
	const struct arguments *arguments;
	struct stackbook *book; /* NULL: addresses stay numbers */
	uint32_t event;         /* 0: all */
	bool one_page;
	uint32_t pfn;
	uint64_t limit, nr;
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
	print_record_fields(stdout, record);
	putchar('\n');
	if (dump->book && record->stack)
		stackbook_print(dump->book, record->stack, "      ", stdout);
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
		die("%s is no page of RAM: give an address or a page frame number", page);
	if (option(arguments, "resolve"))
		dump.book = stackbook_open(run);
	merge_begin(&merge, run, NULL, NULL);
	while (dump.nr < dump.limit && (nr = merge_batch(&merge, &records, &stream)) != 0) {
		for (size_t i = 0; i < nr && dump.nr < dump.limit; i++) {
			if (wanted(&dump, &records[i])) {
				print_record(&dump, run, &records[i], stream);
				dump.nr++;
			}
		}
	}
	run_print_losses(run, stderr);
	int status = run_complete(run) ? STATUS_NOTHING_LOST : STATUS_CANNOT_TELL;
	if (dump.book)
		stackbook_close(dump.book);
	run_close(run);
	return status;
}

static const struct option_spec options[] = {
    {"resolve", NULL, "print each stack with function, file and line"},
    {"event", "EVENT", "only events of this name"},
    {"page", "ADDR|PFN", "only events of this page"},
    {"limit", "N", "at most so many"},
    {NULL, NULL, NULL},
};

const struct command command_dump = {
    .name = "dump",
    .operands = "RUN",
    .summary = "print the events of a run, in the order of time",
    .description = "One line an event: seconds since power-on, hart, event, fields. Losses and damage are "
		   "said on stderr.\n",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = dump_run,
};
