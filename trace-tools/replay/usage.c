/* SPDX-License-Identifier: MIT */
/* usage: see usage.h. */
#include "usage.h"

#include <stdlib.h>

#include "base/util.h"

#define PIDS_NR 65536U

static uint64_t even_start(const struct usage *usage, uint32_t step)
{
	return usage->begin + (uint64_t)((double)usage->span * step / USAGE_STEPS);
}

static void add_step(struct usage *usage, uint64_t start)
{
	if (!usage->nr_steps || start > usage->starts[usage->nr_steps - 1])
		ARRAY_PUSH(usage->starts, usage->nr_steps, usage->capacity) = start;
}

void usage_begin(struct usage *usage, const struct run *run)
{
	uint64_t end;

	*usage = (struct usage){.nr_sites = run->nr_stacks + 1};
	run_span(run, &usage->begin, &end);
	usage->span = end - usage->begin + 1;
	usage->sites = xcalloc(usage->nr_sites, sizeof(*usage->sites));
	usage->pids = xcalloc(PIDS_NR, sizeof(*usage->pids));
	usage->next = even_start(usage, 1);
	add_step(usage, usage->begin);
}

static void next_steps(struct usage *usage, uint64_t time)
{
	while (time >= usage->next && usage->nr_even + 1 < USAGE_STEPS) {
		add_step(usage, usage->next);
		usage->nr_even++;
		usage->next = even_start(usage, usage->nr_even + 1);
	}
}

static struct usage_entry *entry_now(struct usage *usage, struct usage_series *series)
{
	uint32_t step = (uint32_t)usage->nr_steps - 1;

	if (!series->nr || series->entries[series->nr - 1].step != step)
		ARRAY_PUSH(series->entries, series->nr, series->capacity) =
		    (struct usage_entry){.step = step};
	return &series->entries[series->nr - 1];
}

static void change(struct usage *usage, struct usage_series *series, int64_t pages)
{
	if (series->epoch != usage->epoch) {
		series->at_most = series->live;
		series->epoch = usage->epoch;
	}
	series->live += pages;
	usage->live += pages;
}

static struct usage_series *site_series(struct usage *usage, uint32_t stack)
{
	return &usage->sites[stack < usage->nr_sites ? stack : 0];
}

void usage_event(void *arg, const struct model *model, const struct trace_record *record, uint32_t stream)
{
	struct usage *usage = arg;
	uint32_t pages = 1U << record_order(record);

	if (record->event == EV_mark) {
		next_steps(usage, record->time);
		if (usage->nr_cuts++ < USAGE_CUTS)
			add_step(usage, record->time);
		return;
	}
	if (record->event != EV_page_alloc && record->event != EV_page_free)
		return;
	if (record->time >= usage->next)
		next_steps(usage, record->time);
	if (record->event == EV_page_alloc) {
		struct usage_series *site = site_series(usage, record->stack);
		entry_now(usage, site)->allocated += pages;
		change(usage, site, pages);
		uint32_t pid = record->payload.ev_payload_page_alloc.pid;
		usage->nr_pids = pid < usage->nr_pids ? usage->nr_pids : pid + 1;
		entry_now(usage, &usage->pids[pid])->allocated += pages;
		if (usage->live > usage->most) {
			usage->most = usage->live;
			usage->most_time = record->time;
			usage->epoch++;
		}
		return;
	}
	/* A page that boot gives to the free lists was allocated by nobody. */
	const struct page_state *page = model_page(model, record->payload.ev_payload_page_free.pfn);
	if (!page || !page->alloc_stack)
		return;
	struct usage_series *site = site_series(usage, page->alloc_stack);
	entry_now(usage, site)->freed += pages;
	change(usage, site, -(int64_t)pages);
}

void usage_end(struct usage *usage)
{
	for (uint32_t i = 0; i < usage->nr_sites; i++) {
		struct usage_series *site = &usage->sites[i];
		if (site->epoch != usage->epoch)
			site->at_most = site->live;
	}
}

static void series_free(struct usage_series *series, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		free(series[i].entries);
	free(series);
}

void usage_free(struct usage *usage)
{
	series_free(usage->sites, usage->nr_sites);
	series_free(usage->pids, usage->nr_pids);
	free(usage->starts);
	*usage = (struct usage){0};
}
