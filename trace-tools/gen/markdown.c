/* SPDX-License-Identifier: MIT */
/* markdown: the tables of docs/TRACE-FORMAT.md that come from the kernel's own. */
#include "ctf/format.h"
#include "gen.h"

static void layouts_write(FILE *out)
{
	fprintf(out,
		"\n### Payloads\n\nByte offsets within the record.\n\n| Layout | Fields |\n| --- | --- |\n");
	for (uint32_t id = 0; id < EVENT_ID_MAX; id++) {
		const struct event_info *event = event_info(id);
		bool seen = !event;
		for (uint32_t earlier = 0; earlier < id && !seen; earlier++)
			seen = event_info(earlier) && event_info(earlier)->layout == event->layout;
		if (seen)
			continue;
		fprintf(out, "| `%s` |", event->layout);
		for (uint32_t i = 0; i < event->nr_fields; i++) {
			const struct field_info *field = &event->fields[i];
			if (field->text)
				fprintf(out, "%s %u `%s` text[%u]", i ? "," : "", 16U + field->offset,
					field->name, field->bytes);
			else
				fprintf(out, "%s %u `%s` u%u", i ? "," : "", 16U + field->offset, field->name,
					field->bytes * 8U);
		}
		fprintf(out, " |\n");
	}
}

void markdown_tables_write(FILE *out)
{
	static const char *const kinds[] = {[KIND_NOTHING] = "0",
					    [KIND_IS_PAGE_KIND] = "page kind",
					    [KIND_IS_REF] = "ref kind",
					    [KIND_IS_VERDICT] = "verdict",
					    [KIND_IS_EDGE] = "0 begin, 1 end",
					    [KIND_IS_PART] = "part, from 0"};

	fprintf(
	    out,
	    "### Events\n\n| Id | Name | Layout | `kind` | Meaning |\n| ---: | --- | --- | --- | --- |\n");
	for (uint32_t id = 0; id < EVENT_ID_MAX; id++) {
		const struct event_info *event = event_info(id);
		if (event)
			fprintf(out, "| %u | `%s` | `%s` | %s | %s |\n", id, event->name, event->layout,
				kinds[event->kind], event->help);
	}
	layouts_write(out);
	fprintf(out, "\n### Page kinds\n\n| Value | Name |\n| ---: | --- |\n");
#define KIND(ev_kind, ev_value, ev_text) fprintf(out, "| %d | " ev_text " |\n", ev_value);
#include <kernel/page_kinds.def>
#undef KIND
	fprintf(out, "\n### Ref kinds\n\n| Value | Name | Holder's id | Holder's index |\n| ---: | --- | --- "
		     "| --- |\n");
#define REF(ev_ref, ev_value, ev_text, ev_id, ev_index, ev_many)                                             \
	fprintf(out, "| %d | " ev_text " | " ev_id " | " ev_index " |\n", ev_value);
#include <kernel/ref_kinds.def>
#undef REF
	fprintf(out, "\n### Verdicts\n\n| Value | Name | A loss | Meaning |\n| ---: | --- | --- | --- |\n");
#define VERDICT(ev_verdict, ev_value, ev_leak, ev_text)                                                      \
	fprintf(out, "| %d | " #ev_verdict " | %s | " ev_text " |\n", ev_value, ev_leak ? "yes" : "no");
#include <kernel/verdicts.def>
#undef VERDICT
}
