/* SPDX-License-Identifier: MIT */
/* found: groups merged by suspect; see found.h. */
#include "found.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "leaks_text.h"
#include "print.h"

void found_print_amount(uint64_t nr_pages, uint64_t nr_objects, FILE *out)
{
	if (nr_pages)
		fprintf(out, "%" PRIu64 " page%s", nr_pages, plural_s(nr_pages));
	if (nr_objects)
		fprintf(out, "%s%" PRIu64 " object%s", nr_pages ? " and " : "", nr_objects,
			plural_s(nr_objects));
	fprintf(out, " leaked");
}

void found_print_place(const struct found_place *place, FILE *out)
{
	if (place->file)
		fputs(place->file, out);
	if (place->file && place->line)
		fprintf(out, ":%" PRIu32, place->line);
}

void found_print_ways(const struct found *found, FILE *out)
{
	if (found->nr_groups > 1)
		fprintf(out, ", in %zu way%s", found->nr_groups, plural_s(found->nr_groups));
}

/* "file:line" taken apart. */
static struct found_place place_parse(const char *text)
{
	const char *colon = text ? strrchr(text, ':') : NULL;
	struct found_place place = {0};

	if (!colon)
		return place;
	place.file = xasprintf("%.*s", (int)(colon - text), text);
	place.line = (uint32_t)strtoul(colon + 1, NULL, 10);
	return place;
}

/* Where the stack's function asked for it. */
static struct found_place place_of_stack(const struct leaks *leaks, uint32_t stack)
{
	const struct stack_view *view = stack_table_get(leaks->stacks, stack);
	char text[512];

	return view->site < view->nr ? place_parse(frame_place(&view->frames[view->site], text, sizeof(text)))
				     : (struct found_place){0};
}

static bool same_suspect(const struct missing_release *a, const struct missing_release *b)
{
	return a->suspect && b->suspect && !strcmp(a->suspect, b->suspect);
}

static char *sentence_of(const struct leaks *leaks, const struct leak_group *group, const struct found *found)
{
	struct text_buffer buffer;
	FILE *out = text_begin(&buffer);

	leaks_what_happened(leaks, group, out);
	fprintf(out, ": ");
	found_print_amount(found->nr_pages, found->nr_objects, out);
	return text_end(&buffer);
}

static void add_amount(struct found *found, const struct leak_group *group)
{
	found->nr_groups++;
	found->nr_pages += group->nr_pages;
	found->nr_objects += group->nr_pages ? 0 : group->nr_items;
}

/*
 * What the leaked ones themselves did is counted over all groups that say the same. How others were released is counted once: these
 * groups compare with the same others.
 */
static char *evidence_of(const struct leaks *leaks, size_t number)
{
	struct leak_group sum = leaks->groups[number];

	for (size_t k = number + 1; k < leaks->nr_groups; k++) {
		const struct missing_release *missing = &leaks->groups[k].missing;
		if (missing->how != sum.missing.how || !same_suspect(&sum.missing, missing))
			continue;
		sum.missing.later_nr += missing->later_nr;
		sum.missing.later_total += missing->later_total;
	}
	return leaks_evidence_text(leaks, &sum);
}

/* The entry of the group's suspect, with the sums of all its groups. */
static struct found found_of(const struct leaks *leaks, size_t number)
{
	const struct leak_group *group = &leaks->groups[number];
	const struct leak_item *first = &leaks->items[group->items[0]];
	bool certain = leaks->status == STATUS_LEAKED;
	struct found found = {.rule = certain ? "leaked" : "possibly-leaked",
			      .error = certain,
			      .has_suspect = group->missing.suspect != NULL,
			      .suspected = &group->missing,
			      .stack = first->get_stack,
			      .group = number};

	add_amount(&found, group);
	for (size_t k = number + 1; k < leaks->nr_groups; k++) {
		if (same_suspect(&group->missing, &leaks->groups[k].missing))
			add_amount(&found, &leaks->groups[k]);
	}
	found.sentence = sentence_of(leaks, group, &found);
	found.evidence = evidence_of(leaks, number);
	found.acquired = place_of_stack(leaks, first->get_stack);
	found.place = place_parse(group->missing.suspect_place);
	found.at_suspect = found.place.file != NULL;
	if (!found.at_suspect)
		found.place = place_of_stack(leaks, first->get_stack);
	return found;
}

