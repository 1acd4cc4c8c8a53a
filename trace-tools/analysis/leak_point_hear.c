/* SPDX-License-Identifier: MIT */
/*
 * leak_point_hear: what one life says by itself. See leak_point.h.
 *
 * Of each life the plugin tells addresses: where its last location died, where its last frame went, who was given it. Testimony is what they mean
 * in the source: L, the function that lost it; G, the last that was given it; L's caller; and the last of those given it that
 * releases others of its type. Names that lose nothing of their own are passed over: memcpy, the allocator, helpers of headers.
 *
 * Example, fault 22: free_table() is given the table by mm_destroy() and returns. L is mm_destroy, whose frame had it last; the releaser
 * is free_table, for other tables were freed by way of it.
 */
#include <stdlib.h>

#include "base/util.h"
#include "describe/follow.h"
#include "leak_point_priv.h"

/* ---- names ---- */

/* A function of a header, inlined, is a helper: who called it is meant. */
static bool is_helper(const struct symbol_frame *frame)
{
	const char *dot = frame->file ? strrchr(frame->file, '.') : NULL;

	return frame->inlined && dot && !strcmp(dot, ".h");
}

size_t leak_point_frames(struct stack_table *stacks, uint64_t address, const struct symbol_frame **frames)
{
	uint64_t offset = address - stacks->run->stack_base;

	return offset <= UINT32_MAX ? symbols_find(stacks->symbols, (uint32_t)offset, frames) : 0;
}

bool leak_point_born_in(struct stack_table *stacks, const struct life *life, const char *function)
{
	const struct symbol_frame *frames;

	for (uint32_t i = 0; i < life->nr_born; i++) {
		size_t nr = leak_point_frames(stacks, life->born[i], &frames);
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
	size_t nr = leak_point_frames(stacks, address, &frames), site, i;

	if (!nr)
		return false;
	site = symbols_site(stacks->symbols, frames, nr);
	for (i = site; i + 1 < nr && is_helper(&frames[i]); i++)
		;
	i = i < nr ? i : nr - 1;
	for (size_t k = i; life && k < nr && frames[i].inlined; k++) {
		if (leak_point_born_in(stacks, life, frames[k].function)) {
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
	size_t nr = leak_point_frames(judge->stacks, address, &frames);
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
	size_t nr = leak_point_frames(judge->stacks, address, &frames), i = 0;

	*vote = (struct leak_vote){0};
	if (is_allocators(judge, item, address) || !leak_point_frame(judge->stacks, life, address, &frame))
		return;
	while (i < nr && strcmp(frames[i].function, frame.function) != 0)
		i++;
	struct stack_view view = {.frames = (struct symbol_frame *)frames, .nr = (uint32_t)nr};
	if (i + 1 < nr && !leak_point_born_in(judge->stacks, life, frame.function))
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

/* site: only of what this function allocated; NULL: of all of the type. */
static bool find_releases(const struct judge *judge, uint32_t type, const char *site, const char *function)
{
	const struct release *release;
	size_t at = 0;

	/* What a task has in its hands is released nearly everywhere: who does it himself counts. */
	while ((release = model_next_release(judge->leaks->model, &at))) {
		if (release->ref == type &&
		    (!site ||
		     same_function(stack_table_function(judge->stacks, release->alloc_stack), site)) &&
		    stack_has(judge->stacks, release->put_stack, function, is_passing(type)))
			return true;
	}
	return false;
}

static bool releases_from(struct judge *judge, const struct leak_item *item, const char *site,
			  const char *function)
{
	uint32_t type = leak_is_object(item) ? RELEASE_OF_OBJECT(item->cache) : item->ref;

	if (!function)
		return false;
	for (size_t i = 0; i < judge->nr_known; i++) {
		const struct known_releaser *known = &judge->known[i];
		if (known->type == type && known->site == site && same_function(known->function, function))
			return known->releases;
	}
	bool found = find_releases(judge, type, site, function);
	ARRAY_PUSH(judge->known, judge->nr_known, judge->known_capacity) =
	    (struct known_releaser){type, function, site, found};
	return found;
}

bool releases_others(struct judge *judge, const struct leak_item *item, const char *function)
{
	return releases_from(judge, item, NULL, function);
}

bool names_a_release(const char *function)
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
		size_t nr = leak_point_frames(stacks, end->stack[i], &frames);
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
	/* Pages are of one type, whatever they are for: who releases those that another function allocated need not release these. */
	const char *site = life->kind == LIFE_PAGE && !judge->stacks->run->watched
			       ? stack_table_function(judge->stacks, item->alloc_stack)
			       : NULL;

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
		    releases_from(judge, item, site, vote->function))
			return;
	}
	*vote = (struct leak_vote){0};
}

/* A setter that lost it on behalf of its caller: then that one is L. Returns where L is in the stack of the location's death; 0: as it was. */
static uint32_t hear_knower(struct judge *judge, const struct life *life, struct leak_vote *lost)
{
	struct symbol_frame frame;
	struct leak_vote at;

	if (life->location.by != LOST_OVERWRITTEN)
		return 0;
	vote_of(judge->stacks, life, life->location.pc, &at);
	uint32_t i = same_function(at.function, lost->function) ? leak_point_knower(judge, life, &frame)
								: life->location.nr;
	if (i == life->location.nr)
		return 0;
	lost->function = frame.function;
	frame_place(&frame, lost->place, sizeof(lost->place));
	return i;
}

/* walk_end(&walk): nobody was given anything of it later, and L called it. */
static void vote_within(struct judge *judge, const struct life *life, const char *lost,
			struct leak_vote *within)
{
	const struct life_given *given = life->nr_given ? &life->given[0] : NULL;
	struct leak_vote from;

	if (!given || given->handled != HANDLED_WITHIN)
		return;
	vote_of(judge->stacks, life, given->from, &from);
	if (same_function(from.function, lost))
		vote_of(judge->stacks, NULL, given->function + 1, within);
}

struct testimony testimony_hear(struct judge *judge, const struct leak_item *item, const struct life *life)
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
	uint32_t at = hear_knower(judge, life, &heard.lost);
	const struct life_end *around = at ? &life->location : end;
	for (uint32_t i = at + 1; i < around->nr && !heard.caller.function; i++) {
		vote_lost(judge, item, life, around->stack[i], &heard.caller);
		if (same_function(heard.caller.function, heard.lost.function) ||
		    passes_on(judge->kd, heard.caller.function))
			heard.caller.function = NULL;
	}
	heard.born_there = leak_point_born_in(stacks, life, heard.lost.function);
	vote_releaser(judge, item, life, &heard.releaser);
	vote_within(judge, life, heard.lost.function, &heard.within);
	if (given) {
		vote_of(stacks, NULL, given->function + 1, &heard.given);
		bool taken = life->location.by && !heard.born_there;
		heard.taken_and_given = end == &life->frame && life->frame.pc == given->from &&
					(taken || gives_swaps(judge->gives, heard.given.function));
	}
	return heard;
}
