/* pulse: see pulse.h. */
#include "pulse.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

struct intake {
	struct pulse *pulse;
	struct follow *follow;
	uint32_t nr_stacks; /* known to be there */
	bool sample_found;  /* the first one: what was counted before it may belong after it */
};

void pulse_free(struct pulse *pulse)
{
	free(pulse->sites);
	*pulse = (struct pulse){0};
}

/* Stacks are written before the packets that name them: one that is not there is none. */
static struct pulse_site *site_of(struct intake *intake, uint32_t stack)
{
	struct pulse *pulse = intake->pulse;

	if (stack > intake->nr_stacks)
		intake->nr_stacks = follow_nr_stacks(intake->follow);
	if (stack > intake->nr_stacks)
		stack = 0;
	while (pulse->nr_sites <= stack)
		ARRAY_PUSH(pulse->sites, pulse->nr_sites, pulse->capacity) = (struct pulse_site){0};
	return &pulse->sites[stack];
}

/* Pages became free, or, below 0, were taken. */
static void count_free(struct pulse *pulse, const struct trace_record *record, int64_t pages)
{
	if (pulse->sampled && record->time > pulse->sample_time)
		pulse->net_since += pages;
}

/*
 * What the boot finds in RAM is freed (REF_BOOT) without having been taken: it was of no kind before. What it told to
 * be of a kind goes with its last put.
 */
static void page_event(struct intake *intake, const struct trace_record *record)
{
	struct pulse *pulse = intake->pulse;
	const struct trace_payload_page *event = &record->payload.ev_payload_page_alloc;
	int64_t pages = 1LL << record_order(record);

	switch (record->event) {
	case EV_page_alloc:
		site_of(intake, record->stack)->pages += (uint64_t)pages;
		pulse->kinds[record_page_kind(record)] += pages;
		count_free(pulse, record, -pages);
		break;
	case EV_page_free:
		if (record->kind != REF_BOOT)
			pulse->kinds[record_page_kind(record)] -= pages;
		count_free(pulse, record, pages);
		break;
	case EV_page_put:
		if (record->kind == REF_BOOT && event->after == 0)
			pulse->kinds[record_page_kind(record)] -= pages;
		break;
	case EV_page_kind:
		pulse->kinds[record->kind & (PK_NR - 1)] += pages;
		if (event->before && record_page_kind(record) != record->kind)
			pulse->kinds[record_page_kind(record)] -= pages;
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
	struct pulse *pulse = intake->pulse;
	const struct trace_payload_sample *sample = &record->payload.ev_payload_sample;

	if (!pulse->sampled || (intake->sample_found && record->time < pulse->sample_time)) {
		pulse->sampled = intake->sample_found = true;
		pulse->sample_time = record->time;
		pulse->sample_free = sample->free_pages;
	}
	if (record->time >= pulse->newest_time) {
		pulse->newest = *sample;
		pulse->newest_time = record->time;
	}
}

static void other_event(struct intake *intake, const struct trace_record *record)
{
	struct pulse *pulse = intake->pulse;

	switch (record->event) {
	case EV_obj_alloc:
		site_of(intake, record->stack)->objects++;
		break;
	case EV_sample:
		sample_event(intake, record);
		break;
	case EV_mark:
		if (record->time < pulse->mark_time)
			break;
		pulse->mark_time = record->time;
		pulse->mark_open = record->kind == 0;
		copy_name(pulse->mark, record->payload.ev_payload_mark.name, 16);
		break;
	case EV_audit_done:
		if (record->time < pulse->audit_time)
			break;
		pulse->audit_time = record->time;
		pulse->audit_findings = record->payload.ev_payload_audit_done.findings;
		break;
	case EV_oom:
		pulse->ooms++;
		break;
	case EV_panic:
		copy_name(pulse->panic, record->payload.ev_payload_panic.name, 16);
		break;
	}
}

static void take(void *arg, const struct trace_record *records, size_t nr)
{
	struct intake *intake = arg;
	struct pulse *pulse = intake->pulse;

	for (size_t i = 0; i < nr; i++) {
		const struct trace_record *record = &records[i];
		if (!event_known(record->event))
			continue;
		pulse->nr_events++;
		if (record->time > pulse->last_time)
			pulse->last_time = record->time;
		if (!pulse->first_time || record->time < pulse->first_time)
			pulse->first_time = record->time;
		if (event_is_page(record->event))
			page_event(intake, record);
		else
			other_event(intake, record);
	}
}

/* Counts all anew, with the sample that is now known. */
static void recount(struct intake *intake, struct follow *follow)
{
	struct pulse *pulse = intake->pulse, old = *pulse;

	*pulse = (struct pulse){.sampled = true,
				.sample_time = old.sample_time,
				.sample_free = old.sample_free,
				.events_before = old.events_before,
				.time_before = old.time_before,
				.sites = old.sites,
				.nr_sites = old.nr_sites,
				.capacity = old.capacity};
	memcpy(pulse->kinds_before, old.kinds_before, sizeof(old.kinds_before));
	for (size_t i = 0; i < pulse->nr_sites; i++)
		pulse->sites[i].pages = pulse->sites[i].objects = 0;
	intake->sample_found = false;
	follow_rewind(follow);
	follow_step(follow, take, intake);
}

uint64_t pulse_step(struct pulse *pulse, struct follow *follow)
{
	struct intake intake = {.pulse = pulse, .follow = follow};

	if (follow_look(follow))
		pulse_free(pulse);
	uint64_t before = pulse->nr_events;
	follow_step(follow, take, &intake);
	if (intake.sample_found)
		recount(&intake, follow);
	return pulse->nr_events - before;
}

void pulse_beat(struct pulse *pulse)
{
	for (size_t i = 0; i < pulse->nr_sites; i++) {
		pulse->sites[i].pages_before = pulse->sites[i].pages;
		pulse->sites[i].objects_before = pulse->sites[i].objects;
	}
	memcpy(pulse->kinds_before, pulse->kinds, sizeof(pulse->kinds));
	pulse->events_before = pulse->nr_events;
	pulse->time_before = pulse->last_time;
}

int64_t pulse_free_pages(const struct pulse *pulse)
{
	return pulse->sampled ? pulse->sample_free + pulse->net_since : -1;
}

uint64_t pulse_ticks(const struct pulse *pulse)
{
	uint64_t since = pulse->time_before ? pulse->time_before : pulse->first_time;

	return pulse->last_time > since ? pulse->last_time - since : 0;
}
