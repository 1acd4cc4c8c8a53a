/* SPDX-License-Identifier: MIT */
/* live_counters: see live_counters.h. */
#include "live_counters.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* 16 GiB of RAM. */
#define PAGES_MAX (4U << 20)

struct intake {
	struct live_counters *counters;
	struct follow *follow;
	uint32_t nr_stacks; /* known to be there */
	uint32_t hart;      /* whose records these are */
	bool sample_found;  /* the first one: what was counted before it may belong after it */
};

void live_counters_free(struct live_counters *counters)
{
	free(counters->sites);
	free(counters->pages);
	free(counters->pages_then);
	*counters = (struct live_counters){0};
}

/* Stacks are written before the packets that name them: one that is not there is none. */
static struct live_counters_site *site_of(struct intake *intake, uint32_t stack)
{
	struct live_counters *counters = intake->counters;

	if (stack > intake->nr_stacks)
		intake->nr_stacks = follow_nr_stacks(intake->follow);
	if (stack > intake->nr_stacks)
		stack = 0;
	while (counters->nr_sites <= stack)
		ARRAY_PUSH(counters->sites, counters->nr_sites, counters->capacity) =
		    (struct live_counters_site){0};
	return &counters->sites[stack];
}

/* Room for pages up to number `nr`; false when that cannot be RAM. */
static bool page_room(struct live_counters *counters, uint64_t nr)
{
	if (nr > PAGES_MAX)
		return false;
	if (nr > counters->pages_capacity) {
		uint32_t capacity = counters->pages_capacity ? counters->pages_capacity : 4096;
		while (capacity < nr)
			capacity *= 2;
		size_t bytes = capacity * sizeof(*counters->pages),
		       old = counters->pages_capacity * sizeof(*counters->pages);
		counters->pages = xrealloc(counters->pages, bytes);
		counters->pages_then = xrealloc(counters->pages_then, bytes);
		memset((char *)counters->pages + old, 0, bytes - old);
		memset((char *)counters->pages_then + old, 0, bytes - old);
		counters->pages_capacity = capacity;
	}
	return true;
}

/*
 * Is a record of `time` the newer one? Of two harts at one instant the one that took the page: it was given back before,
 * since no page lives shorter than the clock can tell.
 */
static bool is_newer(const struct live_counters_page *page, uint64_t time, uint8_t kind, uint8_t hart)
{
	if (time != page->time)
		return time > page->time;
	return hart == page->hart || kind != PK_FREE;
}

/* The page's new state, if it is newer. *was: its kind before, -1: none was known. */
static bool set_page(struct live_counters_page *page, const struct trace_record *record, uint8_t kind,
		     uint8_t hart, int *was)
{
	if (!page->time || record->time < page->first_time) {
		page->first_time = record->time;
		page->first_takes = record->event == EV_page_alloc;
	}
	if (!is_newer(page, record->time, kind, hart))
		return false;
	*was = page->time ? page->kind : -1;
	page->time = record->time;
	page->kind = kind;
	page->hart = hart;
	return true;
}

/* Was the page free at the time of the sample, as far as is known? */
static bool free_then(const struct live_counters *counters, uint64_t page)
{
	if (counters->pages_then[page].time)
		return counters->pages_then[page].kind == PK_FREE;
	return counters->pages[page].time && counters->pages[page].first_takes;
}

static void set_pages(struct live_counters *counters, const struct trace_record *record, uint8_t kind,
		      uint32_t hart)
{
	uint64_t first = (uint64_t)record->payload.ev_payload_page_alloc.pfn - (RAM_BASE >> PAGE_SHIFT);
	uint64_t end = first + (1ULL << record_order(record));
	int was;

	if (!page_room(counters, end))
		return;
	for (uint64_t i = first; i < end; i++) {
		bool before = free_then(counters, i);
		if (set_page(&counters->pages[i], record, kind, (uint8_t)hart, &was)) {
			if (was >= 0)
				counters->kinds[was]--;
			counters->kinds[kind]++;
		}
		if (counters->sampled && record->time <= counters->sample_time)
			set_page(&counters->pages_then[i], record, kind, (uint8_t)hart, &was);
		counters->free_then += free_then(counters, i) - before;
	}
}

static void page_event(struct intake *intake, const struct trace_record *record)
{
	struct live_counters *counters = intake->counters;

	switch (record->event) {
	case EV_page_alloc:
		site_of(intake, record->stack)->pages += 1ULL << record_order(record);
		set_pages(counters, record, (uint8_t)record_page_kind(record), intake->hart);
		break;
	case EV_page_free:
		set_pages(counters, record, PK_FREE, intake->hart);
		break;
	case EV_page_kind:
		set_pages(counters, record, record->kind & (PK_NR - 1), intake->hart);
		break;
	}
}

