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

static struct subject subject_of(const struct model *model, const struct page_state *page)
{
	return (struct subject){.where = model->first_pfn + (uint32_t)(page - model->pages),
				.alloc_stack = page->alloc_stack};
}

/* ---- blocks that are freed in parts, as Linux does with what it has split ---- */

#define ORDER_MAX 15 /* of a record */

/* The live block, larger than what is freed, that it is in; NULL: none. */
static struct page_state *block_around(struct model *model, uint32_t pfn, unsigned order, uint32_t *head)
{
	for (unsigned larger = order + 1; larger <= ORDER_MAX; larger++) {
		*head = pfn & ~((1U << larger) - 1);
		struct page_state *page = page_of(model, *head);
		if (page && page->life == LIFE_LIVE && page->order >= larger)
			return page;
	}
	return NULL;
}

/* The upper half becomes a block of its own. It has the lower one's past; references only where it was told of some. */
static struct page_state *split_off(struct model *model, struct page_state *lower, uint32_t head)
{
	lower->order--;
	uint32_t pfn = head + (1U << lower->order);
	struct page_state *upper = page_of(model, pfn);
	struct trace_record like = {
	    .event = EV_page_alloc, .time = lower->alloc_time, .stack = lower->alloc_stack};

	if (!upper)
		return NULL;
	uint32_t refs = upper->refs;
	uint16_t count = upper->count;
	*upper = *lower;
	upper->refs = refs;
	upper->count = count;
	if (!refs) {
		like.payload.ev_payload_page_alloc.pid = lower->alloc_pid;
		ref_new(&model->pool, &upper->refs, &like, 0, false);
		upper->count = 1;
	}
	if (pfn - model->first_pfn >= model->seen_pages)
		model->seen_pages = pfn - model->first_pfn + 1;
	return upper;
}

/*
 * Of the block at 0x80 of order 3, page 0x85 goes: what is left are blocks of their own, 0x80 of order 2, 0x84 of order 0 and
 * 0x86 of order 1.
 */
static void split_to(struct model *model, uint32_t pfn, unsigned order)
{
	uint32_t head;
	struct page_state *block = block_around(model, pfn, order, &head);

	while (block && block->order > order) {
		struct page_state *upper = split_off(model, block, head);
		if (upper && pfn >= head + (1U << block->order)) {
			head += 1U << block->order;
			block = upper;
		}
	}
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
	if (record->event == EV_page_free && (page->life != LIFE_LIVE || page->order > record_order(record)))
		split_to(model, event->pfn, record_order(record));
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
	if (done.other != REF_POOL_NONE || done.again != REF_POOL_NONE || done.rest != REF_POOL_NONE) {
		struct subject subject = subject_of(model, page);
		if (record->event != EV_page_free || life_before == LIFE_LIVE)
			pairing_note(model, &subject, record, &done);
		/* Of a page whose allocation was not recorded, neither were all its gets. */
		if (life_before == LIFE_LIVE)
			rest_note(model, &subject, &done.rest);
		refs_drop(&model->pool, &done.rest);
	}
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
	for (uint32_t i = 0; i < model->seen_pages; i++) {
		struct page_state *page = &model->pages[i];
		struct subject subject;
		if (page->refs == REF_POOL_NONE)
			continue;
		subject = subject_of(model, page);
		pairing_end(model, page->life == LIFE_LIVE ? &subject : NULL, &page->refs);
	}
}
