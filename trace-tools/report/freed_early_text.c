/* SPDX-License-Identifier: MIT */
/* freed_early_text: see freed_early_text.h. */
#include "freed_early_text.h"

#include <inttypes.h>

#include "analysis/leak_point.h"
#include "leak_point_text.h"
#include "print.h"

#define WHAT_WIDTH 14

/* "function (file:line)" of an address; false: none of the kernel's. */
static bool print_where(struct stack_table *stacks, uint64_t pc, FILE *out)
{
	struct symbol_frame frame;
	char place[128];

	if (!leak_point_frame(stacks, NULL, pc, &frame))
		return false;
	fprintf(out, "%s", frame.function);
	if (frame_place(&frame, place, sizeof(place))[0])
		fprintf(out, " (%s)", place);
	return true;
}

/* An act with its stack, innermost first. */
static void print_act(const char *what, const struct page_act *act, struct stack_table *stacks, FILE *out)
{
	fprintf(out, "  %-*s", WHAT_WIDTH, what);
	if (act->va)
		fprintf(out, "0x%" PRIx64 ", ", act->va);
	if (!act->nr || !print_where(stacks, act->stack[0], out))
		fprintf(out, "?");
	fputc('\n', out);
	leak_point_print_frames(act->stack, act->nr, stacks, out);
}

static void print_dangling(const struct freed_page *page, struct stack_table *stacks, FILE *out)
{
	if (!page->nr_dangling)
		fprintf(out, "  %-*sno word of memory that was seen stored\n", WHAT_WIDTH, "pointed to by");
	for (uint32_t i = 0; i < page->nr_dangling; i++) {
		fprintf(out, "  %-*s0x%" PRIx64 ", stored by ", WHAT_WIDTH, i ? "" : "pointed to by",
			page->dangling[i].va);
		if (!print_where(stacks, page->dangling[i].pc, out))
			fprintf(out, "?");
		fputc('\n', out);
	}
}

static void print_one(const struct leak_incident *incident, struct stack_table *stacks,
		      const struct lives *lives, FILE *out)
{
	const struct freed_page *page = freed_early_of(lives, incident);

	fprintf(out, "[%s] page 0x%x: %s\n", verdict_text(incident->record.kind),
		incident->record.payload.ev_payload_finding.where, verdict_help(incident->record.kind));
	if (!page) {
		fprintf(out,
			"  it was not freed in the repeated run: the kernel kept it where it was, or it was "
			"not followed\n\n");
		return;
	}
	print_act("freed first", &page->by, stacks, out);
	print_dangling(page, stacks, out);
	for (uint32_t i = 0; i < page->nr_used; i++)
		print_act("used after", &page->used[i], stacks, out);
	for (uint32_t i = 0; i < page->nr_again; i++)
		print_act("freed again", &page->again[i], stacks, out);
	if (!page->nr_used && incident->record.kind == VERDICT_POISON)
		fprintf(
		    out,
		    "  %-*sno store of the kernel was seen: a program wrote through a mapping, or a device\n",
		    WHAT_WIDTH, "used after");
	fputc('\n', out);
}

void freed_early_print(const struct leaks *leaks, struct stack_table *stacks, const struct lives *lives,
		       FILE *out)
{
	for (size_t i = 0; i < leaks->nr_incidents; i++) {
		if (freed_early_is(&leaks->incidents[i]))
			print_one(&leaks->incidents[i], stacks, lives, out);
	}
}

/* ---- JSON ---- */

static void json_where(struct json *json, const char *key, struct stack_table *stacks, uint64_t pc)
{
	struct symbol_frame frame;
	char place[128];
	bool known = leak_point_frame(stacks, NULL, pc, &frame);

	json_string(json, key, known ? frame.function : NULL);
	json_string(json, "place", known ? frame_place(&frame, place, sizeof(place)) : NULL);
}

static void json_acts(struct json *json, const char *key, const struct page_act *acts, uint32_t nr,
		      struct stack_table *stacks)
{
	json_open(json, key, '[');
	for (uint32_t i = 0; i < nr; i++) {
		json_open(json, NULL, '{');
		json_int(json, "address", (int64_t)acts[i].va);
		json_where(json, "function", stacks, acts[i].nr ? acts[i].stack[0] : acts[i].pc);
		json_open(json, "stack", '[');
		leak_point_json_frames(acts[i].stack, acts[i].nr, stacks, json);
		json_close(json, ']');
		json_close(json, '}');
	}
	json_close(json, ']');
}

void freed_early_json(const struct leaks *leaks, struct stack_table *stacks, const struct lives *lives,
		      struct json *json)
{
	static const struct freed_page nothing;

	for (size_t i = 0; lives && i < leaks->nr_incidents; i++) {
		const struct leak_incident *incident = &leaks->incidents[i];
		const struct freed_page *page =
		    freed_early_is(incident) ? freed_early_of(lives, incident) : NULL;
		if (!freed_early_is(incident))
			continue;
		json_open(json, NULL, '{');
		json_string(json, "verdict", verdict_text(incident->record.kind));
		json_int(json, "pfn", incident->record.payload.ev_payload_finding.where);
		json_acts(json, "freed_first", &(page ? page : &nothing)->by, page != NULL, stacks);
		page = page ? page : &nothing;
		json_acts(json, "pointed_to_by", page->dangling, page->nr_dangling, stacks);
		json_acts(json, "used_after", page->used, page->nr_used, stacks);
		json_acts(json, "freed_again", page->again, page->nr_again, stacks);
		json_close(json, '}');
	}
}
