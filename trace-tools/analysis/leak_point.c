/* SPDX-License-Identifier: MIT */
/* leak_point: see leak_point.h. */
#include "leak_point.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uapi/layout.h>

#include "base/util.h"
#include "describe/follow.h"
#include "target/gives.h"

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
	return ref == REF_IO || ref == REF_FAULT || ref == REF_CALL;
}

/* What leaked of a page is the reference of a get, where one is unmatched; the first reference is the page itself. */
static enum life_kind item_kind(const struct leak_item *item)
{
	if (item->object)
		return item->ref == REF_NONE ? LIFE_OBJECT : LIFE_OBJECT_REFERENCE;
	return is_passing(item->ref) || (item->ref != REF_NONE && item->get_time != item->alloc_time)
		   ? LIFE_REFERENCE
		   : LIFE_PAGE;
}

static void want_lasting(FILE *out)
{
	fprintf(out, "follow lasting=%#x\n",
		((1U << REF_NR) - 1) & ~(1U << REF_IO | 1U << REF_FAULT | 1U << REF_CALL));
}

void leak_points_want_all(FILE *out)
{
	want_lasting(out);
	fprintf(out, "follow all=1 lost=1\n");
}

void leak_points_want(const struct leaks *leaks, size_t limit, FILE *out)
{
	static const char *const words[] = {[LIFE_PAGE] = "page",
					    [LIFE_OBJECT] = "object",
					    [LIFE_REFERENCE] = "reference",
					    [LIFE_OBJECT_REFERENCE] = "objref"};

	want_lasting(out);
	for (size_t g = 0; g < leaks->nr_groups; g++) {
		const struct leak_group *group = &leaks->groups[g];
		for (size_t i = 0; i < group->nr_items && i < limit; i++) {
			const struct leak_item *item = &leaks->items[group->items[i]];
			fprintf(out, "follow %s=%#" PRIx64 "\n", words[item_kind(item)], item_address(item));
			if (item_kind(item) ==
			    LIFE_OBJECT_REFERENCE) /* its locations say where the reference went */
				fprintf(out, "follow object=%#" PRIx64 "\n", item_address(item));
		}
	}
}

