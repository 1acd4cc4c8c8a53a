/* SPDX-License-Identifier: MIT */
/*
 * leaks_pointers: the third detector, of runs in which all pointers were followed (`run` and `watch --leak-points`).
 *
 * RUN/leak-points has the pages and objects that were not freed and to which no pointer was left at the end (plugin/reach.h). That
 * needs no claims, no audit and no rule of holders; but what it says rests on the plugin knowing each form of a pointer.
 *
 * So a finding that audit or trace have, too, is only marked. One of the pointers alone is a finding of its own: a leak where nobody
 * else looked, uncertain where a conclusive audit looked and reported nothing (verdict_of in leaks.c).
 */
#include <stdlib.h>
#include <string.h>
#include <uapi/layout.h>
#include <unistd.h>

#include "base/util.h"
#include "leaks_priv.h"

/* Where the plugin of this run wrote it; NULL: nobody followed. Caller frees. */
char *leaks_pointers_file(const struct run *run)
{
	static const char *const names[] = {"leak-points", "icount/leak-points", LEAK_POINTS_REPEATED};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = xasprintf("%s/%s", run->folder, names[i]);
		if (!access(path, F_OK))
			return path;
		free(path);
	}
	return NULL;
}

static uint32_t life_where(const struct life *life)
{
	return life->kind == LIFE_OBJECT ? (uint32_t)((life->base - PHYS_OFFSET) / 8) : (uint32_t)life->pfn;
}

struct known {
	uint32_t where;
	bool object;
	size_t item;
};

static int compare_known(const void *a, const void *b)
{
	const struct known *left = a, *right = b;

	if (left->object != right->object)
		return left->object - right->object;
	return left->where < right->where ? -1 : left->where > right->where;
}

/* What the other two found, sorted. Caller frees. */
static struct known *list_known(const struct leaks *leaks)
{
	struct known *known = xcalloc(leaks->nr_items + 1, sizeof(*known));

	for (size_t i = 0; i < leaks->nr_items; i++)
		known[i] = (struct known){leaks->items[i].where, leaks->items[i].object, i};
	qsort(known, leaks->nr_items, sizeof(*known), compare_known);
	return known;
}

/* One that only the pointers show; the trace must know it as live. */
static void add_item(struct leaks *leaks, const struct life *life)
{
	struct leak_item item;

	if (!leaks_classify(leaks, life->kind == LIFE_OBJECT, life_where(life), &item))
		return;
	if (!item.by_trace)
		item.verdict = life->kind == LIFE_OBJECT ? VERDICT_OBJ : VERDICT_UNREACH;
	item.by_pointers = true;
	item.doubt = DOUBT_POINTERS;
	ARRAY_PUSH(leaks->items, leaks->nr_items, leaks->items_capacity) = item;
}

/* What was found in this run while it was recorded is known by its checksum; what `why` found later is not. */
static bool another_machine(const struct run *run, const char *path, char **error)
{
	char *fault = strstr(path, LEAK_POINTS_REPEATED) ? NULL : manifest_leak_points_fault(run, path);

	*error = fault ? xasprintf("%s: %s", path, fault) : NULL;
	free(fault);
	return *error != NULL;
}

void leaks_add_pointers(struct leaks *leaks)
{
	char *path = leaks_pointers_file(model_run(leaks->model)), *error = NULL;
	struct lives *lives;

	if (!path)
		return;
	leaks->lives = lives = xcalloc(1, sizeof(*lives));
	if (another_machine(model_run(leaks->model), path, &error) || !lives_read(lives, path, &error)) {
		warn("%s", error);
		free(error);
		leaks->pointers_unread = true;
	}
	leaks->nr_followed = lives->of;
	struct known *known = list_known(leaks);
	size_t nr_known = leaks->nr_items;
	for (size_t i = 0; i < lives->nr && lives->of; i++) {
		const struct life *life = &lives->list[i];
		struct known wanted = {.where = life_where(life), .object = life->kind == LIFE_OBJECT};
		if (life_is_reference(life))
			continue;
		const struct known *found = bsearch(&wanted, known, nr_known, sizeof(*known), compare_known);
		if (found)
			leaks->items[found->item].by_pointers = true;
		else
			add_item(leaks, life);
	}
	free(known);
	free(path);
}
