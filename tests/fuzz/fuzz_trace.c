/* SPDX-License-Identifier: MIT */
/*
 * fuzz_trace: the bytes of a trace through the reading layer: packets, stacks, records in order, each field of each
 * record. The input is a capture of /proc/ktrace: packets of stacks and of several harts in one file.
 *
 * Nothing in the library may exit for what stands in a trace, so an exit is a finding, too.
 */
#include <stdlib.h>

#include "ctf/merge.h"
#include "export/export.h"
#include "fuzz.h"

static void read_fields(const struct run *run, const struct trace_record *record)
{
	const struct event_info *event = event_info(record->event);
	const uint32_t *frames;
	char text[17];

	event_kind_text(event, record->kind);
	for (uint32_t i = 0; i < event->nr_fields; i++)
		column_value(record, &event->fields[i], text);
	if (run_stack(run, record->stack, &frames) > TRACE_STACK_FRAMES)
		abort();
}

/* MERGE-1, whatever the bytes are. */
static void read_in_order(struct run *run)
{
	const struct trace_record *records;
	struct merge merge;
	uint64_t last = 0, nr_records = 0;
	uint32_t stream;
	size_t nr;

	merge_begin(&merge, run, NULL, NULL);
	while ((nr = merge_batch(&merge, &records, &stream)) != 0) {
		for (size_t i = 0; i < nr; i++) {
			if (records[i].time < last || !event_known(records[i].event))
				abort();
			last = records[i].time;
			read_fields(run, &records[i]);
		}
		nr_records += nr;
	}
	if (nr_records > run->nr_records || (nr_records < run->nr_records && run_complete(run)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *error = NULL;
	struct run *run = run_open(fuzz_file(data, size), &error);

	if (run) {
		read_in_order(run);
		run_print_losses(run, fuzz_out());
		run_close(run);
	}
	free(error);
	return 0;
}
