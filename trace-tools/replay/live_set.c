/* SPDX-License-Identifier: MIT */
/* set: see set.h. */
#include "live_set.h"

#include <stdlib.h>

#include "base/util.h"

/* A page's holders that are told apart; further ones are rare enough to be counted twice. */
#define HOLDERS_MAX 256

static struct live_row *row_of(struct live_set *set, uint32_t key)
{
	uint32_t *row = &set->row_of[key < set->nr_keys ? key : 0];

	if (!*row) {
		ARRAY_PUSH(set->rows, set->nr, set->capacity) =
		    (struct live_row){.key = key, .oldest = UINT64_MAX};
		*row = (uint32_t)set->nr;
	}
	return &set->rows[*row - 1];
}

static void row_add_page(struct live_row *row, const struct page_state *page, bool alone)
{
	uint64_t pages = 1ULL << page->order;

	row->pages += pages;
	row->alone += alone ? pages : 0;
	row->kinds[page->kind] += pages;
	if (page->alloc_time < row->oldest)
		row->oldest = page->alloc_time;
}

static uint16_t mm_process(const struct model *model, const struct page_ref *ref)
{
	return model_holder(model, ref->ref, ref->holder)->pid;
}

/* The row of who holds this reference. */
static uint32_t holder_key(const struct model *model, const struct page_ref *ref)
{
	switch (ref->ref) {
	case REF_PTE:
	case REF_TABLE:
		return mm_process(model, ref) ? mm_process(model, ref) : HOLDING_REF + ref->ref;
	case REF_IO:
	case REF_FAULT:
	case REF_KSTACK:
	case REF_OWNER:
		return ref->holder ? ref->holder : HOLDING_REF + ref->ref;
	default:
		return HOLDING_REF + ref->ref;
	}
}

static void add_holders(struct live_set *set, const struct model *model, const struct page_state *page)
{
	uint32_t keys[HOLDERS_MAX];
	size_t nr = 0;

	for (const struct page_ref *ref = model_refs(model, page); ref; ref = model_next_ref(model, ref)) {
		uint32_t key = holder_key(model, ref);
		bool seen = ref->early_put;
		for (size_t i = 0; i < nr && !seen; i++)
			seen = keys[i] == key;
		if (!seen && nr < HOLDERS_MAX)
			keys[nr++] = key;
	}
	if (nr == 0)
		keys[nr++] = HOLDING_REF + REF_NONE;
	for (size_t i = 0; i < nr; i++)
		row_add_page(row_of(set, keys[i]), page, nr == 1);
}

static void add_page(struct live_set *set, const struct model *model, const struct page_state *page)
{
	set->pages += 1ULL << page->order;
	if (set->by == BY_PID)
		add_holders(set, model, page);
	else
		row_add_page(row_of(set, set->by == BY_KIND ? page->kind : page->alloc_stack), page, false);
}

static void add_object(struct live_set *set, const struct model *model, const struct object_state *object)
{
	uint64_t bytes = model_cache(model, object->cache)->object_bytes;
	uint32_t key = set->by == BY_KIND    ? HOLDING_CACHE + object->cache
		       : set->by == BY_STACK ? object->stack
		       : object->pid         ? object->pid
					     : HOLDING_REF + REF_NONE;
	struct live_row *row = row_of(set, key);

	row->objects++;
	row->object_bytes += bytes;
	if (object->time < row->oldest)
		row->oldest = object->time;
	set->objects++;
	set->object_bytes += bytes;
}

static int compare_rows(const void *a, const void *b)
{
	const struct live_row *left = a, *right = b;

	if (left->pages != right->pages)
		return left->pages > right->pages ? -1 : 1;
	if (left->object_bytes != right->object_bytes)
		return left->object_bytes > right->object_bytes ? -1 : 1;
	return left->key < right->key ? -1 : left->key > right->key;
}

void live_set_make(struct live_set *set, const struct model *model, enum live_set_by by)
{
	uint32_t nr_sites;
	const struct page_state *page;
	const struct object_state *object;

	model_sites(model, &nr_sites);
	size_t nr_keys = by == BY_STACK ? nr_sites : HOLDING_CACHE + UINT16_MAX + 1;

	*set =
	    (struct live_set){.by = by, .row_of = xcalloc(nr_keys, sizeof(*set->row_of)), .nr_keys = nr_keys};
	for (uint32_t pfn = 0; (page = model_next_live(model, &pfn)); pfn++)
		add_page(set, model, page);
	for (size_t at = 0; (object = model_next_object(model, &at));)
		add_object(set, model, object);
	if (set->nr)
		qsort(set->rows, set->nr, sizeof(*set->rows), compare_rows);
}

void live_set_free(struct live_set *set)
{
	free(set->rows);
	free(set->row_of);
	*set = (struct live_set){0};
}
