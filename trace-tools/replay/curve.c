/* SPDX-License-Identifier: MIT */
/* curve: see curve.h. */
#include "curve.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

void curve_begin(struct curve *curve, const struct run *run, uint32_t nr_steps)
{
	uint64_t begin, end;

	run_span(run, &begin, &end);
	*curve = (struct curve){.begin = begin, .span = end - begin + 1};
	curve->nr = nr_steps;
	curve->steps = xcalloc(nr_steps, sizeof(*curve->steps));
}

static uint64_t step_begin(const struct curve *curve, uint32_t step)
{
	return curve->begin + (uint64_t)((double)curve->span * step / curve->nr);
}

/* Times hardly ever go back, so the step is mostly that of the event before. */
static uint32_t step_of(struct curve *curve, uint64_t time)
{
	if (time < curve->next && time >= curve->now)
		return curve->at;
	uint64_t since = time < curve->begin ? 0 : time - curve->begin;
	uint64_t at = (uint64_t)((double)since / (double)curve->span * curve->nr);
	curve->at = at < curve->nr ? (uint32_t)at : curve->nr - 1;
	curve->now = curve->at ? step_begin(curve, curve->at) : 0;
	curve->next = curve->at + 1 < curve->nr ? step_begin(curve, curve->at + 1) : UINT64_MAX;
	return curve->at;
}

static void copy_kinds(struct curve_step *step, const struct model_totals *totals)
{
	for (uint32_t kind = 0; kind < PK_NR; kind++)
		step->kinds[kind] = (int32_t)totals->pages_by_kind[kind];
}

void curve_event(void *arg, const struct model *model, const struct trace_record *record, uint32_t stream)
{
	struct curve *curve = arg;

	if (record->event != EV_page_alloc && record->event != EV_page_free && record->event != EV_page_kind)
		return;
	const struct model_totals *totals = model_totals(model);
	uint32_t at = step_of(curve, record->time);
	struct curve_step *step = &curve->steps[at];
	if (record->event == EV_page_alloc && !curve->allocated) {
		curve->allocated = true;
		curve->booted = at;
		memcpy(curve->most, totals->pages_by_kind, sizeof(curve->most));
	}
	uint32_t kind = record->event == EV_page_kind ? record->kind & (PK_NR - 1) : record_page_kind(record);
	if (totals->pages_by_kind[kind] > curve->most[kind])
		curve->most[kind] = totals->pages_by_kind[kind];
	int64_t net = totals->net_pages, pages = 1LL << record_order(record);
	/* What an event changes is one kind, unless it says that others were lost. */
	bool plain = record->event == EV_page_alloc  ? curve->last_net - net == pages
		     : record->event == EV_page_free ? net - curve->last_net == pages
						     : false;
	if (step->any && plain)
		step->kinds[kind] = (int32_t)totals->pages_by_kind[kind];
	else
		copy_kinds(step, totals);
	if (!step->any) {
		step->any = true;
		step->low = step->high = net;
	}
	step->low = net < step->low ? net : step->low;
	step->high = net > step->high ? net : step->high;
	step->last = net;
	step->time = record->time;
	curve->last_net = net;
}

void curve_end(struct curve *curve, const struct model *model)
{
	int64_t offset = model_free_offset(model);
	const struct curve_step *before = NULL;

	for (uint32_t i = 0; i < curve->nr; i++) {
		struct curve_step *step = &curve->steps[i];
		if (step->any) {
			step->low += offset;
			step->high += offset;
			step->last += offset;
		} else {
			if (before)
				*step = *before;
			else
				step->low = step->high = step->last = offset;
			step->any = false;
			step->low = step->high = step->last;
			step->time = curve->begin + (uint64_t)((double)curve->span * i / curve->nr);
		}
		before = step;
	}
}

void curve_free(struct curve *curve)
{
	free(curve->steps);
	*curve = (struct curve){0};
}
