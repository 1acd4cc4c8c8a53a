/* SPDX-License-Identifier: MIT */
/* leak_point: see leak_point.h. */
#include "leak_point.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uapi/layout.h>

#include "base/util.h"
#include "describe/follow.h"

#define PAGE_SHIFT 12
#define FRAMES_MAX 16

const char *leak_point_rule_text(enum leak_point_rule rule)
{
	static const char *const texts[] = {
	    [LEAK_POINT_NONE] = "no pointer died",
	    [LEAK_POINT_GIVEN_BY_ALL] =
		"all were given to it last, by several callers, and none was released",
	    [LEAK_POINT_GIVEN_RELEASES] = "it releases others of this type, was given these, and did not",
	    [LEAK_POINT_CALLER] =
		"it called for the loss; the called function releases others for other callers",
	    [LEAK_POINT_TAKEN] = "it was given the last pointer and did not release it",
	    [LEAK_POINT_LOST] = "the last pointer died here",
	};

	return texts[rule];
}

/* ---- what is followed ---- */

static uint64_t item_address(const struct leak_item *item)
{
	return item->object ? (uint64_t)item->where * 8 + PHYS_OFFSET : (uint64_t)item->where << PAGE_SHIFT;
}

/* A task holds it while it works on the page; others are held by structures. */
static bool is_passing(uint32_t ref)
{
	return ref == REF_IO || ref == REF_FAULT;
}

/* What leaked of a page is the reference of a get, where one is unmatched; the first reference is the page itself. */
static enum life_kind item_kind(const struct leak_item *item)
{
	if (item->object)
		return LIFE_OBJECT;
	return is_passing(item->ref) || (item->ref != REF_NONE && item->get_time != item->alloc_time)
		   ? LIFE_REFERENCE
		   : LIFE_PAGE;
}

static void want_lasting(FILE *out)
{
	fprintf(out, "follow lasting=%#x\n", ((1U << REF_NR) - 1) & ~(1U << REF_IO | 1U << REF_FAULT));
}

void leak_points_want_all(FILE *out)
{
	want_lasting(out);
	fprintf(out, "follow all=1 lost=1\n");
}

void leak_points_want(const struct leaks *leaks, size_t limit, FILE *out)
{
	static const char *const words[] = {
	    [LIFE_PAGE] = "page", [LIFE_OBJECT] = "object", [LIFE_REFERENCE] = "reference"};

	want_lasting(out);
	for (size_t g = 0; g < leaks->nr_groups; g++) {
		const struct leak_group *group = &leaks->groups[g];
		for (size_t i = 0; i < group->nr_items && i < limit; i++) {
			const struct leak_item *item = &leaks->items[group->items[i]];
			fprintf(out, "follow %s=%#" PRIx64 "\n", words[item_kind(item)], item_address(item));
		}
	}
}

/* What lives are found by. */
static uint64_t life_address(const struct life *life)
{
	return life->kind == LIFE_OBJECT ? life->base : life->pfn << PAGE_SHIFT;
}

static int compare_lives(const void *a, const void *b)
{
	const struct life *left = a, *right = b;
	uint64_t x = life_address(left), y = life_address(right);

	return x < y ? -1 : x > y;
}

/* NULL: it has ended. Of several references of a page the one with the item's kind and holder. Lives are sorted. */
static const struct life *life_of(const struct lives *lives, const struct leak_item *item)
{
	enum life_kind kind = item_kind(item);
	uint64_t address = item_address(item), holder = item->holder | (uint64_t)item->index << 32;
	const struct life *found = NULL;
	size_t low = 0, high = lives->nr;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (life_address(&lives->list[middle]) < address)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < lives->nr && life_address(&lives->list[low]) == address; low++) {
		const struct life *life = &lives->list[low];
		if (life->kind != kind)
			continue;
		if (kind != LIFE_REFERENCE || (life->ref == item->ref && life->holder == holder))
			return life;
		found = life;
	}
	return found;
}

