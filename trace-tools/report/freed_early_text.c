/* SPDX-License-Identifier: MIT */
/* freed_early_text: see freed_early_text.h. */
#include "freed_early_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/leak_point.h"
#include "leak_point_text.h"
#include "print.h"

#define WHAT_WIDTH 16
#define PAGE_SHIFT 12

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

static void print_dangling(const struct freed_range *range, struct stack_table *stacks, FILE *out)
{
	if (!range->nr_dangling)
		fprintf(out, "  %-*sno word of memory that was seen stored\n", WHAT_WIDTH, "pointed to by");
	for (uint32_t i = 0; i < range->nr_dangling; i++) {
		fprintf(out, "  %-*s0x%" PRIx64 ", stored by ", WHAT_WIDTH, i ? "" : "pointed to by",
			range->dangling[i].va);
		if (!print_where(stacks, range->dangling[i].pc, out))
			fprintf(out, "?");
		fputc('\n', out);
	}
}

static void print_name(const struct freed_early *one, FILE *out)
{
	if (one->object)
		fprintf(out, "object 0x%" PRIx64, one->pa);
	else
		fprintf(out, "page 0x%" PRIx64, one->pa >> PAGE_SHIFT);
}

static void print_acts(const struct freed_range *range, struct stack_table *stacks, FILE *out)
{
	print_act("freed first", &range->by, stacks, out);
	print_dangling(range, stacks, out);
	for (uint32_t i = 0; i < range->nr_used; i++)
		print_act(range->used[i].va ? "used after" : "acquired after", &range->used[i], stacks, out);
	for (uint32_t i = 0; i < range->nr_again; i++)
		print_act("freed again", &range->again[i], stacks, out);
}

static void print_one(const struct freed_early *one, const struct freed_range *range,
		      struct stack_table *stacks, FILE *out)
{
	fprintf(out, "[%s] ", verdict_text(one->verdict));
	print_name(one, out);
	fprintf(out, ": %s%s\n", verdict_help(one->verdict),
		one->only_seen ? " (seen where pointers were followed; it is no finding)" : "");
	if (!range)
		fprintf(out,
			"  its free was not seen: the kernel kept it where it was, or it was not followed\n");
	else
		print_acts(range, stacks, out);
	if (range && !range->nr_used && one->verdict == VERDICT_POISON)
		fprintf(
		    out,
		    "  %-*sno store of the kernel was seen: a program wrote through a mapping, or a device\n",
		    WHAT_WIDTH, "used after");
	fputc('\n', out);
}

static bool same_acts(const struct page_act *a, const struct page_act *b, uint32_t nr, bool stacks)
{
	for (uint32_t i = 0; i < nr; i++) {
		if (a[i].pc != b[i].pc ||
		    (stacks &&
		     (a[i].nr != b[i].nr || memcmp(a[i].stack, b[i].stack, a[i].nr * sizeof(a[i].stack[0])))))
			return false;
	}
	return true;
}

/* The same was done with both, in the same order. */
static bool same_fate(const struct freed_range *a, const struct freed_range *b)
{
	return a && b && a->nr_by == b->nr_by && a->nr_dangling == b->nr_dangling &&
	       a->nr_used == b->nr_used && a->nr_again == b->nr_again &&
	       same_acts(&a->by, &b->by, a->nr_by, true) &&
	       same_acts(a->dangling, b->dangling, a->nr_dangling, false) &&
	       same_acts(a->used, b->used, a->nr_used, true) &&
	       same_acts(a->again, b->again, a->nr_again, true);
}

/* The position of an earlier one of which the same is to be said; its own. */
static size_t first_like(const struct freed_early *list, size_t at, const struct lives *lives)
{
	for (size_t i = 0; i < at; i++) {
		if (list[i].verdict == list[at].verdict &&
		    same_fate(freed_early_of(lives, &list[i]), freed_early_of(lives, &list[at])))
			return i;
	}
	return at;
}

void freed_early_print(const struct leaks *leaks, struct stack_table *stacks, const struct lives *lives,
		       FILE *out)
{
	struct freed_early *list;
	size_t nr = freed_early_list(leaks, &list);

	for (size_t i = 0; i < nr; i++) {
		size_t like = first_like(list, i, lives);
		if (like == i) {
			print_one(&list[i], freed_early_of(lives, &list[i]), stacks, out);
			continue;
		}
		fprintf(out, "[%s] ", verdict_text(list[i].verdict));
		print_name(&list[i], out);
		fprintf(out, ": as ");
		print_name(&list[like], out);
		fprintf(out, "\n\n");
	}
	free(list);
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

static void json_one(const struct freed_early *one, const struct freed_range *range,
		     struct stack_table *stacks, struct json *json)
{
	static const struct freed_range nothing;

	json_open(json, NULL, '{');
	json_string(json, "verdict", verdict_text(one->verdict));
	json_string(json, "kind", one->object ? "object" : "page");
	json_int(json, "pfn", (int64_t)(one->pa >> PAGE_SHIFT));
	json_int(json, "pa", (int64_t)one->pa);
	json_bool(json, "finding", !one->only_seen);
	json_acts(json, "freed_first", &(range ? range : &nothing)->by, range != NULL, stacks);
	range = range ? range : &nothing;
	json_acts(json, "pointed_to_by", range->dangling, range->nr_dangling, stacks);
	json_acts(json, "used_after", range->used, range->nr_used, stacks);
	json_acts(json, "freed_again", range->again, range->nr_again, stacks);
	json_close(json, '}');
}

void freed_early_json(const struct leaks *leaks, struct stack_table *stacks, const struct lives *lives,
		      struct json *json)
{
	struct freed_early *list;
	size_t nr = freed_early_list(leaks, &list);

	for (size_t i = 0; lives && i < nr; i++)
		json_one(&list[i], freed_early_of(lives, &list[i]), stacks, json);
	free(list);
}
