/* SPDX-License-Identifier: MIT */
/* leaks_query: leaving out what was not asked for, and what is suppressed. See leaks.h. */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "leaks_priv.h"

static bool in_spans(const struct leaks_query *query, uint64_t time)
{
	for (size_t i = 0; i < query->nr_spans; i++) {
		if (time >= query->spans[i].from && time <= query->spans[i].to)
			return true;
	}
	return query->nr_spans == 0;
}

static bool is_asked_for(const struct leaks *leaks, const struct leak_item *item)
{
	const struct leaks_query *query = leaks->query;

	if (!in_spans(query, item->get_time) || (query->pid >= 0 && item->get_pid != query->pid))
		return false;
	return !query->kind ||
	       !strcmp(query->kind, item->object ? model_cache(leaks->model, item->cache)->name
						 : page_kind_text(item->kind));
}

static void sum_add(struct leak_sum *sum, const struct leaks *leaks, const struct leak_item *item)
{
	sum->pages += item->object ? 0 : 1ULL << item->order;
	sum->objects += item->object;
	sum->bytes += leak_item_bytes(leaks, item);
}

/* The suppression that fits a stack, looked up once: position + 2, 1: none fits, 0: not looked up yet. */
struct suppression_lookup {
	uint32_t *by_stack;
	uint32_t nr_stacks;
};

static struct suppression *suppression_of_stack(const struct leaks *leaks, struct suppression_lookup *lookup,
						uint32_t stack)
{
	struct suppressions *list = leaks->query->suppressions;
	uint32_t *known = &lookup->by_stack[stack < lookup->nr_stacks ? stack : 0];

	if (!*known) {
		struct suppression *found = suppressions_find(list, stack_table_get(leaks->stacks, stack));
		*known = found ? (uint32_t)(found - list->list) + 2 : 1;
	}
	return *known > 1 ? &list->list[*known - 2] : NULL;
}

bool leaks_suppressed(const struct leaks *leaks, uint32_t stack)
{
	struct suppressions *list = leaks->query->suppressions;

	return list && suppressions_find(list, stack_table_get(leaks->stacks, stack));
}

void leaks_leave_out(struct leaks *leaks)
{
	uint32_t nr_sites;
	model_sites(leaks->model, &nr_sites);
	struct suppression_lookup lookup = {.nr_stacks = nr_sites};
	size_t kept = 0;

	leaks->narrowed = leaks->query->nr_spans || leaks->query->pid >= 0 || leaks->query->kind;
	lookup.by_stack = xcalloc(lookup.nr_stacks, sizeof(*lookup.by_stack));
	for (size_t i = 0; i < leaks->nr_items; i++) {
		const struct leak_item *item = &leaks->items[i];
		if (!is_asked_for(leaks, item)) {
			sum_add(&leaks->left_out, leaks, item);
			continue;
		}
		struct suppression *suppression = NULL;
		if (leaks->query->suppressions) {
			suppression = suppression_of_stack(leaks, &lookup, item->alloc_stack);
			if (!suppression)
				suppression = suppression_of_stack(leaks, &lookup, item->get_stack);
		}
		if (!suppression) {
			leaks->items[kept++] = *item;
			continue;
		}
		struct leak_sum one = {0};
		sum_add(&one, leaks, item);
		sum_add(&leaks->suppressed, leaks, item);
		suppression->pages += one.pages;
		suppression->objects += one.objects;
		suppression->bytes += one.bytes;
	}
	leaks->nr_items = kept;
	free(lookup.by_stack);
}
