/* live_counters: see live_counters.h. */
#include "live_counters.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

struct intake {
	struct live_counters *counters;
	struct follow *follow;
	uint32_t nr_stacks; /* known to be there */
	bool sample_found;  /* the first one: what was counted before it may belong after it */
};

void live_counters_free(struct live_counters *counters)
{
	free(counters->sites);
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

/* Pages became free, or, below 0, were taken. */
static void count_free(struct live_counters *counters, const struct trace_record *record, int64_t pages)
{
	if (counters->sampled && record->time > counters->sample_time)
		counters->net_since += pages;
}

/*
 * What the boot finds in RAM is freed (REF_BOOT) without having been taken: it was of no kind before. What it told to
 * be of a kind goes with its last put.
 */
static void page_event(struct intake *intake, const struct trace_record *record)
{
	struct live_counters *counters = intake->counters;
	const struct trace_payload_page *event = &record->payload.ev_payload_page_alloc;
	int64_t pages = 1LL << record_order(record);

	switch (record->event) {
	case EV_page_alloc:
		site_of(intake, record->stack)->pages += (uint64_t)pages;
		counters->kinds[record_page_kind(record)] += pages;
		count_free(counters, record, -pages);
		break;
	case EV_page_free:
		if (record->kind != REF_BOOT)
			counters->kinds[record_page_kind(record)] -= pages;
		count_free(counters, record, pages);
		break;
	case EV_page_put:
		if (record->kind == REF_BOOT && event->after == 0)
			counters->kinds[record_page_kind(record)] -= pages;
		break;
	case EV_page_kind:
		counters->kinds[record->kind & (PK_NR - 1)] += pages;
		if (event->before && record_page_kind(record) != record->kind)
			counters->kinds[record_page_kind(record)] -= pages;
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

static void take(void *arg, const struct trace_record *records, size_t nr)
{
	struct intake *intake = arg;
	struct live_counters *counters = intake->counters;

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
					   .sites = old.sites,
					   .nr_sites = old.nr_sites,
					   .capacity = old.capacity};
	memcpy(counters->kinds_before, old.kinds_before, sizeof(old.kinds_before));
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
	return counters->sampled ? counters->sample_free + counters->net_since : -1;
}

uint64_t live_counters_ticks(const struct live_counters *counters)
{
	uint64_t since = counters->time_before ? counters->time_before : counters->first_time;

	return counters->last_time > since ? counters->last_time - since : 0;
}
