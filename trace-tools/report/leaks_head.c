/* SPDX-License-Identifier: MIT */
/* leaks_head: the head of the leak report: gaps in the trace, verdict, what to mend, audit, what was left out. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit_report.h"
#include "base/text.h"
#include "base/util.h"
#include "found.h"
#include "leaks_text.h"
#include "print.h"

/* ---- the verdict ---- */

/* "311 pagecache pages, 25 objects of cache dirty" */
static void print_kinds(const struct leaks *leaks, FILE *out)
{
	const char *comma = "  ";

	if (model_run(leaks->model)->watched)
		return;
	for (uint32_t kind = 0; kind < PK_NR; kind++) {
		uint64_t nr = 0;
		for (size_t i = 0; i < leaks->nr_items; i++) {
			if (!leaks->items[i].object && leaks->items[i].kind == kind)
				nr += 1ULL << leaks->items[i].order;
		}
		if (nr)
			fprintf(out, "%s%" PRIu64 " %s page%s", comma, nr, page_kind_text(kind),
				plural_s(nr));
		comma = nr ? ", " : comma;
	}
	for (uint32_t cache = 0; cache <= UINT16_MAX && leaks->nr_objects; cache++) {
		uint64_t nr = 0;
		if (!model_cache(leaks->model, cache)->allocs)
			continue;
		for (size_t i = 0; i < leaks->nr_items; i++)
			nr += leaks->items[i].object && leaks->items[i].cache == cache;
		if (nr)
			fprintf(out, "%s%" PRIu64 " object%s of cache %s", comma, nr, plural_s(nr),
				model_cache(leaks->model, cache)->name);
		comma = nr ? ", " : comma;
	}
	fputc('\n', out);
}

#define FOUND_IN_HEAD 8

/*
 * Each thing to mend once: what happened, where and how much; what that rests on; where to look first, which is the suspect's line, and
 * where there is no suspect, the line that acquired.
 */
static void print_found(const struct found *found, FILE *out)
{
	fputs(found->sentence, out);
	found_print_ways(found, out);
	fprintf(out, "\nevidence: %s\n", found->evidence);
	if (!found->place.file)
		return;
	fputs("place: ", out);
	found_print_place(&found->place, out);
	fprintf(out, "%s\n",
		found->at_suspect    ? ""
		: found->has_suspect ? ", where it was acquired; the suspect's line is not known"
				     : ", where it was acquired; no suspect is named");
}

static void print_all_found(const struct leaks *leaks, FILE *out)
{
	struct found_list list = found_list_make(leaks);
	size_t nr = 0;

	for (size_t i = 0; i < list.nr; i++) {
		if (list.all[i].nr_groups && nr++ < FOUND_IN_HEAD)
			print_found(&list.all[i], out);
	}
	if (nr > FOUND_IN_HEAD)
		fprintf(out, "and %zu more that leaked, listed below\n", nr - FOUND_IN_HEAD);
	found_list_free(&list);
}

/* Those of a watched run: they are few kinds, and nobody audited them before. */
static void print_incident_kinds(const struct leaks *leaks, FILE *out)
{
	for (uint32_t kind = 0; kind < VERDICT_NR; kind++) {
		size_t nr = 0;
		for (size_t i = 0; i < leaks->nr_incidents; i++)
			nr += leaks->incidents[i].record.kind == kind;
		if (nr)
			fprintf(out, "BROKEN: %s: %zu time%s, listed at the end\n", verdict_help(kind), nr,
				plural_s(nr));
	}
}

const char *leaks_verdict_scope(const struct leaks *leaks)
{
	bool suppressed = leaks->suppressed.pages || leaks->suppressed.objects;

	return leaks->narrowed ? " in what was asked for" : suppressed ? " except the suppressed ones" : "";
}

