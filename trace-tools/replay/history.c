/* SPDX-License-Identifier: MIT */
/* history: see history.h. */
#include "history.h"

#include <stdlib.h>

#include "base/util.h"
#include "ctf/merge.h"

/* A page's number modulo this many tells, for most pages, that it is not of interest. */
#define FILTER_NR 65536U

struct collector {
	bool filter[FILTER_NR]; /* true: some page of interest has this remainder */
	struct page_history *pages;
	size_t nr_pages;
	struct later_event *later;
	size_t nr_later;
	uint32_t *first; /* hash of (holder, index): position in later + 1, 0 empty */
	uint32_t *next;  /* of the same holder: position in later + 1 */
	size_t mask;
};

/* The first page of interest from position `from` on that the record's block has in it, or NULL. */
static struct page_history *find_page(const struct collector *collector, const struct trace_record *record,
				      size_t from)
{
	uint32_t pfn = record->payload.ev_payload_page_alloc.pfn, order = record_order(record);

	if (order == 0 && !collector->filter[pfn % FILTER_NR])
		return NULL;
	for (size_t i = from; i < collector->nr_pages; i++) {
		if ((collector->pages[i].pfn - pfn) >> order == 0)
			return &collector->pages[i];
	}
	return NULL;
}

static bool record_fits(void *arg, const struct trace_record *record)
{
	if (!event_is_page(record->event))
		return true;
	const struct page_history *page = find_page(arg, record, 0);
	return !page || page->count == record->payload.ev_payload_page_alloc.before;
}

/* ---- later events by holder ---- */

static size_t later_slot(const struct collector *collector, uint16_t holder, uint32_t index)
{
	size_t at = hash_mix((uint64_t)holder << 32 | index) & collector->mask;

	for (; collector->first[at]; at = (at + 1) & collector->mask) {
		const struct later_event *one = &collector->later[collector->first[at] - 1];
		if (one->holder == holder && one->index == index)
			break;
	}
	return at;
}

static void later_index(struct collector *collector)
{
	collector->mask = 63;
	while (collector->mask < 4 * collector->nr_later)
		collector->mask = collector->mask * 2 + 1;
	collector->first = xcalloc(collector->mask + 1, sizeof(uint32_t));
	collector->next = xcalloc(collector->nr_later, sizeof(uint32_t));
	for (size_t i = 0; i < collector->nr_later; i++) {
		const struct later_event *one = &collector->later[i];
		size_t at = later_slot(collector, one->holder, one->index);
		collector->next[i] = collector->first[at];
		collector->first[at] = (uint32_t)i + 1;
	}
}

static bool is_later_event(const struct later_event *one, const struct trace_record *record)
{
	const struct trace_payload_page *event = &record->payload.ev_payload_page_put;

	if (one->stack || record->time <= one->since || (one->until && record->time > one->until) ||
	    record->kind != one->ref)
		return false;
	if (one->object)
		return record->event == EV_page_put;
	return (record->event == EV_page_get || record->event == EV_page_alloc) && event->pfn != one->pfn;
}

static void note_later_event(struct collector *collector, const struct trace_record *record)
{
	const struct trace_payload_page *event = &record->payload.ev_payload_page_put;
	size_t at = later_slot(collector, event->holder, event->index);

	for (uint32_t i = collector->first[at]; i; i = collector->next[i - 1]) {
		struct later_event *one = &collector->later[i - 1];
		if (!is_later_event(one, record))
			continue;
		one->stack = record->stack;
		one->time = record->time;
		one->found_pfn = event->pfn;
	}
}

/* ---- the pass ---- */

static void page_event(struct collector *collector, const struct trace_record *record)
{
	struct page_history *page = find_page(collector, record, 0);

	for (; page; page = find_page(collector, record, (size_t)(page - collector->pages) + 1)) {
		if (event_is_page(record->event))
			page->count = record->payload.ev_payload_page_alloc.after;
		if (record->time >= page->since && (!page->until || record->time <= page->until))
			ARRAY_PUSH(page->records, page->nr, page->capacity) = *record;
	}
	if (collector->nr_later && event_is_page(record->event) && record->event != EV_page_kind)
		note_later_event(collector, record);
}

static void collect(void *arg, const struct trace_record *records, size_t nr, uint32_t hart)
{
	struct collector *collector = arg;

	for (size_t i = 0; i < nr; i++) {
		if (event_is_page(records[i].event) || event_is_about_page(records[i].event))
			page_event(collector, &records[i]);
	}
}

void history_collect(struct run *run, struct page_history *pages, size_t nr_pages, struct later_event *later,
		     size_t nr_later)
{
	struct collector *collector = xcalloc(1, sizeof(*collector));

	collector->pages = pages;
	collector->nr_pages = nr_pages;
	collector->later = later;
	collector->nr_later = nr_later;
	for (size_t i = 0; i < nr_pages; i++)
		collector->filter[pages[i].pfn % FILTER_NR] = true;
	later_index(collector);
	merge_visit(run, record_fits, collect, collector);
	free(collector->first);
	free(collector->next);
	free(collector);
}
