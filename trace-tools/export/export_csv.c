/* SPDX-License-Identifier: MIT */
/* export_csv: one line an event, in the order of time. See export.h. */
#include <inttypes.h>
#include <string.h>

#include "base/progress.h"
#include "base/text.h"
#include "ctf/merge.h"
#include "export.h"

static void put_event(FILE *out, const struct columns *columns, struct stack_table *stacks,
		      const struct trace_record *record, uint32_t hart)
{
	const struct event_info *event = event_info(record->event);
	const struct field_info *fields[COLUMNS_MAX] = {0};
	char text[17];

	fprintf(out, "%" PRIu64 ".%07" PRIu64 ",%u,%s,", record->time / 10000000, record->time % 10000000,
		hart, event->name);
	if (event->flags == FLAGS_PAGE)
		fprintf(out, "%s,%u,", page_kind_text(record_page_kind(record)), record_order(record));
	else
		fprintf(out, "%s,,", event->flags == FLAGS_SUBJECT ? record->flags ? "object" : "page" : "");
	csv_text(out, event_kind_text(event, record->kind));
	if (record->stack) {
		fprintf(out, ",%u,", record->stack);
		csv_text(out, stack_table_function(stacks, record->stack));
	} else {
		fputs(",,", out);
	}
	for (uint32_t i = 0; i < event->nr_fields; i++)
		fields[columns->column_of[record->event][i]] = &event->fields[i];
	for (uint32_t i = 0; i < columns->nr; i++) {
		fputc(',', out);
		if (!fields[i])
			continue;
		uint64_t value = column_value(record, fields[i], text);
		if (fields[i]->text)
			csv_text(out, text);
		else
			fprintf(out, "%" PRIu64, value);
	}
	fputs("\r\n", out);
}

void export_csv(struct run *run, struct stack_table *stacks, FILE *out)
{
	const struct trace_record *records;
	struct columns columns;
	struct merge merge;
	uint32_t stream;
	size_t nr;

	columns_make(&columns);
	fputs("time,hart,event,subject,order,kind,stack,function", out);
	for (uint32_t i = 0; i < columns.nr; i++)
		fprintf(out, ",%s", columns.names[i]);
	fputs("\r\n", out);
	progress_name("writing events");
	merge_begin(&merge, run, NULL, NULL);
	while ((nr = merge_batch(&merge, &records, &stream)) != 0) {
		for (size_t i = 0; i < nr; i++)
			put_event(out, &columns, stacks, &records[i], run->streams[stream].hart);
	}
}