static void copy_name(char *to, const char *from, size_t bytes)
{
	for (size_t i = 0; i < bytes && from[i]; i++)
		*to++ = from[i] >= 32 && from[i] < 127 ? from[i] : '?';
	*to = 0;
}

static void sample_event(struct intake *intake, const struct trace_record *record)
{
	struct live_counters *counters = intake->counters;
	const struct trace_payload_sample *sample = &record->payload.ev_payload_sample;

	if (!counters->sampled || (intake->sample_found && record->time < counters->sample_time)) {
		counters->sampled = intake->sample_found = true;
		counters->sample_time = record->time;
		counters->sample_free = sample->free_pages;
	}
	if (record->time >= counters->newest_time) {
		counters->newest = *sample;
		counters->newest_time = record->time;
	}
}

static void other_event(struct intake *intake, const struct trace_record *record)
{
	struct live_counters *counters = intake->counters;

	switch (record->event) {
	case EV_obj_alloc:
		site_of(intake, record->stack)->objects++;
		break;
	case EV_sample:
		sample_event(intake, record);
		break;
	case EV_mark:
		if (record->time < counters->mark_time)
			break;
		counters->mark_time = record->time;
		counters->mark_open = record->kind == 0;
		copy_name(counters->mark, record->payload.ev_payload_mark.name, 16);
		break;
	case EV_audit_done:
		if (record->time < counters->audit_time)
			break;
		counters->audit_time = record->time;
		counters->audit_findings = record->payload.ev_payload_audit_done.findings;
		break;
	case EV_oom:
		counters->ooms++;
		break;
	case EV_panic:
		panic_text_add(counters->panic, record);
		break;
	}
}

static void take(void *arg, uint32_t hart, const struct trace_record *records, size_t nr)
{
	struct intake *intake = arg;
	struct live_counters *counters = intake->counters;

	intake->hart = hart;
	for (size_t i = 0; i < nr; i++) {
		const struct trace_record *record = &records[i];
		if (!event_known(record->event))
			continue;
		counters->nr_events++;
		if (record->time > counters->last_time)
			counters->last_time = record->time;
		if (!counters->first_time || record->time < counters->first_time)
			counters->first_time = record->time;
		if (event_is_page(record->event))
			page_event(intake, record);
		else
			other_event(intake, record);
	}
}

/* Counts all anew, with the sample that is now known. */
static void recount(struct intake *intake, struct follow *follow)
{
	struct live_counters *counters = intake->counters, old = *counters;

	*counters = (struct live_counters){.sampled = true,
					   .sample_time = old.sample_time,
					   .sample_free = old.sample_free,
					   .events_before = old.events_before,
					   .time_before = old.time_before,
					   .pages = old.pages,
					   .pages_then = old.pages_then,
					   .pages_capacity = old.pages_capacity,
					   .sites = old.sites,
					   .nr_sites = old.nr_sites,
					   .capacity = old.capacity};
	memcpy(counters->kinds_before, old.kinds_before, sizeof(old.kinds_before));
	memset(counters->pages, 0, old.pages_capacity * sizeof(*old.pages));
	memset(counters->pages_then, 0, old.pages_capacity * sizeof(*old.pages));
	for (size_t i = 0; i < counters->nr_sites; i++)
		counters->sites[i].pages = counters->sites[i].objects = 0;
	intake->sample_found = false;
	follow_rewind(follow);
	follow_step(follow, take, intake);
}

uint64_t live_counters_step(struct live_counters *counters, struct follow *follow)
{
	struct intake intake = {.counters = counters, .follow = follow};

	if (follow_look(follow))
		live_counters_free(counters);
	uint64_t before = counters->nr_events;
	follow_step(follow, take, &intake);
	if (intake.sample_found)
		recount(&intake, follow);
	return counters->nr_events - before;
}

void live_counters_beat(struct live_counters *counters)
{
	for (size_t i = 0; i < counters->nr_sites; i++) {
		counters->sites[i].pages_before = counters->sites[i].pages;
		counters->sites[i].objects_before = counters->sites[i].objects;
	}
	memcpy(counters->kinds_before, counters->kinds, sizeof(counters->kinds));
	counters->events_before = counters->nr_events;
	counters->time_before = counters->last_time;
}

int64_t live_counters_free_pages(const struct live_counters *counters)
{
	return counters->sampled ? counters->sample_free + counters->kinds[PK_FREE] - counters->free_then
				 : -1;
}

uint64_t live_counters_ticks(const struct live_counters *counters)
{
	uint64_t since = counters->time_before ? counters->time_before : counters->first_time;

	return counters->last_time > since ? counters->last_time - since : 0;
}