/* What is no leak: a double free, a write into a free page. */
static struct found found_of_incident(const struct leaks *leaks, const struct trace_record *record)
{
	const struct trace_payload_finding *finding = &record->payload.ev_payload_finding;
	char time[24];
	struct found found = {
	    .rule = verdict_text(record->kind), .error = true, .stack = record->stack, .time = record->time};

	time_text(record->time, time);
	found.sentence = finding->where
			     ? xasprintf("%s: %s 0x%" PRIx32 ", at %s s", verdict_help(record->kind),
					 record->flags ? "object" : "page", finding->where, time)
			     : xasprintf("%s, at %s s", verdict_help(record->kind), time);
	found.place = place_of_stack(leaks, record->stack);
	return found;
}

/* What the run ended in, if that has a suspect: the place is the suspect's. */
static struct found found_of_end(const struct leaks *leaks)
{
	static const char *const rules[] = {[RUN_END_FINDING] = "broken",
					    [RUN_END_PANIC] = "panic",
					    [RUN_END_LIMIT] = "no-end",
					    [RUN_END_GUEST] = "guest-failed"};
	struct found found = {.rule = rules[leaks->end.how],
			      .error = leaks->end.how == RUN_END_FINDING || leaks->end.how == RUN_END_PANIC,
			      .has_suspect = true,
			      .suspected = &leaks->end.says,
			      .place = place_parse(leaks->end.says.suspect_place),
			      .at_suspect = true,
			      .stack = leaks->end.freed_stack,
			      .time = model_totals(leaks->model)->last_time};
	struct text_buffer buffer;

	end_sentence(leaks, text_begin(&buffer));
	found.sentence = text_end(&buffer);
	end_evidence(leaks, text_begin(&buffer));
	found.evidence = text_end(&buffer);
	return found;
}

/* What the audit of the copy of RAM found broken, all of a kind as one: it is seen at the end, so nothing says who did it. */
static struct found found_of_fault(const struct leaks *leaks, enum audit_fault fault)
{
	const struct ram_audit *audit = leaks->ram_audit;
	uint64_t nr = audit->nr_by_fault[fault];

	return (struct found){
	    .rule = audit_fault_id(fault),
	    .error = audit->faulty,
	    .time = model_totals(leaks->model)->last_time,
	    .sentence = xasprintf("%s: %" PRIu64 " time%s", audit_fault_text(fault), nr, plural_s(nr))};
}

static bool has_earlier_group(const struct leaks *leaks, size_t number)
{
	for (size_t k = 0; k < number; k++) {
		if (same_suspect(&leaks->groups[k].missing, &leaks->groups[number].missing))
			return true;
	}
	return false;
}

struct found_list found_list_make(const struct leaks *leaks)
{
	struct found_list list = {0};

	for (size_t g = 0; g < leaks->nr_groups; g++) {
		if (!has_earlier_group(leaks, g))
			ARRAY_PUSH(list.all, list.nr, list.capacity) = found_of(leaks, g);
	}
	if (leaks->end.says.suspect)
		ARRAY_PUSH(list.all, list.nr, list.capacity) = found_of_end(leaks);
	for (size_t i = 0; i < leaks->nr_incidents; i++)
		ARRAY_PUSH(list.all, list.nr, list.capacity) =
		    found_of_incident(leaks, &leaks->incidents[i].record);
	for (int fault = 0; leaks->ram_audit && fault < AUDIT_FAULTS; fault++) {
		if (leaks->ram_audit->nr_by_fault[fault])
			ARRAY_PUSH(list.all, list.nr, list.capacity) =
			    found_of_fault(leaks, (enum audit_fault)fault);
	}
	return list;
}

void found_list_free(struct found_list *list)
{
	for (size_t i = 0; i < list->nr; i++) {
		free(list->all[i].sentence);
		free(list->all[i].evidence);
		free(list->all[i].place.file);
		free(list->all[i].acquired.file);
	}
	free(list->all);
}

const struct found *found_of_group(const struct found_list *list, const struct leaks *leaks, size_t group)
{
	for (size_t i = 0; i < list->nr; i++) {
		const struct found *found = &list->all[i];
		if (found->nr_groups &&
		    (found->group == group ||
		     same_suspect(&leaks->groups[found->group].missing, &leaks->groups[group].missing)))
			return found;
	}
	return NULL;
}
