/* SPDX-License-Identifier: MIT */
/*
 * growth: what is reachable, and becomes more from test to test.
 *
 * A list to which every test adds something and from which nobody removes is no leak: the audit reaches all of it. Memory runs
 * out all the same. What tells such a list from a cache is its curve over the tests:
 *
 *     pages   | . . . . . 3 6 9 12 15 18 21      grows
 *             | . . . . . 8 9 9 10 9 10 9        a cache: it falls now and then
 *             | . . . . . 2 7 9 10 11 11 11      a cache that fills: it flattens
 *
 * The first third of the tests is not looked at: in it caches fill. Over the rest (GROWTH_MIN comparisons at least, from one
 * sample to the next; samples.h):
 *
 * GROWTH-1  it never falls;
 * GROWTH-2  it rises in at least half of the comparisons, rounded down;
 * GROWTH-3  in their second half it rises at least half as much as in their first half.
 *
 * Looked at are the pages and the objects of each call site. Where no site's pages grow, all pages together are looked at, and
 * where no site's objects of a slab cache do, all objects of the cache: then many sites grow a little, and the one that grew most is named.
 * Nothing is said of an incomplete trace, since what seems to grow may have been freed by events that are missing; nor where
 * tests ran at the same time, as what is held when one begins is held by the other.
 */
#ifndef TOOLS_ANALYSIS_GROWTH_H
#define TOOLS_ANALYSIS_GROWTH_H

#include "replay/model.h"

struct growth_item {
	bool objects;                 /* else pages */
	bool together;                /* of all sites, not of this one alone */
	uint16_t cache;               /* of the objects */
	uint32_t stack;               /* of the allocation; the one that grew most */
	uint64_t before, after;       /* held after the first third, and at the end */
	uint32_t rises, comparisons;  /* rose in so many of so many */
	uint32_t from_test, to_tests; /* the test before which `before` was, how many had begun at the end */
};

struct growth {
	struct growth_item *items; /* what grew most first */
	size_t nr, capacity;
};

/* skip: stacks that are left out (reported as leaks, suppressed); may be NULL. */
void growth_find(struct growth *growth, const struct model *model, bool (*skip)(void *arg, uint32_t stack),
		 void *arg);
void growth_free(struct growth *growth);
/* The largest growth of one item. */
uint64_t growth_most(const struct growth *growth);

#endif
