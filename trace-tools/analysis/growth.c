/* SPDX-License-Identifier: MIT */
/* growth: see growth.h. */
#include "growth.h"

#include <stdlib.h>

#include "base/util.h"

#define GROWTH_MIN 4U
#define ROWS_MAX (SAMPLES_MAX + 1)

struct look {
	struct growth *growth;
	const struct model *model;
	const struct samples *samples;
	const struct site *sites;
	bool (*skip)(void *arg, uint32_t stack);
	void *arg;
	uint32_t first, nr; /* the rows that are compared */
};

/* GROWTH-1 to GROWTH-3 of what a call site, or several together, held at the rows; the numbers go into *item. */
static bool grows(const struct look *look, const uint64_t *held, struct growth_item *item)
{
	uint32_t last = look->nr - 1, comparisons = last - look->first,
		 middle = look->first + comparisons / 2, rises = 0;

	for (uint32_t row = look->first; row < last; row++) {
		if (held[row + 1] < held[row])
			return false;
		rises += held[row + 1] > held[row];
	}
	item->before = held[look->first];
	item->after = held[last];
	item->rises = rises;
	item->comparisons = comparisons;
	item->from_test = samples_tests_before(look->samples, look->first);
	item->to_tests = samples_tests_before(look->samples, last);
	/* The second half has a comparison more where their number is odd. */
	return rises >= comparisons / 2 &&
	       2 * (held[last] - held[middle]) >= held[middle] - held[look->first];
}

static void add_item(const struct look *look, const struct growth_item *item)
{
	ARRAY_PUSH(look->growth->items, look->growth->nr, look->growth->capacity) = *item;
}

static uint64_t held_at(const struct look *look, uint32_t row, uint32_t site, bool objects)
{
	struct site_sample sample = samples_at(look->samples, row, site);

	return objects ? sample.objects : sample.pages;
}

/* One call site. */
static void look_at_site(const struct look *look, uint32_t site, bool objects)
{
	struct growth_item item = {.objects = objects, .stack = site, .cache = look->sites[site].cache};
	uint64_t held[ROWS_MAX];

	for (uint32_t row = look->first; row < look->nr; row++)
		held[row] = held_at(look, row, site, objects);
	if (grows(look, held, &item) && !(look->skip && look->skip(look->arg, site)))
		add_item(look, &item);
}

static bool is_of(const struct look *look, uint32_t site, bool objects, uint16_t cache)
{
	return !objects || (look->sites[site].object_allocs && look->sites[site].cache == cache);
}

/* All pages, or all objects of one slab cache, of the call sites that are not left out. */
static void look_at_all(const struct look *look, bool objects, uint16_t cache)
{
	struct growth_item item = {.objects = objects, .together = true, .cache = cache};
	uint64_t held[ROWS_MAX] = {0};
	int64_t most = 0;

	for (uint32_t site = 0; site < look->samples->nr_sites; site++) {
		if (!is_of(look, site, objects, cache) || (look->skip && look->skip(look->arg, site)))
			continue;
		for (uint32_t row = look->first; row < look->nr; row++)
			held[row] += held_at(look, row, site, objects);
		int64_t more = (int64_t)held_at(look, look->nr - 1, site, objects) -
			       (int64_t)held_at(look, look->first, site, objects);
		if (more > most) {
			most = more;
			item.stack = site;
		}
	}
	if (grows(look, held, &item))
		add_item(look, &item);
}

static bool is_known(const struct growth *growth, bool objects, uint16_t cache)
{
	for (size_t i = 0; i < growth->nr; i++) {
		if (growth->items[i].objects == objects && (!objects || growth->items[i].cache == cache))
			return true;
	}
	return false;
}

/* Each slab cache once: at the first call site that allocates from it. */
static void look_at_caches(const struct look *look)
{
	for (uint32_t site = 0; site < look->samples->nr_sites; site++) {
		uint16_t cache = look->sites[site].cache;
		bool seen = !look->sites[site].object_allocs || is_known(look->growth, true, cache);
		for (uint32_t before = 0; before < site && !seen; before++)
			seen = is_of(look, before, true, cache);
		if (!seen)
			look_at_all(look, true, cache);
	}
}

static int compare_items(const void *a, const void *b)
{
	const struct growth_item *left = a, *right = b;
	uint64_t l = left->after - left->before, r = right->after - right->before;

	if (l != r)
		return l > r ? -1 : 1;
	return left->stack < right->stack ? -1 : left->stack > right->stack;
}

void growth_find(struct growth *growth, const struct model *model, bool (*skip)(void *arg, uint32_t stack),
		 void *arg)
{
	const struct samples *samples = model_samples(model);
	uint32_t nr_sites, nr = samples_nr_rows(samples);
	struct look look = {growth, model, samples,      model_sites(model, &nr_sites),
			    skip,   arg,   (nr + 1) / 3, nr};

	*growth = (struct growth){0};
	if (nr < look.first + GROWTH_MIN + 1 || samples->overlap)
		return;
	for (uint32_t site = 0; site < samples->nr_sites; site++) {
		look_at_site(&look, site, false);
		look_at_site(&look, site, true);
	}
	if (!is_known(growth, false, 0))
		look_at_all(&look, false, 0);
	look_at_caches(&look);
	if (growth->nr)
		qsort(growth->items, growth->nr, sizeof(*growth->items), compare_items);
}

void growth_free(struct growth *growth)
{
	free(growth->items);
}

uint64_t growth_most(const struct growth *growth)
{
	return growth->nr ? growth->items[0].after - growth->items[0].before : 0;
}
