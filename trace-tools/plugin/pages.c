/* SPDX-License-Identifier: MIT
 *
 * pages: see pages.h.
 */
#include "pages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "follow.h"
#include "record.h"
#include "spin.h"
#include "writer.h"

#define LOCKS 256 /* a power of two; pages share them */
#define ORDER_MAX 15

struct page {
	uint64_t allocated; /* when; 0: not since boot */
	uint32_t count;
	uint8_t state;
	bool counted; /* in the guest's memory: the count survives a free */
};

static struct page *pages;
static uint64_t first_pfn, nr_pages;
static uint64_t *free_bits; /* of check-writes; bit n: page n is on a free list */
static spin_t locks[LOCKS];

static struct anomaly_list anomalies[ANOMALY_NR] = {
    [ANOMALY_HANDED_OUT_TWICE] = {.name = "handed_out_twice"},
    [ANOMALY_FREED_TWICE] = {.name = "freed_twice"},
    [ANOMALY_PUT_OF_FREE_PAGE] = {.name = "get_or_put_of_free_page"},
    [ANOMALY_UNALIGNED] = {.name = "unaligned"},
    [ANOMALY_OUTSIDE_RAM] = {.name = "outside_ram"},
};
static spin_t anomaly_lock;

bool pages_init(uint64_t ram_base, uint64_t ram_bytes)
{
	first_pfn = ram_base >> PAGE_SHIFT;
	nr_pages = ram_bytes >> PAGE_SHIFT;
	pages = calloc(nr_pages, sizeof(*pages));
	free_bits = calloc((nr_pages + 63) / 64, sizeof(*free_bits));
	return pages && free_bits;
}

/* NULL: not RAM. */
static struct page *page_at(uint64_t pa)
{
	uint64_t index = (pa >> PAGE_SHIFT) - first_pfn;

	return index < nr_pages ? &pages[index] : NULL;
}

static spin_t *lock_page(const struct page *page)
{
	spin_t *lock = &locks[(uint64_t)(page - pages) % LOCKS];

	spin_lock(lock);
	return lock;
}