static void print_verdict(const struct leaks *leaks, FILE *out)
{
	char bytes[24];

	if (leaks->nr_items) {
		fprintf(out, "%sLEAKED: %" PRIu64 " page%s, %" PRIu64 " object%s (%s) in %zu group%s\n",
			leaks->status == STATUS_CANNOT_TELL ? "POSSIBLY " : "", leaks->nr_pages,
			plural_s(leaks->nr_pages), leaks->nr_objects, plural_s(leaks->nr_objects),
			bytes_text(leaks->bytes, bytes), leaks->nr_groups, plural_s(leaks->nr_groups));
		print_kinds(leaks, out);
		print_all_found(leaks, out);
		if (leaks->status == STATUS_CANNOT_TELL)
			fprintf(out, "not certain: %s\n", leaks_uncertain(leaks));
	} else if (leaks->status == STATUS_OK) {
		fprintf(out, "no leaks%s: %" PRIu64 " event%s, 0 discarded\n", leaks_verdict_scope(leaks),
			model_totals(leaks->model)->nr_events,
			plural_s(model_totals(leaks->model)->nr_events));
	} else if (leaks->status == STATUS_CANNOT_TELL) {
		fprintf(out, "No leak was found, but that is not certain: %s.\n", leaks_uncertain(leaks));
	}
	for (int fault = 0; leaks->ram_audit && fault < AUDIT_FAULTS; fault++) {
		uint64_t nr = leaks->ram_audit->nr_by_fault[fault];
		if (nr)
			fprintf(out, "BROKEN: %s: %" PRIu64 " time%s\n", audit_fault_text(fault), nr,
				plural_s(nr));
	}
	if (leaks->nr_incidents && model_run(leaks->model)->watched)
		print_incident_kinds(leaks, out);
	else if (leaks->nr_incidents)
		fprintf(out, "BROKEN: %zu finding%s other than leaks, listed at the end\n",
			leaks->nr_incidents, plural_s(leaks->nr_incidents));
}

#define GROWTH_LINES 4

static void print_growth_lines(const struct leaks *leaks, FILE *out)
{
	const struct growth *growth = &leaks->growth;

	for (size_t i = 0; i < growth->nr && i < GROWTH_LINES; i++) {
		fprintf(out, "GROWS: ");
		growth_print(leaks, &growth->items[i], out);
		fputc('\n', out);
	}
	if (growth->nr > GROWTH_LINES)
		fprintf(out, "GROWS: and %zu more, listed at the end\n", growth->nr - GROWTH_LINES);
}

static void print_audit(const struct leaks *leaks, FILE *out)
{
	char time[24];

	if (leaks->ram_audit) {
		fputs("audit of the copy of RAM: ", out);
		audit_report_ground(leaks->ram_audit, out);
		return;
	}
	if (!leaks->audit) {
		fprintf(out, "audit: none in this trace; the rest is from the trace alone\n");
		return;
	}
	const struct trace_payload_audit *audit = &leaks->audit->record.payload.ev_payload_audit_done;
	fprintf(
	    out,
	    "audit: the last one%s, at %s s, checked %u page%s and %u object%s and reported %u finding%s\n",
	    leaks->audit_quiescent ? " at a quiescent point" : "", time_text(leaks->audit->time, time),
	    audit->pages, plural_s(audit->pages), audit->objects, plural_s(audit->objects), audit->findings,
	    plural_s(audit->findings));
	if (leaks->unlisted)
		fprintf(out, "       %" PRIu64 " of these were counted but not listed\n", leaks->unlisted);
	if (!leaks->audit_quiescent)
		fprintf(out, "       it was not at a quiescent point, so its findings are not final\n");
	if (leaks->nr_disproved)
		fprintf(out,
			"       %" PRIu64
			" of its findings are not leaks: the trace shows that they were freed later\n",
			leaks->nr_disproved);
}

static void print_pointers(const struct leaks *leaks, FILE *out)
{
	uint64_t nr = 0;

	if (!leaks->nr_followed)
		return;
	for (size_t g = 0; g < leaks->nr_groups; g++)
		nr += leaks->groups[g].nr_by_pointers;
	fprintf(out,
		"pointers: all were followed to the end, to %" PRIu64
		" pages, objects and references that lived then; none is left "
		"to %" PRIu64 " of the %zu that leaked\n",
		leaks->nr_followed, nr, leaks->nr_items);
}

