/* SPDX-License-Identifier: MIT */
/* pagelog: see pagelog.h. */
#include "pagelog.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

void pagelog_begin(struct pagelog *log, const struct run *run, uint32_t nr)
{
	uint64_t begin;

	*log = (struct pagelog){.nr = nr};
	run_span(run, &begin, &log->end);
	log->snapshot = xcalloc(nr, sizeof(*log->snapshot));
	log->snapshots = xcalloc(nr, sizeof(*log->snapshots));
}

/* Cells of 2^shift of what `kinds` tells of: each is the first that is used. */
static void gather(const uint8_t *kinds, uint32_t nr, uint32_t shift, uint8_t *cells)
{
	if (!shift) {
		memcpy(cells, kinds, nr);
		return;
	}
	for (uint32_t i = 0; i < nr; i++) {
		if (cells[i >> shift] == PK_FREE)
			cells[i >> shift] = kinds[i];
	}
}

static uint32_t nr_blocks(uint32_t nr_cells)
{
	return (nr_cells + PAGELOG_BLOCK - 1) / PAGELOG_BLOCK;
}

/* before: NULL for the first one. */
static void keep(struct pagelog_snapshot *snapshot, const struct pagelog_snapshot *before,
		 const uint8_t *cells)
{
	bool alike = before && before->nr == snapshot->nr && before->shift == snapshot->shift;

	snapshot->blocks = xcalloc(nr_blocks(snapshot->nr), sizeof(*snapshot->blocks));
	for (uint32_t i = 0; i < nr_blocks(snapshot->nr); i++) {
		const uint8_t *block = cells + (size_t)i * PAGELOG_BLOCK;
		if (alike && !memcmp(before->blocks[i], block, PAGELOG_BLOCK)) {
			snapshot->blocks[i] = before->blocks[i];
			continue;
		}
		snapshot->blocks[i] = xcalloc(PAGELOG_BLOCK, 1);
		memcpy(snapshot->blocks[i], block, PAGELOG_BLOCK);
	}
}

static void take(struct pagelog *log)
{
	if (log->changed || log->nr_snapshots == 0) {
		uint32_t number = log->nr_snapshots++;
		struct pagelog_snapshot *snapshot = &log->snapshots[number];
		while ((log->nr_pages >> log->shift) > PAGELOG_CELLS)
			log->shift++;
		log->nr_cells = (log->nr_pages + (1U << log->shift) - 1) >> log->shift;
		snapshot->nr = log->nr_cells;
		snapshot->shift = log->shift;
		uint8_t *cells = xcalloc(nr_blocks(snapshot->nr), PAGELOG_BLOCK);
		gather(log->kinds, log->nr_pages, snapshot->shift, cells);
		keep(snapshot, number ? snapshot - 1 : NULL, cells);
		free(cells);
		log->changed = false;
	}
	log->snapshot[log->at++] = log->nr_snapshots - 1;
}

static void change(struct pagelog *log, const struct model *model, const struct trace_record *record)
{
	uint32_t first = record->payload.ev_payload_page_alloc.pfn - model_first_pfn(model);
	uint32_t pages = 1U << record_order(record);
	uint32_t kind = record->event == EV_page_alloc  ? record_page_kind(record)
			: record->event == EV_page_kind ? record->kind & (PK_NR - 1)
							: PK_FREE;

	if (first >= model_nr_pages(model))
		return; /* no page of RAM; the model has said so */
	pages = pages < model_nr_pages(model) - first ? pages : model_nr_pages(model) - first;
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
	if (log->begin && record->time >= log->next) {
		for (uint32_t now = pagelog_instant(log, record->time); log->at < now;)
			take(log);
		/* A tick less than where the next one is, as its place is rounded. */
		log->next =
		    log->begin + (uint64_t)((double)(log->end - log->begin) * (log->at + 1) / log->nr);
		log->next -= log->next > log->begin;
	}
	change(log, model, record);
}

void pagelog_end(struct pagelog *log)
{
	while (log->begin && log->at < log->nr)
		take(log);
}

void pagelog_read(const struct pagelog *log, uint32_t number, uint8_t *kinds)
{
	const struct pagelog_snapshot *snapshot = &log->snapshots[number];
	uint32_t shift = log->shift - snapshot->shift;

	memset(kinds, PK_FREE, log->nr_cells);
	for (uint32_t from = 0; from < snapshot->nr; from += PAGELOG_BLOCK) {
		uint32_t nr = snapshot->nr - from < PAGELOG_BLOCK ? snapshot->nr - from : PAGELOG_BLOCK;
		gather(snapshot->blocks[from / PAGELOG_BLOCK], nr, shift, kinds + (from >> shift));
	}
}

bool pagelog_block_same(const struct pagelog *log, uint32_t number, uint32_t block)
{
	const struct pagelog_snapshot *snapshot = &log->snapshots[number];

	if (!number || snapshot->shift != log->shift)
		return false;
	return snapshot[-1].shift == snapshot->shift && block < nr_blocks(snapshot[-1].nr) &&
	       block < nr_blocks(snapshot->nr) && snapshot[-1].blocks[block] == snapshot->blocks[block];
}

/* A block belongs to the first of the snapshots that share it. */
static void free_blocks(struct pagelog *log)
{
	for (uint32_t i = log->nr_snapshots; i-- > 0;) {
		struct pagelog_snapshot *snapshot = &log->snapshots[i];
		const struct pagelog_snapshot *before = i ? snapshot - 1 : NULL;
		for (uint32_t k = 0; k < nr_blocks(snapshot->nr); k++) {
			if (!before || k >= nr_blocks(before->nr) || before->blocks[k] != snapshot->blocks[k])
				free(snapshot->blocks[k]);
		}
		free(snapshot->blocks);
	}
}

void pagelog_free(struct pagelog *log)
{
	free_blocks(log);
	free(log->snapshots);
	free(log->snapshot);
	free(log->kinds);
	*log = (struct pagelog){0};
}