/* ---- names ---- */

/* A function of a header, inlined, is a helper: who called it is meant. */
static bool is_helper(const struct symbol_frame *frame)
{
	const char *dot = frame->file ? strrchr(frame->file, '.') : NULL;

	return frame->inlined && dot && !strcmp(dot, ".h");
}

static bool same_function(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

static size_t frames_at(struct stack_table *stacks, uint64_t address, const struct symbol_frame **frames)
{
	uint64_t offset = address - stacks->run->stack_base;

	return offset <= UINT32_MAX ? symbols_find(stacks->symbols, (uint32_t)offset, frames) : 0;
}

/* Is it one of the functions that were under way when the life began? */
static bool born_in(struct stack_table *stacks, const struct life *life, const char *function)
{
	const struct symbol_frame *frames;

	for (uint32_t i = 0; i < life->nr_born; i++) {
		size_t nr = frames_at(stacks, life->born[i], &frames);
		for (size_t k = 0; k < nr; k++) {
			if (same_function(frames[k].function, function))
				return true;
		}
	}
	return false;
}

/* Of functions inlined into each other, the one that was under way when the life began is its owner; life NULL: any. */
bool leak_point_frame(struct stack_table *stacks, const struct life *life, uint64_t address,
		      struct symbol_frame *frame)
{
	const struct symbol_frame *frames;
	size_t nr = frames_at(stacks, address, &frames), site, i;

	if (!nr)
		return false;
	site = symbols_site(stacks->symbols, frames, nr);
	for (i = site; i + 1 < nr && is_helper(&frames[i]); i++)
		;
	i = i < nr ? i : nr - 1;
	for (size_t k = i; life && k < nr && frames[i].inlined; k++) {
		if (born_in(stacks, life, frames[k].function)) {
			i = k;
			break;
		}
	}
	*frame = frames[i];
	return true;
}

static void vote_of(struct stack_table *stacks, const struct life *life, uint64_t address,
		    struct leak_vote *vote)
{
	struct symbol_frame frame;

	*vote = (struct leak_vote){0};
	if (!address || !leak_point_frame(stacks, life, address, &frame))
		return;
	vote->function = frame.function;
	frame_place(&frame, vote->place, sizeof(vote->place));
	vote->nr = 1;
}

/* ---- one life ---- */

/* What the life says by itself. */
struct testimony {
	const struct life *life;
	struct leak_vote lost, given, caller;
	bool born_there;      /* L was under way when it began: it is L's own */
	bool taken_and_given; /* L took it off its last place, gave it to G, and did not touch it again */
};

/* The death that counts: the frame's, which is the later one, or that of a location which nobody held in a frame. */
static const struct life_end *end_of(const struct life *life)
{
	return life->frame.by && life->frame.when >= life->location.when ? &life->frame : &life->location;
}

/* Who was given it and stored it somewhere (mappages) kept it: that is no release that was forgotten. */
static const struct life_given *last_given(const struct life *life)
{
	for (uint32_t i = 0; i < life->nr_given; i++) {
		if (life->given[i].handled)
			return life->given[i].when >= life->kept ? &life->given[i] : NULL;
	}
	return NULL;
}

/* Is this an allocator's function, by the description of a kernel that is not ours? What it clears was its caller's. */
static bool is_allocator(const struct kd *kd, const char *function)
{
	static const enum kd_verb verbs[] = {KD_ALLOC, KD_FREE};
	const struct kd_item *item;
	bool same = false;
	char *name;

	for (size_t i = 0; kd && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		for (size_t n = 0; (item = kd_item(kd, verbs[i], n)); n++) {
			for (size_t k = 0; !same && (name = kd_nth(item->subject, k)); k++) {
				same = same_function(name, function);
				free(name);
			}
		}
	}
	return same;
}

static bool passes_on(const struct kd *kd, const char *function)
{
	return function && (follow_is_transparent(function) || is_allocator(kd, function));
}

static struct testimony hear(struct stack_table *stacks, const struct kd *kd, const struct life *life)
{
	struct testimony heard = {.life = life};
	const struct life_end *end = end_of(life);
	const struct life_given *given = last_given(life);

	/* memcpy and the like lose nothing of their own: who called them does. */
	vote_of(stacks, life, end->pc, &heard.lost);
	for (uint32_t i = 1; i < end->nr && passes_on(kd, heard.lost.function); i++)
		vote_of(stacks, life, end->stack[i], &heard.lost);
	/* Where the last location died in the same function, that is the line. */
	if (end == &life->frame && life->location.by) {
		struct leak_vote at;
		vote_of(stacks, life, life->location.pc, &at);
		if (same_function(at.function, heard.lost.function))
			heard.lost = at;
	}
	for (uint32_t i = 1; i < end->nr && !heard.caller.function; i++) {
		vote_of(stacks, NULL, end->stack[i], &heard.caller);
		if (same_function(heard.caller.function, heard.lost.function) ||
		    passes_on(kd, heard.caller.function))
			heard.caller.function = NULL;
	}
	heard.born_there = born_in(stacks, life, heard.lost.function);
	if (given) {
		vote_of(stacks, NULL, given->function + 1, &heard.given);
		heard.taken_and_given = end == &life->frame && life->frame.pc == given->from &&
					life->location.by && !born_in(stacks, life, heard.lost.function);
	}
	return heard;
}

/* ---- a group ---- */

/* The place that most say; nr_places: how many functions they are in. */
static struct leak_vote count_votes(const struct testimony *heard, size_t nr, size_t offset,
				    size_t *nr_places)
{
	struct leak_vote *places = NULL, best = {0};
	size_t capacity = 0, k;

	*nr_places = 0;
	for (size_t i = 0; i < nr; i++) {
		const struct leak_vote *vote = (const void *)((const char *)&heard[i] + offset);
		if (!vote->function)
			continue;
		for (k = 0; k < *nr_places && !same_function(places[k].function, vote->function); k++)
			;
		if (k < *nr_places)
			places[k].nr++;
		else
			ARRAY_PUSH(places, *nr_places, capacity) = *vote;
	}
	for (k = 0; k < *nr_places; k++) {
		if (places[k].nr > best.nr)
			best = places[k];
	}
	free(places);
	return best;
}

static bool stack_has(struct stack_table *stacks, uint32_t id, const char *function)
{
	const struct stack_view *view = stack_table_get(stacks, id);

	for (uint32_t i = 0; i < view->nr; i++) {
		if (same_function(view->frames[i].function, function))
			return true;
	}
	return false;
}

/* Is this function on the way to the release of others of the item's type? */
static bool releases(const struct leaks *leaks, struct stack_table *stacks, const struct leak_item *item,
		     const char *function)
{
	uint32_t type = item->object ? RELEASE_OF_OBJECT(item->cache) : item->ref;
	const struct release *release;
	size_t at = 0;

	while (function && (release = model_next_release(leaks->model, &at))) {
		if (release->ref == type && stack_has(stacks, release->put_stack, function))
			return true;
	}
	return false;
}

/* Do most of them say so? The flag is a member of struct testimony. */
static bool most(const struct testimony *heard, size_t nr, size_t flag)
{
	size_t yes = 0;

	for (size_t i = 0; i < nr; i++)
		yes += *(const bool *)((const char *)&heard[i] + flag);
	return yes * 2 > nr;
}

static void blame(struct leak_point *point, const struct leaks *leaks, struct stack_table *stacks,
		  const struct leak_item *item, const struct testimony *heard)
{
	size_t nr = point->nr_lost;
	const struct leak_vote *given = &point->given, *lost = &point->lost;
	bool given_elsewhere = given->function && !same_function(given->function, lost->function);

	if (!nr || !lost->function)
		return;
	point->rule = LEAK_POINT_LOST;
	point->blamed = *lost;
	if (given_elsewhere && given->nr == nr && point->nr_places > 1)
		point->rule = LEAK_POINT_GIVEN_BY_ALL;
	else if (given_elsewhere && releases(leaks, stacks, item, given->function))
		point->rule = LEAK_POINT_GIVEN_RELEASES;
	else if (point->caller.function && !most(heard, nr, offsetof(struct testimony, born_there)) &&
		 releases(leaks, stacks, item, lost->function) &&
		 !releases(leaks, stacks, item, point->caller.function))
		point->rule = LEAK_POINT_CALLER;
	else if (given_elsewhere && most(heard, nr, offsetof(struct testimony, taken_and_given)))
		point->rule = LEAK_POINT_TAKEN;
	if (point->rule == LEAK_POINT_CALLER)
		point->blamed = point->caller;
	else if (point->rule != LEAK_POINT_LOST)
		point->blamed = *given;
}

/* Within another thing that leaks: it went with that. */
static bool is_within(const struct life *life)
{
	for (uint32_t i = 0; i < life->nr_held; i++) {
		if (!life->held[i].in)
			return false;
	}
	return life->nr_held != 0;
}

static void judge_group(struct leak_point *point, const struct leaks *leaks, struct stack_table *stacks,
			const struct kd *kd, const struct lives *lives, const struct leak_group *group,
			size_t limit)
{
	struct testimony *heard = xcalloc(group->nr_items + 1, sizeof(*heard));
	size_t ignored;

	for (size_t i = 0; i < group->nr_items && i < limit; i++) {
		const struct life *life = life_of(lives, &leaks->items[group->items[i]]);
		point->nr_asked++;
		if (!life) {
			point->nr_ended++;
		} else if (life->nr_heap &&
			   (life->kind != LIFE_REFERENCE || !is_passing((uint32_t)life->ref))) {
			bool within = is_within(life);
			point->nr_within += within;
			point->nr_held += !within;
			point->held = within ? point->held : life;
		} else if (!end_of(life)->by) {
			point->nr_held++;
			point->held = life;
		} else {
			heard[point->nr_lost++] = hear(stacks, kd, life);
		}
	}
	point->lost = count_votes(heard, point->nr_lost, offsetof(struct testimony, lost), &point->nr_places);
	point->given = count_votes(heard, point->nr_lost, offsetof(struct testimony, given), &ignored);
	point->caller = count_votes(heard, point->nr_lost, offsetof(struct testimony, caller), &ignored);
	for (size_t i = 0; i < point->nr_lost && !point->example; i++) {
		if (same_function(heard[i].lost.function, point->lost.function))
			point->example = heard[i].life;
	}
	blame(point, leaks, stacks, &leaks->items[group->items[0]], heard);
	free(heard);
}

struct leak_points leak_points_judge(const struct leaks *leaks, struct stack_table *stacks,
				     struct lives *lives, size_t limit)
{
	/* By address; where several have one, in any order. */
	if (lives->nr)
		qsort(lives->list, lives->nr, sizeof(*lives->list), compare_lives);
	struct leak_points points = {.list = xcalloc(leaks->nr_groups + 1, sizeof(*points.list)),
				     .nr = leaks->nr_groups};

	char *path = xasprintf("%s/kernel/kernel.kd", stacks->run->folder), *error = NULL;
	struct kd *kd = stacks->run->watched ? kd_read(path, &error) : NULL;
	for (size_t g = 0; g < points.nr; g++)
		judge_group(&points.list[g], leaks, stacks, kd, lives, &leaks->groups[g], limit);
	kd_free(kd);
	free(error);
	free(path);
	return points;
}

void leak_points_free(struct leak_points *points)
{
	free(points->list);
	*points = (struct leak_points){0};
}