/* With the page's lock held. */
static void set_state(struct page *page, enum page_state state)
{
	uint64_t index = (uint64_t)(page - pages), bit = 1ULL << index % 64;

	page->state = (uint8_t)state;
	if (state == PAGE_FREE)
		__atomic_fetch_or(&free_bits[index / 64], bit, __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(&free_bits[index / 64], ~bit, __ATOMIC_RELAXED);
}

static void note(enum anomaly what, const struct act *act, uint64_t pa)
{
	struct anomaly_list *list = &anomalies[what];

	spin_lock(&anomaly_lock);
	if (list->nr < SAMPLES_MAX) {
		struct anomaly_sample *sample = &list->samples[list->nr];
		*sample = (struct anomaly_sample){.time = writer_last_time(), .pa = pa, .stack = act->stack};
		snprintf(sample->hook, sizeof(sample->hook), "%s", act->hook);
	}
	list->nr++;
	spin_unlock(&anomaly_lock);
}

bool pages_managed(uint64_t pa)
{
	return page_at(pa) != NULL;
}

enum page_state pages_state(uint64_t pa)
{
	const struct page *page = page_at(pa);

	return page ? (enum page_state)__atomic_load_n(&page->state, __ATOMIC_RELAXED) : PAGE_UNSEEN;
}

uint64_t pages_allocated_at(uint64_t pa)
{
	const struct page *page = page_at(pa);

	return page ? page->allocated : 0;
}

/* Whole pages of RAM? */
static bool acceptable(const struct act *act, uint64_t pa, uint64_t nr)
{
	bool aligned = !(pa & (PAGE_BYTES - 1));

	if (aligned && nr && nr <= nr_pages && page_at(pa) && page_at(pa + (nr - 1) * PAGE_BYTES))
		return true;
	note(aligned ? ANOMALY_OUTSIDE_RAM : ANOMALY_UNALIGNED, act, pa);
	return false;
}

/* The largest order that begins at pfn, by its alignment, and has no more than nr pages. */
static unsigned order_of(uint64_t pfn, uint64_t nr)
{
	unsigned order = 0;

	while (order < ORDER_MAX && !(pfn >> order & 1) && 2ULL << order <= nr)
		order++;
	return order;
}

/* ---- allocation and free ---- */

/* One page; false: it is the same allocation as one that an inner hook has told of. */
static bool take(const struct act *act, struct page *page, uint64_t pa)
{
	spin_t *lock = lock_page(page);
	bool was = page->state == PAGE_ALLOCATED, nested = was && act->since && page->allocated >= act->since;

	if (!nested) {
		set_state(page, PAGE_ALLOCATED);
		page->allocated = writer_last_time() + 1;
		if (!page->count)
			page->count = 1;
	}
	spin_unlock(lock);
	if (was && !nested)
		note(ANOMALY_HANDED_OUT_TWICE, act, pa);
	return !nested;
}

void pages_alloc(const struct act *act, uint64_t pa, uint64_t nr)
{
	if (!acceptable(act, pa, nr))
		return;
	if (follow_wanted())
		follow_page_begin(act->hart, pa, nr);
	while (nr) {
		unsigned order = order_of(pa >> PAGE_SHIFT, nr);
		bool ours = false;
		for (uint64_t i = 0; i < 1ULL << order; i++)
			ours |= take(act, page_at(pa + i * PAGE_BYTES), pa + i * PAGE_BYTES);
		if (ours)
			record_page(act, EV_page_alloc, pa, order, 0, 0, page_at(pa)->count, 0);
		pa += PAGE_BYTES << order;
		nr -= 1ULL << order;
	}
}

static void give_back(const struct act *act, struct page *page, uint64_t pa)
{
	spin_t *lock = lock_page(page);
	bool twice = page->state == PAGE_FREE;

	set_state(page, PAGE_FREE);
	if (!page->counted)
		page->count = 0;
	spin_unlock(lock);
	if (twice)
		note(ANOMALY_FREED_TWICE, act, pa);
}

void pages_free(const struct act *act, uint64_t pa, uint64_t nr)
{
	if (!acceptable(act, pa, nr))
		return;
	if (follow_wanted())
		follow_page_end(act->hart, pa, nr);
	while (nr) {
		unsigned order = order_of(pa >> PAGE_SHIFT, nr);
		record_page(act, EV_page_free, pa, order, 0, page_at(pa)->count, 0, 0);
		for (uint64_t i = 0; i < 1ULL << order; i++)
			give_back(act, page_at(pa + i * PAGE_BYTES), pa + i * PAGE_BYTES);
		pa += PAGE_BYTES << order;
		nr -= 1ULL << order;
	}
}

/* ---- references ---- */

static void refer(const struct act *act, uint64_t pa, uint64_t nr, int change)
{
	if (!acceptable(act, pa, nr))
		return;
	for (; nr; nr--, pa += PAGE_BYTES) {
		struct page *page = page_at(pa);
		spin_t *lock = lock_page(page);
		uint32_t before = page->count;
		bool none = page->state == PAGE_FREE || (page->state == PAGE_ALLOCATED && !before);
		if (page->state == PAGE_ALLOCATED && !none) {
			page->count = before + (uint32_t)change;
			record_page(act, change > 0 ? EV_page_get : EV_page_put, pa, 0, 0, before,
				    page->count, 0);
		}
		spin_unlock(lock);
		if (none)
			note(ANOMALY_PUT_OF_FREE_PAGE, act, pa);
	}
}

void pages_get(const struct act *act, uint64_t pa, uint64_t nr)
{
	refer(act, pa, nr, 1);
}

void pages_put(const struct act *act, uint64_t pa, uint64_t nr)
{
	if (follow_wanted())
		follow_page_put(pa);
	refer(act, pa, nr, -1);
}

void pages_count(const struct act *act, uint64_t pa, uint64_t *shadow, uint64_t after, uint64_t mask,
		 bool add)
{
	struct page *page = page_at(pa);

	if (!page) {
		*shadow = add ? (*shadow + after) & mask : after;
		return;
	}
	spin_t *lock = lock_page(page);
	uint64_t before = *shadow;
	bool less = (add ? (before + after) & mask : after) < before;
	if (less && follow_wanted())
		follow_page_put(pa);
	*shadow = after = add ? (before + after) & mask : after;
	if (page->state == PAGE_ALLOCATED && after != before)
		record_page(act, after > before ? EV_page_get : EV_page_put, pa, 0, 0, before, after, 0);
	page->count = (uint32_t)after;
	page->counted = true;
	spin_unlock(lock);
}

/* ---- page tables, check-writes ---- */

void pages_mapped(const struct act *act, bool mapped, uint64_t pa, uint64_t va_page, uint16_t root)
{
	const struct page *page = page_at(pa);

	if (page)
		record_page(act, mapped ? EV_page_map : EV_page_unmap, pa, 0, (uint32_t)va_page, page->count,
			    page->count, root);
}

void pages_written(const struct act *act, uint64_t pa, uint64_t before, uint64_t after)
{
	record_page(act, EV_page_write, pa, 0, (uint32_t)(pa & (PAGE_BYTES - 1)), before & 0xffff,
		    after & 0xffff, 0);
}

bool pages_is_free(uint64_t pa)
{
	uint64_t index = (pa >> PAGE_SHIFT) - first_pfn;

	return index < nr_pages &&
	       __atomic_load_n(&free_bits[index / 64], __ATOMIC_RELAXED) >> (index % 64) & 1;
}

void pages_popped(uint64_t pa)
{
	uint64_t index = (pa >> PAGE_SHIFT) - first_pfn;

	if (index < nr_pages)
		__atomic_fetch_and(&free_bits[index / 64], ~(1ULL << index % 64), __ATOMIC_RELAXED);
}

/* ---- for plugin.json ---- */

const struct anomaly_list *pages_anomalies(void)
{
	return anomalies;
}

uint64_t pages_in_state(enum page_state state)
{
	uint64_t nr = 0;

	for (uint64_t i = 0; i < nr_pages; i++)
		nr += pages[i].state == state;
	return nr;
}
