/* pagelog: see pagelog.h. */
#include "pagelog.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

void pagelog_begin(struct pagelog *log, const struct run *run, uint32_t nr)
{
	*log = (struct pagelog){.nr = nr};
	for (uint32_t i = 0; i < run->nr_streams; i++) {
		if (run->streams[i].nr_packets && run->streams[i].end_time > log->end)
			log->end = run->streams[i].end_time;
	}
	log->snapshot = xcalloc(nr, sizeof(*log->snapshot));
	log->snapshots = xcalloc(nr, sizeof(*log->snapshots));
}

static void fill(struct pagelog_snapshot *snapshot, const uint8_t *kinds, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++) {
		uint8_t *cell = &snapshot->kinds[i >> snapshot->shift];
		if (*cell == PK_FREE)
			*cell = kinds[i];
	}
}

static void take(struct pagelog *log)
{
	if (log->changed || log->nr_snapshots == 0) {
		struct pagelog_snapshot *snapshot = &log->snapshots[log->nr_snapshots++];
		while ((log->nr_pages >> snapshot->shift) > PAGELOG_CELLS)
			snapshot->shift++;
		snapshot->nr = (log->nr_pages + (1U << snapshot->shift) - 1) >> snapshot->shift;
		snapshot->kinds = xcalloc(snapshot->nr + 1, 1);
		fill(snapshot, log->kinds, log->nr_pages);
		log->shift = snapshot->shift > log->shift ? snapshot->shift : log->shift;
		log->changed = false;
	}
	log->snapshot[log->at++] = log->nr_snapshots - 1;
}

static void change(struct pagelog *log, const struct model *model, const struct trace_record *record)
{
	uint32_t first = record->payload.ev_payload_page_alloc.pfn - model->first_pfn;
	uint32_t pages = 1U << record_order(record);
	uint32_t kind = record->event == EV_page_alloc  ? record_page_kind(record)
			: record->event == EV_page_kind ? record->kind & (PK_NR - 1)
							: PK_FREE;

	if (first >= model->nr_pages)
		return; /* no page of RAM; the model has said so */
	pages = pages < model->nr_pages - first ? pages : model->nr_pages - first;
	if (first + pages > log->nr_pages) {
		log->kinds = xrealloc(log->kinds, first + pages);
		memset(log->kinds + log->nr_pages, PK_FREE, first + pages - log->nr_pages);
		log->nr_pages = first + pages;
	}
	memset(log->kinds + first, (int)kind, pages);
	log->changed = true;
}

uint32_t pagelog_instant(const struct pagelog *log, uint64_t time)
{
	if (time <= log->begin || log->end <= log->begin)
		return 0;
	uint64_t at = (uint64_t)((double)(time - log->begin) / (double)(log->end - log->begin) * log->nr);
	return at < log->nr ? (uint32_t)at : log->nr - 1;
}

void pagelog_event(void *arg, const struct model *model, const struct trace_record *record, uint32_t stream)
{
	struct pagelog *log = arg;

	if (record->event != EV_page_alloc && record->event != EV_page_free && record->event != EV_page_kind)
		return;
	if (!log->begin && record->event == EV_page_alloc)
		log->begin = record->time;
	/* The instants up to now are from before this event. */
	for (uint32_t now = log->begin ? pagelog_instant(log, record->time) : 0; log->at < now;)
		take(log);
	change(log, model, record);
}

void pagelog_end(struct pagelog *log)
{
	while (log->begin && log->at < log->nr)
		take(log);
}

void pagelog_free(struct pagelog *log)
{
	for (uint32_t i = 0; i < log->nr_snapshots; i++)
		free(log->snapshots[i].kinds);
	free(log->snapshots);
	free(log->snapshot);
	free(log->kinds);
	*log = (struct pagelog){0};
}

uint8_t pagelog_kind(const struct pagelog *log, uint32_t instant, uint32_t cell)
{
	const struct pagelog_snapshot *snapshot = &log->snapshots[log->snapshot[instant]];
	uint32_t from = cell << (log->shift - snapshot->shift), to = (cell + 1)
								     << (log->shift - snapshot->shift);

	for (uint32_t i = from; i < to && i < snapshot->nr; i++) {
		if (snapshot->kinds[i] != PK_FREE)
			return snapshot->kinds[i];
	}
	return PK_FREE;
}

uint32_t pagelog_cells(const struct pagelog *log)
{
	if (!log->nr_snapshots)
		return 0;
	const struct pagelog_snapshot *last = &log->snapshots[log->nr_snapshots - 1];
	return last->nr >> (log->shift - last->shift);
}
