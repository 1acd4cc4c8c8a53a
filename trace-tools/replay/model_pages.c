/* model_pages: page events applied to the books. See model.h. */
#include "model_priv.h"

#include <stdlib.h>

#include "base/util.h"

/* ---- nodes ---- */

static struct page_ref *node_new(struct model *model, struct page_state *page)
{
	uint32_t node = model->free_node;

	if (node != NODE_NONE) {
		model->free_node = model->nodes[node].next;
	} else {
		if (model->nr_nodes == 0)
			model->nr_nodes = 1; /* 0 means none */
		model->nodes =
		    array_room(model->nodes, model->nr_nodes, &model->nodes_capacity, sizeof(*model->nodes));
		node = (uint32_t)model->nr_nodes++;
	}
	model->open_nodes++;
	model->nodes[node].next = page->refs;
	page->refs = node;
	return &model->nodes[node];
}

/* link points to the number of the node that goes. */
static inline void node_remove(struct model *model, uint32_t *link)
{
	uint32_t node = *link;

	*link = model->nodes[node].next;
	model->nodes[node].next = model->free_node;
	model->free_node = node;
	model->open_nodes--;
}

/* The link to the entry that (ref, holder, index) names, or NULL. */
static inline uint32_t *find_entry(struct model *model, struct page_state *page, uint8_t ref, uint16_t holder,
				   uint32_t index, bool early_put)
{
	for (uint32_t *link = &page->refs; *link != NODE_NONE; link = &model->nodes[*link].next) {
		const struct page_ref *entry = &model->nodes[*link];
		if (entry->ref == ref && entry->holder == holder && entry->index == index &&
		    entry->early_put == early_put)
			return link;
	}
	return NULL;
}

static void drop_entries(struct model *model, struct page_state *page)
{
	while (page->refs != NODE_NONE)
		node_remove(model, &page->refs);
}

/* ---- a page's life ---- */

static void open_entry(struct model *model, struct page_state *page, const struct trace_record *record,
		       bool first)
{
	const struct trace_payload_page *event = &record->payload.ev_payload_page_get;
	uint32_t *early =
	    first ? NULL : find_entry(model, page, record->kind, event->holder, event->index, true);

	if (early) {
		settled_count(model, page->alloc_stack, record->stack, model->nodes[*early].stack,
			      record->kind);
		node_remove(model, early);
		return;
	}
	struct page_ref *entry = node_new(model, page);
	uint32_t next = entry->next;
	*entry = (struct page_ref){.next = next,
				   .stack = record->stack,
				   .time = record->time,
				   .index = event->index,
				   .holder = event->holder,
				   .pid = event->pid,
				   .ref = record->kind,
				   .first = first};
	if (record->kind == REF_CACHE && !page->inode && !page->inode_index) {
		page->inode = event->holder;
		page->inode_index = event->index;
	}
}

static void settle_entry(struct model *model, struct page_state *page, const struct trace_record *record)
{
	const struct trace_payload_page *event = &record->payload.ev_payload_page_put;
	uint32_t *link = find_entry(model, page, record->kind, event->holder, event->index, false);

	if (link) {
		settled_count(model, page->alloc_stack, model->nodes[*link].stack, record->stack,
			      record->kind);
		node_remove(model, link);
		return;
	}
	model->unmatched_puts++;
	if (page->life == LIFE_FREE)
		return; /* its record came late: the page's life is over and its entries are gone */
	open_entry(model, page, record, true);
	model->nodes[page->refs].early_put = true;
	model->nodes[page->refs].first = false;
}

static void count_pages(struct model *model, const struct page_state *page, int64_t taken, uint64_t time)
{
	int64_t pages = taken * (1LL << page->order);
	struct site *site = &model->sites[stack_index(model, page->alloc_stack)];

	model->net_pages -= pages;
	model->pages_by_kind[page->kind] += pages;
	site->pages_live += (uint64_t)pages;
	if (taken < 0) {
		site->frees++;
		site->pages_returned += 1ULL << page->order;
		site->page_ticks += (time - page->alloc_time) << page->order;
		return;
	}
	site->allocs++;
	site->pages_taken += 1ULL << page->order;
	if (site->pages_live > site->pages_peak)
		site->pages_peak = site->pages_live;
}

/*
 * A new kind; or, for pages that were never allocated, the kernel telling at boot what it found in RAM: image, ramdisk
 * and so on. Those were never free, so they do not change how many pages are.
 */