/* What lives are found by. */
static uint64_t life_address(const struct life *life)
{
	return life_is_of_object(life) ? life->base : life->pfn << PAGE_SHIFT;
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
		if (!life_is_reference(life) || (life->ref == item->ref && life->holder == holder))
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
	struct leak_vote
	    releaser;         /* of those that were given it, the last one that releases others of its type */
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
		if (life->given[i].handled == HANDLED_ITSELF)
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

/* What judging needs everywhere. */
struct judge {
	const struct leaks *leaks;
	struct stack_table *stacks;
	const struct lives *lives;
	struct kd *kd;
	struct gives *gives;
	struct known_releaser *known; /* asked before */
	size_t nr_known, known_capacity;
};

struct known_releaser {
	uint32_t type;
	const char *function;
	bool releases;
};

static bool passes_on(const struct kd *kd, const char *function)
{
	return function && (follow_is_transparent(function) || is_allocator(kd, function));
}

static bool is_of_allocator(const char *file)
{
	static const char *const parts[] = {"kernel/mm/page", "kernel/mm/pcp", "kernel/mm/buddy",
					    "kernel/mm/slab", "kernel/lib/string"};

	for (size_t i = 0; file && i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (strstr(file, parts[i]))
			return true;
	}
	return false;
}

/*
 * Our allocator's: what it poisons or takes back was its caller's, with all pointers in it. Pages of slabs it has for itself.
 */
static bool is_allocators(const struct judge *judge, const struct leak_item *item, uint64_t address)
{
	const struct symbol_frame *frames;
	size_t nr = frames_at(judge->stacks, address, &frames);
	bool all = nr != 0;

	for (size_t i = 0; i < nr; i++)
		all = all && is_of_allocator(frames[i].file);
	return all && !judge->stacks->run->watched && (item->object || item->kind != PK_SLAB);
}

/*
 * Who lost it, of functions inlined into each other: one that returns such a pointer, and did not acquire it, gave it to the next.
 */
static void vote_lost(const struct judge *judge, const struct leak_item *item, const struct life *life,
		      uint64_t address, struct leak_vote *vote)
{
	const char *to = item->object ? model_cache(judge->leaks->model, item->cache)->name : "page";
	const struct symbol_frame *frames;
	struct symbol_frame frame;
	size_t nr = frames_at(judge->stacks, address, &frames), i = 0;

	*vote = (struct leak_vote){0};
	if (is_allocators(judge, item, address) || !leak_point_frame(judge->stacks, life, address, &frame))
		return;
	while (i < nr && strcmp(frames[i].function, frame.function) != 0)
		i++;
	struct stack_view view = {.frames = (struct symbol_frame *)frames, .nr = (uint32_t)nr};
	if (i + 1 < nr && !born_in(judge->stacks, life, frame.function))
		frame = frames[gives_keeper(judge->gives, &view, (uint32_t)i, to)];
	vote->function = frame.function;
	frame_place(&frame, vote->place, sizeof(vote->place));
	vote->nr = 1;
}

static bool stack_has(struct stack_table *stacks, uint32_t id, const char *function, bool directly)
{
	const struct stack_view *view = stack_table_get(stacks, id);
	uint32_t i = directly ? view->site : 0;

	while (directly && i < view->nr && follow_is_transparent(view->frames[i].function))
		i++;
	for (uint32_t last = directly ? i + 1 : view->nr; i < view->nr && i < last; i++) {
		if (same_function(view->frames[i].function, function))
			return true;
	}
	return false;
}

static bool find_releases(const struct judge *judge, uint32_t type, const char *function)
{
	const struct release *release;
	size_t at = 0;

	/* What a task has in its hands is released nearly everywhere: who does it himself counts. */
	while ((release = model_next_release(judge->leaks->model, &at))) {
		if (release->ref == type &&
		    stack_has(judge->stacks, release->put_stack, function, is_passing(type)))
			return true;
	}
	return false;
}

/* Is this function on the way to the release of others of the item's type? */
static bool releases(struct judge *judge, const struct leak_item *item, const char *function)
{
	uint32_t type = leak_is_object(item) ? RELEASE_OF_OBJECT(item->cache) : item->ref;

	if (!function)
		return false;
	for (size_t i = 0; i < judge->nr_known; i++) {
		if (judge->known[i].type == type && same_function(judge->known[i].function, function))
			return judge->known[i].releases;
	}
	bool found = find_releases(judge, type, function);
	ARRAY_PUSH(judge->known, judge->nr_known, judge->known_capacity) =
	    (struct known_releaser){type, function, found};
	return found;
}

/* Is it called for what it takes back? */
static bool names_a_release(const char *function)
{
	static const char *const words[] = {"release", "put",     "free",   "drop",
					    "destroy", "discard", "delete", "kfree"};

	for (size_t i = 0; function && i < sizeof(words) / sizeof(words[0]); i++) {
		const char *at = strstr(function, words[i]);
		char behind = at ? at[strlen(words[i])] : 'x';
		if (at && (at == function || at[-1] == '_') && (!behind || behind == '_'))
			return true;
	}
	return false;
}

static bool is_under_way(struct stack_table *stacks, const struct life_end *end, const char *function)
{
	const struct symbol_frame *frames;

	for (uint32_t i = 0; end->by && i < end->nr; i++) {
		size_t nr = frames_at(stacks, end->stack[i], &frames);
		for (size_t k = 0; k < nr; k++) {
			if (same_function(frames[k].function, function))
				return true;
		}
	}
	return false;
}

/*
 * The last of those that were given it, itself or in a structure, which releases others of its type: since it was kept anywhere, or it
 * was under way when a location died. Not one that only called the function in which it was lost.
 */
static void vote_releaser(struct judge *judge, const struct leak_item *item, const struct life *life,
			  struct leak_vote *vote)
{
	bool itself = false;

	for (uint32_t i = 0; i < life->nr_given; i++) {
		/* Pages are of one type: who is given a structure, and releases some page, need not be there for this one. */
		if (life->given[i].handled == HANDLED_WITHIN && (itself || life->kind == LIFE_PAGE))
			continue;
		itself |= life->given[i].handled == HANDLED_ITSELF;
		vote_of(judge->stacks, NULL, life->given[i].function + 1, vote);
		/* What a task has in its hands goes through many that may release it: only one that is there for that counts. */
		if (life_is_reference(life) && is_passing((uint32_t)life->ref) &&
		    (i || !names_a_release(vote->function)))
			break;
		bool recent = life->given[i].when >= life->kept ||
			      is_under_way(judge->stacks, &life->location, vote->function);
		if (recent && !is_under_way(judge->stacks, end_of(life), vote->function) &&
		    releases(judge, item, vote->function))
			return;
	}
	*vote = (struct leak_vote){0};
}

static struct testimony hear(struct judge *judge, const struct leak_item *item, const struct life *life)
{
	struct testimony heard = {.life = life};
	const struct life_end *end = end_of(life);
	const struct life_given *given = last_given(life);
	struct stack_table *stacks = judge->stacks;

	/* memcpy and the like lose nothing of their own: who called them does. */
	vote_lost(judge, item, life, end->pc, &heard.lost);
	for (uint32_t i = 1;
	     i < end->nr && (!heard.lost.function || passes_on(judge->kd, heard.lost.function)); i++)
		vote_lost(judge, item, life, end->stack[i], &heard.lost);
	/* Where the last location died in the same function, that is the line. */
	if (end == &life->frame && life->location.by) {
		struct leak_vote at;
		vote_of(stacks, life, life->location.pc, &at);
		if (same_function(at.function, heard.lost.function))
			heard.lost = at;
	}
	for (uint32_t i = 1; i < end->nr && !heard.caller.function; i++) {
		vote_lost(judge, item, life, end->stack[i], &heard.caller);
		if (same_function(heard.caller.function, heard.lost.function) ||
		    passes_on(judge->kd, heard.caller.function))
			heard.caller.function = NULL;
	}
	heard.born_there = born_in(stacks, life, heard.lost.function);
	vote_releaser(judge, item, life, &heard.releaser);
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

/* Do most of them say so? The flag is a member of struct testimony. */
static bool most(const struct testimony *heard, size_t nr, size_t flag)
{
	size_t yes = 0;

	for (size_t i = 0; i < nr; i++)
		yes += *(const bool *)((const char *)&heard[i] + flag);
	return yes * 2 > nr;
}

static void blame(struct leak_point *point, struct judge *judge, const struct leak_item *item,
		  const struct testimony *heard)
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
	else if (2 * point->releaser.nr > nr)
		point->rule = LEAK_POINT_GIVEN_RELEASES;
	else if (point->caller.function && !most(heard, nr, offsetof(struct testimony, born_there)) &&
		 releases(judge, item, lost->function) && !releases(judge, item, point->caller.function))
		point->rule = LEAK_POINT_CALLER;
	else if (given_elsewhere && (most(heard, nr, offsetof(struct testimony, taken_and_given)) ||
				     (given->nr == nr && names_a_release(given->function))))
		point->rule = LEAK_POINT_TAKEN;
	if (point->rule == LEAK_POINT_GIVEN_RELEASES)
		point->blamed = point->releaser;
	else if (point->rule == LEAK_POINT_CALLER)
		point->blamed = point->caller;
	else if (point->rule != LEAK_POINT_LOST)
		point->blamed = *given;
}

/* ---- what went with another thing ---- */

/* The page or object that begins there. */
static const struct life *life_around(const struct lives *lives, uint64_t base)
{
	struct leak_item item = {.object = true, .where = (uint32_t)((base - PHYS_OFFSET) / 8)};
	const struct life *found = life_of(lives, &item);

	if (found)
		return found;
	item = (struct leak_item){.where = (uint32_t)((base - PHYS_OFFSET) >> PAGE_SHIFT)};
	return life_of(lives, &item);
}

#define CHAIN_MAX 256

/* The holders of a life among those that leaked, theirs, and so on; the life itself is the first. */
struct chain {
	struct link {
		const struct life *life;
		bool holds; /* another of the chain */
	} links[CHAIN_MAX];
	size_t nr;
};

static void add_holder(struct chain *chain, const struct life *holder)
{
	size_t k = 0;

	while (k < chain->nr && chain->links[k].life != holder)
		k++;
	if (!holder || k == CHAIN_MAX)
		return;
	chain->links[k] = (struct link){holder, true};
	chain->nr += k == chain->nr;
}

/*
 * Only locations in others that leaked hold it: it went with the one that these lead to. In a circle (an address space and its areas, which
 * point to it) there is no such one: then with the one that the last pointer from outside was lost to. NULL: it is that one itself,
 * or none can be told.
 */
static const struct life *went_with(const struct lives *lives, const struct life *life)
{
	struct chain chain = {.links = {{life, false}}, .nr = 1};
	const struct life *last = NULL;

	for (size_t at = 0; at < chain.nr; at++) {
		const struct life *one = chain.links[at].life;
		if (!one->nr_heap || one->nr_outside)
			return one;
		for (uint32_t i = 0; i < one->nr_held; i++)
			add_holder(&chain, life_around(lives, one->held[i].in));
	}
	for (size_t i = 0; i < chain.nr; i++) {
		const struct life *one = chain.links[i].life;
		if (chain.links[i].holds && end_of(one)->by &&
		    (!last || end_of(one)->when > end_of(last)->when))
			last = one;
	}
	return last == life ? NULL : last;
}

/* Did both begin in one call of one function? Only the line in it may differ. */
static bool born_together(const struct life *a, const struct life *b)
{
	return a->nr_born > 1 && a->nr_born == b->nr_born &&
	       !memcmp(a->born + 1, b->born + 1, (a->nr_born - 1) * sizeof(a->born[0]));
}

/*
 * The object that has a reference of no known location: its constructor stored the page in it before the get (a dirty record). It
 * leaked, it has the same holder, it began in the same call, and it was lost later than the reference was let go. NULL: none.
 */
static const struct life *record_of(const struct judge *judge, const struct leak_item *item,
				    const struct life *life)
{
	const struct leaks *leaks = judge->leaks;

	if (life->kind != LIFE_REFERENCE || is_passing((uint32_t)life->ref) || life->kept || life->nr_heap)
		return NULL;
	for (size_t i = 0; i < leaks->nr_items; i++) {
		const struct leak_item *other = &leaks->items[i];
		if (!other->object || other->ref != REF_NONE || other->holder != item->holder ||
		    other->index != item->index)
			continue;
		const struct life *object = life_of(judge->lives, other);
		if (object && born_together(life, object) && end_of(object)->when >= end_of(life)->when)
			return object;
	}
	return NULL;
}

static void judge_life(struct leak_point *point, struct judge *judge, const struct leak_item *item,
		       struct testimony *heard)
{
	const struct life *life = life_of(judge->lives, item);
	bool passing = life && life_is_reference(life) && is_passing((uint32_t)life->ref);

	point->nr_asked++;
	if (!life) {
		point->nr_ended++;
	} else if (life->nr_outside && !passing) {
		point->nr_held++;
		point->held = life;
	} else if ((life->nr_heap && !passing && went_with(judge->lives, life)) ||
		   record_of(judge, item, life)) {
		point->nr_within++;
	} else if (!end_of(life)->by) {
		point->nr_held++;
		point->held = life;
	} else {
		heard[point->nr_lost++] = hear(judge, item, life);
	}
}

static void judge_group(struct leak_point *point, struct judge *judge, const struct leak_group *group,
			size_t limit)
{
	struct testimony *heard = xcalloc(group->nr_items + 1, sizeof(*heard));
	const struct leak_item *items = judge->leaks->items;
	size_t ignored;

	for (size_t i = 0; i < group->nr_items && i < limit; i++)
		judge_life(point, judge, &items[group->items[i]], heard);
	point->lost = count_votes(heard, point->nr_lost, offsetof(struct testimony, lost), &point->nr_places);
	point->given = count_votes(heard, point->nr_lost, offsetof(struct testimony, given), &ignored);
	point->caller = count_votes(heard, point->nr_lost, offsetof(struct testimony, caller), &ignored);
	point->releaser = count_votes(heard, point->nr_lost, offsetof(struct testimony, releaser), &ignored);
	for (size_t i = 0; i < point->nr_lost && !point->example; i++) {
		if (same_function(heard[i].lost.function, point->lost.function))
			point->example = heard[i].life;
	}
	blame(point, judge, &items[group->items[0]], heard);
	free(heard);
}

/* Is there a group that was lost elsewhere, and all of it given to the same function last? */
static bool given_elsewhere_too(const struct leak_points *points, const struct leak_point *point)
{
	for (size_t g = 0; g < points->nr; g++) {
		const struct leak_point *other = &points->list[g];
		if (other->nr_lost && other->given.nr == other->nr_lost &&
		    same_function(other->given.function, point->given.function) &&
		    !same_function(other->lost.function, point->lost.function))
			return true;
	}
	return false;
}

/* Several groups whose callers differ, as the callers of one group may: all were given to one function. */
static void blame_across(struct leak_points *points)
{
	for (size_t g = 0; g < points->nr; g++) {
		struct leak_point *point = &points->list[g];
		if ((point->rule == LEAK_POINT_LOST || point->rule == LEAK_POINT_TAKEN) &&
		    point->given.nr == point->nr_lost && point->given.function &&
		    given_elsewhere_too(points, point)) {
			point->rule = LEAK_POINT_GIVEN_BY_ALL;
			point->blamed = point->given;
		}
	}
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
	struct judge judge = {.leaks = leaks,
			      .stacks = stacks,
			      .lives = lives,
			      .kd = stacks->run->watched ? kd_read(path, &error) : NULL,
			      .gives = gives_open(stacks->symbols)};
	for (size_t g = 0; g < points.nr; g++)
		judge_group(&points.list[g], &judge, &leaks->groups[g], limit);
	blame_across(&points);
	gives_close(judge.gives);
	kd_free(judge.kd);
	free(judge.known);
	free(error);
	free(path);
	return points;
}

void leak_points_free(struct leak_points *points)
{
	free(points->list);
	*points = (struct leak_points){0};
}
