/* holdings: see holdings.h. */
#include "live_set.h"

#include <stdlib.h>

#include "base/util.h"

/* A page's holders that are told apart; further ones are rare enough to be counted twice. */
#define HOLDERS_MAX 256

static struct holding *row_of(struct live_set *holdings, uint32_t key)
{
	uint32_t *row = &holdings->row_of[key < holdings->nr_keys ? key : 0];

	if (!*row) {
		ARRAY_PUSH(holdings->rows, holdings->nr, holdings->capacity) =
		    (struct holding){.key = key, .oldest = UINT64_MAX};
		*row = (uint32_t)holdings->nr;
	}
	return &holdings->rows[*row - 1];
}

static void row_add_page(struct holding *row, const struct page_state *page, bool alone)
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

static void add_holders(struct live_set *holdings, const struct model *model, const struct page_state *page)
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
		row_add_page(row_of(holdings, keys[i]), page, nr == 1);
}

static void add_page(struct live_set *holdings, const struct model *model, const struct page_state *page)
{
	holdings->pages += 1ULL << page->order;
	if (holdings->by == BY_PID)
		add_holders(holdings, model, page);
	else
		row_add_page(row_of(holdings, holdings->by == BY_KIND ? page->kind : page->alloc_stack), page,
			     false);
}

static void add_object(struct live_set *holdings, const struct model *model,
		       const struct object_state *object)
{
	uint64_t bytes = model_cache(model, object->cache)->object_bytes;
	uint32_t key = holdings->by == BY_KIND    ? HOLDING_CACHE + object->cache
		       : holdings->by == BY_STACK ? object->stack
		       : object->pid              ? object->pid
						  : HOLDING_REF + REF_NONE;
	struct holding *row = row_of(holdings, key);

	row->objects++;
	row->object_bytes += bytes;
	if (object->time < row->oldest)
		row->oldest = object->time;
	holdings->objects++;
	holdings->object_bytes += bytes;
}

static int compare_rows(const void *a, const void *b)
{
	const struct holding *left = a, *right = b;

	if (left->pages != right->pages)
		return left->pages > right->pages ? -1 : 1;
	if (left->object_bytes != right->object_bytes)
		return left->object_bytes > right->object_bytes ? -1 : 1;
	return left->key < right->key ? -1 : left->key > right->key;
}

void live_set_make(struct live_set *holdings, const struct model *model, enum live_set_by by)
{
	uint32_t nr_sites;
	const struct page_state *page;
	const struct object_state *object;

	model_sites(model, &nr_sites);
	size_t nr_keys = by == BY_STACK ? nr_sites : HOLDING_CACHE + UINT16_MAX + 1;

	*holdings = (struct live_set){
	    .by = by, .row_of = xcalloc(nr_keys, sizeof(*holdings->row_of)), .nr_keys = nr_keys};
	for (uint32_t pfn = 0; (page = model_next_live(model, &pfn)); pfn++)
		add_page(holdings, model, page);
	for (size_t at = 0; (object = model_next_object(model, &at));)
		add_object(holdings, model, object);
	if (holdings->nr)
		qsort(holdings->rows, holdings->nr, sizeof(*holdings->rows), compare_rows);
}

void live_set_free(struct live_set *holdings)
{
	free(holdings->rows);
	free(holdings->row_of);
	*holdings = (struct live_set){0};
}