static void change_kind(struct model *model, struct page_state *page, const struct trace_record *record)
{
	uint8_t kind = record->kind & (PK_NR - 1);

	if (page->life == LIFE_LIVE) {
		model->pages_by_kind[page->kind] -= 1LL << page->order;
	} else {
		struct trace_record boot = *record;
		drop_entries(model, page);
		*page = (struct page_state){
		    .life = LIFE_LIVE, .order = (uint8_t)record_order(record), .alloc_time = record->time};
		boot.kind = REF_BOOT;
		open_entry(model, page, &boot, true);
	}
	page->kind = kind;
	model->pages_by_kind[kind] += 1LL << page->order;
}

static void begin_life(struct model *model, struct page_state *page, const struct trace_record *record)
{
	if (page->life == LIFE_LIVE)
		count_pages(model, page, -1, record->time); /* its free is among what was lost */
	drop_entries(model, page);
	*page = (struct page_state){.life = LIFE_LIVE,
				    .kind = (uint8_t)record_page_kind(record),
				    .order = (uint8_t)record_order(record),
				    .alloc_pid = record->payload.ev_payload_page_alloc.pid,
				    .refs = NODE_NONE,
				    .alloc_stack = record->stack,
				    .alloc_time = record->time};
	count_pages(model, page, 1, record->time);
	open_entry(model, page, record, true);
}

/* The last put may be told by page_free alone, or by a page_put before it. */
static void end_life(struct model *model, struct page_state *page, const struct trace_record *record)
{
	const struct trace_payload_page *event = &record->payload.ev_payload_page_free;
	uint32_t *link = find_entry(model, page, record->kind, event->holder, event->index, false);

	if (link && page->life == LIFE_LIVE)
		settled_count(model, page->alloc_stack, model->nodes[*link].stack, record->stack,
			      record->kind);
	drop_entries(model, page);
	if (page->life == LIFE_LIVE)
		count_pages(model, page, -1, record->time);
	else
		model->net_pages += 1LL << record_order(record);
	page->life = LIFE_FREE;
}

void pages_apply(struct model *model, const struct trace_record *record, uint32_t stream)
{
	const struct trace_payload_page *event = &record->payload.ev_payload_page_alloc;
	struct page_state *page = model_page(model, event->pfn);

	if (__builtin_expect(!page, 0)) {
		const struct stream *from = &model->run->streams[stream];
		run_damage(model->run, from->path, (uint64_t)((const uint8_t *)record - from->map),
			   "record of page frame 0x%x, which cannot be RAM; left out", event->pfn);
		return;
	}
	if (event->pfn - model->first_pfn >= model->seen_pages)
		model->seen_pages = event->pfn - model->first_pfn + 1;
	if (event->before != page->count && page->life != LIFE_UNKNOWN)
		model->out_of_order++;
	switch (record->event) {
	case EV_page_alloc:
		begin_life(model, page, record);
		break;
	case EV_page_free:
		end_life(model, page, record);
		break;
	case EV_page_get:
		open_entry(model, page, record, false);
		break;
	case EV_page_put:
		settle_entry(model, page, record);
		break;
	case EV_page_kind:
		change_kind(model, page, record);
		break;
	}
	page->count = event->after;
	page->last_time = record->time;
}

/* Takes the puts whose get never came off the page's entries, and for each an open entry of its kind. */
static void settle_page(struct model *model, struct page_state *page)
{
	uint32_t nr_early[UINT8_MAX + 1] = {0};
	bool any = false;

	for (uint32_t *link = &page->refs; *link != NODE_NONE;) {
		const struct page_ref *entry = &model->nodes[*link];
		if (!entry->early_put) {
			link = &model->nodes[*link].next;
			continue;
		}
		nr_early[entry->ref]++;
		any = true;
		node_remove(model, link);
	}
	for (uint32_t *link = &page->refs; any && *link != NODE_NONE;) {
		if (nr_early[model->nodes[*link].ref]) {
			nr_early[model->nodes[*link].ref]--;
			node_remove(model, link);
		} else {
			link = &model->nodes[*link].next;
		}
	}
}

void pages_settle_rest(struct model *model)
{
	for (uint32_t i = 0; i < model->seen_pages; i++) {
		if (model->pages[i].refs != NODE_NONE)
			settle_page(model, &model->pages[i]);
	}
}
