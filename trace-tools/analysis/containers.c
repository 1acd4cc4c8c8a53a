/* SPDX-License-Identifier: MIT */
/*
 * containers: containers before contents.
 *
 * An address space that was never dropped keeps its tables, its pages and its VMAs: twenty groups leak, and one thing is missing. What
 * leaked as part of something that leaked is put under it: the container is named first, and is the one to look at.
 *
 *     [1] 3 objects of cache mm              suspect: exec_commit
 *     [2] 212 anon pages  under [1]
 *     [3] 12 page-table pages  under [1]
 *
 * CONTAIN-1  A group is under one of objects of the cache that its holders are of; a container is under nothing.
 * CONTAIN-2  It has its container's suspect, or none, but for what is certain by itself.
 */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "leaks_priv.h"

/* The cache of the object that holds such things while it lives; NULL: none does. */
static const char *cache_of_holder(const struct leaks *leaks, const struct leak_item *item)
{
	uint32_t kind = leak_is_object(item) ? leaks_holder_kind(leaks, item->cache) : item->ref;

	switch (kind) {
	case REF_PTE:
	case REF_TABLE:
	case REF_VMA:
		return "mm";
	case REF_FILE:
		return "file";
	case REF_CACHE:
		return leak_is_object(item) ? NULL : "inode"; /* an inode's own number */
	case REF_DIRTY:
		return "inode";
	case REF_KSTACK:
		return "task";
	case REF_PIPE:
		return "pipe";
	case REF_SHARE:
		return "shared";
	default:
		return NULL;
	}
}

/* The largest group of objects that this group's things may be part of; nr_groups: none. */
static size_t container_of(const struct leaks *leaks, const struct leak_group *group)
{
	const char *wanted = cache_of_holder(leaks, &leaks->items[group->items[0]]);

	for (size_t i = 0; wanted && i < leaks->nr_groups; i++) {
		const struct leak_item *first = &leaks->items[leaks->groups[i].items[0]];
		if (first->object && !strcmp(model_cache(leaks->model, first->cache)->name, wanted))
			return i;
	}
	return leaks->nr_groups;
}

/* Roots with a suspect first, then the others, each with what is under it; in the same order otherwise. */
void containers_named_first(struct leaks *leaks)
{
	size_t nr = 0, *moved = xcalloc(leaks->nr_groups, sizeof(*moved));
	struct leak_group *ordered = xcalloc(leaks->nr_groups, sizeof(*ordered));

	for (int confidence = CONFIDENCE_CERTAIN; confidence >= CONFIDENCE_NONE; confidence--) {
		for (size_t g = 0; g < leaks->nr_groups; g++) {
			size_t root = leaks->groups[g].container ? leaks->groups[g].container - 1 : g;
			if ((int)leaks->groups[root].missing.confidence != confidence)
				continue;
			moved[g] = nr;
			ordered[nr++] = leaks->groups[g];
		}
	}
	for (size_t g = 0; g < nr; g++) {
		if (ordered[g].container)
			ordered[g].container = moved[ordered[g].container - 1] + 1;
		for (size_t i = 0; i < ordered[g].nr_items; i++)
			leaks->items[ordered[g].items[i]].group = (uint32_t)g;
	}
	free(leaks->groups);
	leaks->groups = ordered;
	leaks->groups_capacity = nr;
	free(moved);
}

struct place {
	size_t group, root;
	uint64_t bytes; /* of the root with all under it */
};

static int compare_places(const void *a, const void *b)
{
	const struct place *left = a, *right = b;

	if (left->bytes != right->bytes)
		return left->bytes > right->bytes ? -1 : 1;
	if (left->root != right->root)
		return left->root < right->root ? -1 : 1;
	if ((left->group == left->root) != (right->group == right->root))
		return left->group == left->root ? -1 : 1;
	return left->group < right->group ? -1 : left->group > right->group;
}

/* Of groups ordered by size: containers with what is under them, the largest sum first. */
void containers_order(struct leaks *leaks)
{
	size_t nr = leaks->nr_groups;
	struct place *places = xcalloc(nr, sizeof(*places));
	struct leak_group *ordered = xcalloc(nr, sizeof(*ordered));
	uint64_t *bytes = xcalloc(nr, sizeof(*bytes));

	for (size_t g = 0; g < nr; g++) {
		size_t container = container_of(leaks, &leaks->groups[g]);
		places[g] = (struct place){g, container < nr ? container : g, 0};
	}
	for (size_t g = 0; g < nr; g++)
		bytes[places[g].root] += leaks->groups[g].bytes;
	for (size_t g = 0; g < nr; g++)
		places[g].bytes = bytes[places[g].root];
	if (nr)
		qsort(places, nr, sizeof(*places), compare_places);
	size_t root = 0;
	for (size_t g = 0; g < nr; g++) {
		ordered[g] = leaks->groups[places[g].group];
		if (places[g].group == places[g].root)
			root = g;
		else
			ordered[g].container = root + 1;
	}
	free(leaks->groups);
	leaks->groups = ordered;
	leaks->groups_capacity = nr;
	free(places);
	free(bytes);
}

void containers_inherit(struct leaks *leaks)
{
	for (size_t g = 0; g < leaks->nr_groups; g++) {
		struct missing_release *missing = &leaks->groups[g].missing;
		if (!leaks->groups[g].container || missing->confidence == CONFIDENCE_CERTAIN)
			continue;
		const struct missing_release *of = &leaks->groups[leaks->groups[g].container - 1].missing;
		free(missing->suspect_place);
		missing->suspect = of->suspect;
		missing->suspect_caller = of->suspect_caller;
		missing->suspect_place = of->suspect_place ? xstrdup(of->suspect_place) : NULL;
		missing->confidence = of->confidence;
		missing->rule = of->rule;
		missing->chance = of->chance;
		missing->how = MISSING_CONTAINER;
	}
}
