/* SPDX-License-Identifier: MIT */
/* python_tables: the trace's numbers as a Python module, for the plots and the tests. */
#include "ctf/colours.h"
#include "ctf/format.h"
#include "gen.h"

static void events_write(FILE *out)
{
	fprintf(out, "# event name -> (id, layout)\nEVENTS = {\n");
	for (uint32_t id = 0; id < EVENT_ID_MAX; id++) {
		if (event_info(id))
			fprintf(out, "    \"%s\": (%u, \"%s\"),\n", event_info(id)->name, id,
				event_info(id)->layout);
	}
	fprintf(out,
		"}\n\n# layout -> struct format (little endian, 16 bytes) and field names\nLAYOUTS = {\n");
	for (uint32_t id = 0; id < EVENT_ID_MAX; id++) {
		const struct event_info *event = event_info(id);
		if (!event)
			continue;
		bool seen = false;
		for (uint32_t earlier = 0; earlier < id; earlier++)
			seen = seen || (event_info(earlier) && event_info(earlier)->layout == event->layout);
		if (seen)
			continue;
		fprintf(out, "    \"%s\": (\"<", event->layout);
		for (uint32_t i = 0; i < event->nr_fields; i++) {
			const struct field_info *field = &event->fields[i];
			if (field->text)
				fprintf(out, "%us", field->bytes);
			else
				fprintf(out, "%s", field->bytes == 2 ? "H" : "I");
		}
		fprintf(out, "\", (");
		for (uint32_t i = 0; i < event->nr_fields; i++)
			fprintf(out, "\"%s\", ", event->fields[i].name);
		fprintf(out, ")),\n");
	}
	fprintf(out, "}\n\n");
}

void python_tables_write(FILE *out)
{
	fprintf(out, "# Generated from kernel/include/kernel/*.def. Do not edit.\n\n");
	events_write(out);
	fprintf(out, "PAGE_KINDS = {\n");
#define KIND(ev_kind, ev_value, ev_text) fprintf(out, "    \"%s\": %d,\n", #ev_kind, ev_value);
#include <kernel/page_kinds.def>
#undef KIND
	fprintf(out, "}\nPAGE_KIND_TEXT = {\n");
#define KIND(ev_kind, ev_value, ev_text) fprintf(out, "    %d: \"%s\",\n", ev_value, ev_text);
#include <kernel/page_kinds.def>
#undef KIND
	fprintf(out, "}\nKIND_COLOURS = {\n");
	for (uint32_t kind = 0; kind < PK_NR; kind++)
		fprintf(out, "    %u: \"%s\",\n", kind, kind_colour(kind));
	fprintf(out, "}\nREF_KINDS = {\n");
#define REF(ev_ref, ev_value, ev_text, ev_id, ev_index, ev_many)                                             \
	fprintf(out, "    \"%s\": %d,\n", #ev_ref, ev_value);
#include <kernel/ref_kinds.def>
#undef REF
	fprintf(out, "}\nVERDICTS = {\n");
#define VERDICT(ev_verdict, ev_value, ev_leak, ev_text)                                                      \
	fprintf(out, "    \"%s\": (%d, %s),\n", #ev_verdict, ev_value, ev_leak ? "True" : "False");
#include <kernel/verdicts.def>
#undef VERDICT
	fprintf(out, "}\n\nTIME_HZ = %lu\nPAGE_BYTES = %u\nRAM_BASE = 0x%lx\nPHYS_OFFSET = 0x%lx\n", TIME_HZ,
		PAGE_BYTES, RAM_BASE, PHYS_OFFSET);
	fprintf(
	    out,
	    "MAGIC = 0x%08x\nSTREAM_EVENTS = %d\nSTREAM_STACKS = %d\nSTACK_EVENT = %d\nSTACK_FRAMES = %d\n",
	    TRACE_MAGIC, TRACE_STREAM_EVENTS, TRACE_STREAM_STACKS, TRACE_STACK_EVENT, TRACE_STACK_FRAMES);
	fprintf(out, "# struct trace_packet_header: magic stream instance packet_bits content_bits begin end "
		     "sequence\n"
		     "# discarded cpu boot_id\nPACKET_HEADER = \"<IHHQQQQQQII\"\n"
		     "# struct trace_record without its payload: time event flags kind stack\nRECORD_HEAD = "
		     "\"<QHBBI\"\n");
}
