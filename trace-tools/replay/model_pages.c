/* SPDX-License-Identifier: MIT */
/* model_pages: page events applied to pages, sites and releases; which put releases which get is pairing.h's. See model.h. */
#include <stdlib.h>

#include "base/util.h"
#include "model_priv.h"

static void count_pages(struct model *model, const struct page_state *page, int64_t allocated, uint64_t time)
{
	int64_t pages = allocated * (1LL << page->order);
	struct site *site = site_of(model, page->alloc_stack);

	model->totals.net_pages -= pages;
	model->totals.pages_by_kind[page->kind] += pages;
	site->pages_live += (uint64_t)pages;
	if (allocated < 0) {
		site->frees++;
		site->pages_freed += 1ULL << page->order;
		site->page_ticks += (time - page->alloc_time) << page->order;
		return;
	}
	site->allocs++;
	site->pages_allocated += 1ULL << page->order;
	if (site->pages_live > site->pages_peak)
		site->pages_peak = site->pages_live;
}

/*
 * A new kind; or, for pages that were never allocated, the kernel telling at boot what it found in RAM: image, ramdisk
 * and so on. Those were never free, so they do not change how many pages are.
 */
static void change_kind(struct model *model, struct page_state *page, uint8_t life_before,
			const struct trace_record *record)
{
	if (life_before == LIFE_LIVE)
		model->totals.pages_by_kind[page->kind] -= 1LL << page->order;
	else
		*page = (struct page_state){.life = page->life,
					    .refs = page->refs,
					    .order = (uint8_t)record_order(record),
					    .alloc_time = record->time};
	page->kind = record->kind & (PK_NR - 1);
	model->totals.pages_by_kind[page->kind] += 1LL << page->order;
}

static void begin_life(struct model *model, struct page_state *page, uint8_t life_before,
		       const struct trace_record *record)
{
	if (life_before == LIFE_LIVE)
		count_pages(model, page, -1, record->time); /* its free is among what was lost */
	*page = (struct page_state){.life = page->life,
				    .refs = page->refs,
				    .kind = (uint8_t)record_page_kind(record),
				    .order = (uint8_t)record_order(record),
				    .alloc_pid = record->payload.ev_payload_page_alloc.pid,
				    .alloc_stack = record->stack,
				    .alloc_time = record->time};
	count_pages(model, page, 1, record->time);
}

static void count_release(struct model *model, const struct page_state *page,
			  const struct trace_record *record, const struct page_ref *other)
{
	uint32_t get = other->early_put ? record->stack : other->stack,
		 put = other->early_put ? other->stack : record->stack;

	releases_count(model, page->alloc_stack, get, put, record->kind);
}

void pages_apply(struct model *model, const struct trace_record *record, uint32_t stream)
{
	const struct trace_payload_page *event = &record->payload.ev_payload_page_alloc;
	struct page_state *page = page_of(model, event->pfn);

	if (__builtin_expect(!page, 0)) {
		const struct stream *from = &model->run->streams[stream];
		run_damage(model->run, from->path, (uint64_t)((const uint8_t *)record - from->map),
			   "record of page frame 0x%x, which cannot be RAM; left out", event->pfn);
		return;
	}
	if (event->pfn - model->first_pfn >= model->seen_pages)
		model->seen_pages = event->pfn - model->first_pfn + 1;
	if (event->before != page->count && page->life != LIFE_UNKNOWN)
		model->totals.out_of_order++;
	uint8_t life_before = page->life;
	struct pairing done = pairing_apply(&model->pool, &page->refs, &page->life, record);
	switch (record->event) {
	case EV_page_alloc:
		begin_life(model, page, life_before, record);
		break;
	case EV_page_free:
		if (life_before == LIFE_LIVE)
			count_pages(model, page, -1, record->time);
		else
			model->totals.net_pages += 1LL << record_order(record);
		break;
	case EV_page_put:
		model->totals.unmatched_puts += done.other == REF_POOL_NONE;
		break;
	case EV_page_kind:
		change_kind(model, page, life_before, record);
		break;
	}
	if (done.other != REF_POOL_NONE && (record->event != EV_page_free || life_before == LIFE_LIVE))
		count_release(model, page, record, &model->pool.refs[done.other]);
	if (done.opened != REF_POOL_NONE && model->pool.refs[done.opened].ref == REF_CACHE && !page->inode &&
	    !page->inode_index) {
		page->inode = event->holder;
		page->inode_index = event->index;
	}
	page->count = event->after;
	page->last_time = record->time;
}

void pages_end(struct model *model)
{
	uint32_t get, put;

	for (uint32_t i = 0; i < model->seen_pages; i++) {
		while (pairing_rest(&model->pool, &model->pages[i].refs, &get, &put))
			continue;
	}
}
