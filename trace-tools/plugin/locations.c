/* SPDX-License-Identifier: MIT
 *
 * locations: the words of memory that hold an alias of a life; see follow.h.
 *
 * Found by address through a hash of buckets, and by life through a list. In front of it all is a filter that counts the
 * locations of each of its places: most stores of the guest meet an empty place and are done. Memory is freed by the page:
 * a count for each page says whether there is anything to look for.
 */
#include <stdlib.h>

#include "bounds.h"
#include "follow_priv.h"
#include "guest.h"
#include "hooks.h"
#include "qemu_api.h"
#include "reach.h"

#define BUCKET_BITS 18
#define STACK_BELOW 1024 /* a leaf may store below its stack pointer's last value that we saw */
#define WINDOWS 4096

static struct location *locations;
static uint32_t locations_used = 1, free_location;
static uint32_t buckets[1U << BUCKET_BITS];
uint16_t location_filter[1U << FILTER_BITS];
static uint32_t *of_page; /* linear ones, by page */
uint32_t nr_stack_locations;

/* A stack: how many locations are on it, and the lowest. */
static struct window {
	uint64_t va, lowest;
	uint32_t nr;
} windows[WINDOWS];

bool locations_init(void)
{
	locations = calloc(LOCATIONS_MAX, sizeof(*locations));
	of_page = calloc(alias_nr_pages(), sizeof(*of_page));
	return locations && of_page;
}

const struct location *location_at(uint32_t i)
{
	return &locations[i];
}

static uint32_t *bucket_of(uint64_t va)
{
	return &buckets[(va >> 3) * 0x9e3779b97f4a7c15ULL >> (64 - BUCKET_BITS)];
}

static uint16_t *filter_of(uint64_t va)
{
	return &location_filter[va >> 3 & ((1U << FILTER_BITS) - 1)];
}

static uint32_t *page_count_of(uint64_t va)
{
	uint64_t pa = guest_linear(va), index = pa == NONE ? NONE : alias_index(pa);

	return index == NONE ? NULL : &of_page[index];
}

static struct window *window_at(uint64_t va, bool make)
{
	uint64_t base = window_of(va);

	for (uint32_t i = 0; i < WINDOWS; i++) {
		struct window *window = &windows[(base / 4096 + i) % WINDOWS];
		if (window->va == base)
			return window;
		if (!window->va) {
			if (make)
				*window = (struct window){.va = base, .lowest = UINT64_MAX};
			return make ? window : NULL;
		}
	}
	return NULL;
}

/*
 * On a stack, or a register that a switch of stacks has saved: what was in it may be stale, and it goes with the next switch. The
 * frame that had the pointer is there for as long as it is.
 */
static bool passes(const struct location *location)
{
	return location->on_stack || location->saved;
}

/* ---- add ---- */

static bool is_there(uint32_t life, uint64_t va)
{
	for (uint32_t i = *bucket_of(va); i; i = locations[i].next) {
		if (locations[i].va == va && locations[i].life == life)
			return true;
	}
	return false;
}

static void link_to_life(uint32_t i)
{
	struct life *life = life_at(locations[i].life);

	locations[i].older = life->first;
	locations[i].newer = 0;
	if (life->first)
		locations[life->first].newer = i;
	life->first = i;
}

void location_add(const struct moment *moment, uint32_t life, uint64_t va, unsigned bytes, uint64_t pc,
		  bool saved)
{
	uint64_t sp = moment->x[REG_SP];
	uint32_t i = free_location;

	if (is_there(life, va) || *filter_of(va) == UINT16_MAX)
		return;
	if (i)
		free_location = locations[i].next;
	else if (locations_used < LOCATIONS_MAX)
		i = locations_used++;
	else
		return;
	bool on_stack = window_of(va) == window_of(sp - 1) && va + STACK_BELOW >= sp;
	uint32_t *bucket = bucket_of(va), *count = page_count_of(va);
	locations[i] = (struct location){.va = va,
					 .pc = pc,
					 .when = follow_clock,
					 .life = life,
					 .next = *bucket,
					 .bytes = (uint8_t)bytes,
					 .on_stack = on_stack,
					 .saved = saved,
					 .inside = !hooks.follow_all && reach_around(va)};
	*bucket = i;
	++*filter_of(va);
	if (count)
		++*count;
	link_to_life(i);
	struct window *window = on_stack ? window_at(va, true) : NULL;
	if (window) {
		window->nr++;
		window->lowest = va < window->lowest ? va : window->lowest;
	}
	nr_stack_locations += on_stack;
	if (passes(&locations[i])) {
		life_at(life)->nr_stack++;
	} else {
		life_at(life)->nr_heap++;
		life_at(life)->nr_outside += !locations[i].inside;
		life_at(life)->kept = follow_clock;
	}
}

/* ---- remove ---- */

