/* SPDX-License-Identifier: MIT */
/*
 * leak_point_within: what went with another thing that leaked.
 *
 * A page-table page is lost when its root is: nobody lost it by itself, and it has no leak point of its own. So a life all of whose locations
 * are in others that leaked, or in others of those, is left to the one that these lead to.
 */
#include <string.h>
#include <uapi/layout.h>

#include "leak_point_priv.h"

#define PAGE_SHIFT 12
#define CHAIN_MAX 256

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

const struct life *life_went_with(const struct judge *judge, const struct leak_item *item,
				  const struct life *life)
{
	bool passing = life_is_reference(life) && is_passing((uint32_t)life->ref);
	const struct life *other = life->nr_heap && !passing ? went_with(judge->lives, life) : NULL;

	return other ? other : record_of(judge, item, life);
}
