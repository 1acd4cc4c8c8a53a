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

/* Of cells of 2^shift pages each: the kind of the first of them that is used. */
static uint8_t *kinds_of_cells(const uint8_t *kinds, uint32_t nr, uint32_t shift, uint32_t nr_cells)
{
	uint8_t *cells = xcalloc(nr_cells, 1);

	if (!shift)
		return memcpy(cells, kinds, nr);
	for (uint32_t i = 0; i < nr; i++) {
		uint8_t *cell = &cells[i >> shift];
		if (*cell == PK_FREE)
			*cell = kinds[i];
	}
	return cells;
}

static void take(struct pagelog *log)
{
	if (log->changed || log->nr_snapshots == 0) {
		struct pagelog_snapshot *snapshot = &log->snapshots[log->nr_snapshots++];
		while ((log->nr_pages >> snapshot->shift) > PAGELOG_CELLS)
			snapshot->shift++;
		snapshot->nr = (log->nr_pages + (1U << snapshot->shift) - 1) >> snapshot->shift;
		snapshot->kinds = kinds_of_cells(log->kinds, log->nr_pages, snapshot->shift, snapshot->nr);
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

/* Gives a snapshot of less RAM the cells of the last one. */
static void widen(const struct pagelog *log, struct pagelog_snapshot *snapshot)
{
	if (snapshot->nr == log->nr_cells && snapshot->shift == log->shift)
		return;
	uint8_t *kinds =
	    kinds_of_cells(snapshot->kinds, snapshot->nr, log->shift - snapshot->shift, log->nr_cells);
	free(snapshot->kinds);
	*snapshot = (struct pagelog_snapshot){.kinds = kinds, .nr = log->nr_cells, .shift = log->shift};
}

void pagelog_end(struct pagelog *log)
{
	while (log->begin && log->at < log->nr)
		take(log);
	if (!log->nr_snapshots)
		return;
	log->nr_cells = log->snapshots[log->nr_snapshots - 1].nr;
	log->shift = log->snapshots[log->nr_snapshots - 1].shift;
	for (uint32_t i = 0; i < log->nr_snapshots; i++)
		widen(log, &log->snapshots[i]);
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