/* Out of everything but its bucket. */
static void unlink_location(uint32_t i)
{
	struct location *location = &locations[i];
	struct life *life = life_at(location->life);
	uint32_t *count = page_count_of(location->va);
	struct window *window = location->on_stack ? window_at(location->va, false) : NULL;

	if (location->newer)
		locations[location->newer].older = location->older;
	else
		life->first = location->older;
	if (location->older)
		locations[location->older].newer = location->newer;
	--*filter_of(location->va);
	if (count)
		--*count;
	if (window && window->nr && !--window->nr)
		window->lowest = UINT64_MAX;
	nr_stack_locations -= location->on_stack;
	if (passes(location)) {
		life->nr_stack--;
	} else {
		life->nr_heap--;
		life->nr_outside -= !location->inside;
	}
	location->next = free_location;
	free_location = i;
}

/* The last one outside stacks, or outside of all else that leaks, is gone: whoever did that had the pointer. */
static void last_heap_location(const struct moment *moment, uint32_t i, uint64_t va, enum lost_by by,
			       uint64_t pc)
{
	struct life *life = life_at(i);

	if (life->final)
		return;
	frames_other_stacks(moment, i);
	frame_hold(moment, i, moment->x[REG_FP], pc);
	life->location = (struct lost){.by = by, .pc = pc, .where = va, .when = follow_clock};
	life->location.nr = follow_unwind(moment, pc, follow_leaf_return(moment, pc), life->location.stack);
}

static bool keeps(const struct location *location, const uint64_t *value)
{
	const struct life *life = life_at(location->life);
	enum alias_form form;

	if (!value)
		return false;
	uint64_t alias = alias_of(*value, 8, &form);
	return alias && alias - 1 - life->index < life->nr_pages && life_hit(life, *value, form);
}

/* Of one word: what overlaps [lo, hi). */
static void remove_in_word(const struct moment *moment, uint64_t lo, uint64_t hi, const uint64_t *value,
			   bool saved_only, enum lost_by by, uint64_t pc)
{
	uint64_t word = lo & ~7ULL;

	for (uint32_t *at = bucket_of(word); *at;) {
		uint32_t i = *at;
		struct location *location = &locations[i];
		if ((location->va & ~7ULL) != word || location->va >= hi ||
		    location->va + location->bytes <= lo || (saved_only && !location->saved) ||
		    keeps(location, value)) {
			at = &location->next;
			continue;
		}
		uint32_t life = location->life;
		uint64_t va = location->va;
		bool heap = !passes(location);
		*at = location->next;
		unlink_location(i);
		bool last = heap && !life_at(life)->nr_outside;
		if (last && by != LOST_NOT)
			last_heap_location(moment, life, va, by, pc);
	}
}

void locations_overwritten(const struct moment *moment, uint64_t lo, uint64_t hi, const uint64_t *value,
			   uint64_t pc, bool saving)
{
	remove_in_word(moment, lo, hi, value, false, saving ? LOST_NOT : LOST_OVERWRITTEN, pc);
}

bool locations_on_page_of(uint64_t va)
{
	const uint32_t *count = page_count_of(va);

	return count && *count;
}

void locations_in(uint64_t lo, uint64_t hi, void (*tell)(const struct location *, void *), void *data)
{
	for (uint64_t word = lo & ~7ULL; word < hi; word += 8) {
		for (uint32_t i = location_any_at(word) ? *bucket_of(word) : 0; i; i = locations[i].next) {
			if ((locations[i].va & ~7ULL) == word)
				tell(&locations[i], data);
		}
	}
}

static void remove_range(const struct moment *moment, uint64_t lo, uint64_t hi, enum lost_by by, uint64_t pc)
{
	for (uint64_t word = lo & ~7ULL; word < hi; word += 8) {
		if (location_any_at(word))
			remove_in_word(moment, word < lo ? lo : word, word + 8 < hi ? word + 8 : hi, NULL,
				       false, by, pc);
	}
}

void locations_freed(const struct moment *moment, uint64_t lo, uint64_t hi, uint64_t pc)
{
	for (uint64_t page = lo & ~(PAGE_BYTES - 1); page < hi; page += PAGE_BYTES) {
		const uint32_t *count = page_count_of(page);
		uint64_t end = page + PAGE_BYTES;
		if (!count || *count)
			remove_range(moment, page < lo ? lo : page, end < hi ? end : hi, LOST_FREED, pc);
	}
}

void locations_pop(const struct moment *moment, uint64_t pc)
{
	uint64_t sp = moment->x[REG_SP];
	struct window *window = window_at(sp - 1, false);

	if (!window || window->lowest >= sp)
		return;
	remove_range(moment, window->lowest, sp, LOST_POPPED, pc);
	if (window->nr)
		window->lowest = sp;
}

void locations_loaded(const struct moment *moment, uint64_t va, uint64_t pc)
{
	if (location_any_at(va))
		remove_in_word(moment, va, va + 8, NULL, true, LOST_POPPED, pc);
}

void locations_forget(uint32_t life)
{
	uint32_t i;

	while ((i = life_at(life)->first)) {
		uint32_t *at = bucket_of(locations[i].va);
		while (*at != i)
			at = &locations[*at].next;
		*at = locations[i].next;
		unlink_location(i);
	}
}