static void print_agreement(const struct leaks *leaks, FILE *out)
{
	/* Of a watched run only the audit judges, and who follows pointers: else there is nobody to agree with. */
	if (!leaks->nr_items || (model_run(leaks->model)->watched && !leaks->nr_followed))
		return;
	for (uint32_t doubt = 0; doubt < DOUBT_NR; doubt++) {
		/* Not "audit only" of a watched run: pointers may have found it, too, and each group says so. */
		if (leaks->nr_doubts[doubt] && doubt != DOUBT_WATCHED)
			fprintf(out, "detected by: %s (%" PRIu64 " of %zu)\n", leak_doubt_text(doubt),
				leaks->nr_doubts[doubt], leaks->nr_items);
	}
}

/* ---- what the query leaves out ---- */

static const char *sum_text(const struct leak_sum *sum, char buf[80])
{
	char bytes[24];

	snprintf(buf, 80, "%" PRIu64 " page%s, %" PRIu64 " object%s (%s)", sum->pages, plural_s(sum->pages),
		 sum->objects, plural_s(sum->objects), bytes_text(sum->bytes, bytes));
	return buf;
}

static void print_query(const struct leaks *leaks, FILE *out)
{
	const struct leaks_query *query = leaks->query;
	const char *comma = "";
	char from[24], to[24], sum[80];

	if (!leaks->narrowed)
		return;
	fprintf(out, "asked for: what was acquired ");
	for (size_t i = 0; i < query->nr_spans; i++) {
		fprintf(out, "%s%s to %s s", i ? " or " : "from ", time_text(query->spans[i].from, from),
			time_text(query->spans[i].to, to));
		comma = ", ";
	}
	if (query->pid >= 0) {
		const char *name = model_process(leaks->model, query->pid)->name;
		fprintf(out, "%sby pid %d%s%s%s", comma, query->pid, name[0] ? " (" : "", name,
			name[0] ? ")" : "");
		comma = ", ";
	}
	if (query->kind)
		fprintf(out, "%sof kind %s", comma, query->kind);
	fprintf(out, "; left out: %s\n", sum_text(&leaks->left_out, sum));
}

static void print_suppressed_sum(const struct leaks *leaks, FILE *out)
{
	char sum[80];

	fprintf(out, "suppressed by %s: %s\n", leaks->query->suppressions->path,
		sum_text(&leaks->suppressed, sum));
}

char *leaks_left_out_text(const struct leaks *leaks)
{
	struct text_buffer buffer;
	FILE *out = text_begin(&buffer);

	print_query(leaks, out);
	if (leaks->suppressed.pages || leaks->suppressed.objects)
		print_suppressed_sum(leaks, out);
	return text_end(&buffer);
}

static void print_suppressions(const struct leaks *leaks, FILE *out)
{
	const struct suppressions *list = leaks->query->suppressions;
	char sum[80];

	if (!list)
		return;
	print_suppressed_sum(leaks, out);
	for (size_t i = 0; i < list->nr; i++) {
		const struct suppression *one = &list->list[i];
		struct leak_sum part = {one->pages, one->objects, one->bytes};
		fprintf(out, "  line %u, leak:%s: %s\n", one->line, one->pattern,
			part.pages || part.objects ? sum_text(&part, sum) : "NOT USED");
	}
}

void leaks_print_head(const struct leaks *leaks, FILE *out)
{
	run_print_losses(model_run(leaks->model), out);
	if (model_totals(leaks->model)->panic_time)
		fprintf(out, "PANIC: the kernel panicked: %s\n", model_totals(leaks->model)->panic);
	print_verdict(leaks, out);
	end_print(leaks, out);
	print_growth_lines(leaks, out);
	print_query(leaks, out);
	print_suppressions(leaks, out);
	print_audit(leaks, out);
	print_pointers(leaks, out);
	print_agreement(leaks, out);
}
