/* SPDX-License-Identifier: MIT */
/*
 * leak_point_want: what the plugin shall follow, and the life that came of it. See leak_point.h.
 *
 * What leaked is known by address from the recorded run, and the repeated run is the same, so an address names it there, too.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <uapi/layout.h>

#include "leak_point_priv.h"

#define PAGE_SHIFT 12

static uint64_t item_address(const struct leak_item *item)
{
	return item->object ? (uint64_t)item->where * 8 + PHYS_OFFSET : (uint64_t)item->where << PAGE_SHIFT;
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

const struct life *life_of(const struct lives *lives, const struct leak_item *item)
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

/* By address; where several have one, in any order. */
void lives_sort(struct lives *lives)
{
	if (lives->nr)
		qsort(lives->list, lives->nr, sizeof(*lives->list), compare_lives);
}
