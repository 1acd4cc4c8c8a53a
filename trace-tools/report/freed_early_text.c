/* SPDX-License-Identifier: MIT */
/* freed_early_text: see freed_early_text.h. */
#include "freed_early_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/leak_point.h"
#include "base/util.h"
#include "leak_point_text.h"
#include "print.h"

#define WHAT_WIDTH 18
#define PAGE_SHIFT 12
#define SAME_SHOWN 6

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

static void print_pointers(const char *what, const struct page_act *pointers, uint32_t nr,
			   struct stack_table *stacks, FILE *out)
{
	for (uint32_t i = 0; i < nr; i++) {
		fprintf(out, "  %-*s0x%" PRIx64 ", stored by ", WHAT_WIDTH, i ? "" : what, pointers[i].va);
		if (!print_where(stacks, pointers[i].pc, out))
			fprintf(out, "?");
		fputc('\n', out);
	}
}

static const char *verdict_of(const struct freed_early *one)
{
	return one->verdict == VERDICT_NONE ? "PANIC" : verdict_text(one->verdict);
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
	/* It was handed out in between, so whoever freed it after that had lost it before. */
	if (range->nr_before)
		print_act("freed first", &range->before, stacks, out);
	print_pointers("pointed to since", range->since, range->nr_since, stacks, out);
	print_act(range->nr_before ? "freed again" : "freed first", &range->by, stacks, out);
	print_pointers("pointed to by", range->dangling, range->nr_dangling, stacks, out);
	if (!range->nr_dangling)
		fprintf(out, "  %-*sno word of memory that was seen stored\n", WHAT_WIDTH, "pointed to by");
	for (uint32_t i = 0; i < range->nr_used; i++)
		print_act(range->used[i].va ? "used after" : "acquired after", &range->used[i], stacks, out);
	for (uint32_t i = 0; i < range->nr_again; i++)
		print_act("freed again", &range->again[i], stacks, out);
}

/* The kernel refused, or it is about something else. */
static void print_not_freed(const struct freed_early *one, struct stack_table *stacks, FILE *out)
{
	if (one->verdict != VERDICT_INUSE) {
		fprintf(out,
			"  its free was not seen: the kernel kept it where it was, or it was not followed\n");
		return;
	}
	fprintf(out, "  the free was refused, and it was tried here\n");
	if (one->stack)
		stack_table_print(stacks, one->stack, "      ", out);
}

static void print_one(const struct freed_early *one, const struct freed_range *range,
		      struct stack_table *stacks, FILE *out)
{
	fprintf(out, "[%s] ", verdict_of(one));
	print_name(one, out);
	if (one->verdict == VERDICT_NONE)
		fprintf(out, ": free when the kernel panicked, %s\n", one->held);
	else
		fprintf(out, ": %s%s\n", verdict_help(one->verdict),
			one->only_seen ? " (seen where pointers were followed; it is no finding)" : "");
	if (!range)
		print_not_freed(one, stacks, out);
	else
		print_acts(range, stacks, out);
	if (range && !range->nr_used && one->verdict == VERDICT_POISON)
		fprintf(
		    out,
		    "  %-*sno store of the kernel was seen: a program wrote through a mapping, or a device\n",
		    WHAT_WIDTH, "used after");
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

/* Findings with what the plugin saw of each, told of or not. */
struct telling {
	struct freed_early *list;
	const struct freed_range **ranges;
	bool *told;
	size_t nr;
};

/* Nothing was seen of both, and the findings were made at one place. */
static bool same_finding(const struct telling *telling, size_t a, size_t b)
{
	return !telling->ranges[a] && !telling->ranges[b] && telling->list[a].stack == telling->list[b].stack;
}

/* Those after `at` of which the same is to be said. */
static void print_same(struct telling *telling, size_t at, FILE *out)
{
	size_t nr = 0;

	for (size_t i = at + 1; i < telling->nr; i++) {
		if (telling->told[i] || telling->list[i].verdict != telling->list[at].verdict ||
		    !(same_fate(telling->ranges[i], telling->ranges[at]) || same_finding(telling, i, at)))
			continue;
		telling->told[i] = true;
		if (!nr)
			fprintf(out, "  %-*s", WHAT_WIDTH, "the same");
		if (nr < SAME_SHOWN) {
			fputs(nr ? ", " : "", out);
			print_name(&telling->list[i], out);
		}
		nr++;
	}
	if (nr > SAME_SHOWN)
		fprintf(out, " and %zu more", nr - SAME_SHOWN);
	fputs(nr ? "\n\n" : "\n", out);
}

void freed_early_print(const struct leaks *leaks, struct stack_table *stacks, const struct lives *lives,
		       FILE *out)
{
	struct telling telling = {0};

	telling.nr = freed_early_list(leaks, &telling.list);
	telling.ranges = xcalloc(telling.nr + 1, sizeof(*telling.ranges));
	telling.told = xcalloc(telling.nr + 1, sizeof(*telling.told));
	for (size_t i = 0; i < telling.nr; i++)
		telling.ranges[i] = freed_early_of(lives, &telling.list[i]);
	for (size_t i = 0; i < telling.nr; i++) {
		if (telling.told[i])
			continue;
		print_one(&telling.list[i], telling.ranges[i], stacks, out);
		print_same(&telling, i, out);
	}
	free(telling.list);
	free(telling.ranges);
	free(telling.told);
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
	json_string(json, "verdict", verdict_of(one));
	json_string(json, "kind", one->object ? "object" : "page");
	json_int(json, "pfn", (int64_t)(one->pa >> PAGE_SHIFT));
	json_int(json, "pa", (int64_t)one->pa);
	json_bool(json, "finding", !one->only_seen && one->verdict != VERDICT_NONE);
	json_acts(json, "freed_first", &(range ? range : &nothing)->by, range != NULL, stacks);
	range = range ? range : &nothing;
	json_acts(json, "pointed_to_by", range->dangling, range->nr_dangling, stacks);
	json_acts(json, "freed_before", &range->before, range->nr_before, stacks);
	json_acts(json, "pointed_to_since", range->since, range->nr_since, stacks);
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
