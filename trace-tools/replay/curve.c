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

void curve_event(void *arg, const struct model *model, const struct trace_record *record, uint32_t stream)
{
	struct curve *curve = arg;

	if (record->event != EV_page_alloc && record->event != EV_page_free && record->event != EV_page_kind)
		return;
	const struct model_totals *totals = model_totals(model);
	uint64_t since = record->time < curve->begin ? 0 : record->time - curve->begin;
	uint64_t at = (uint64_t)((double)since / (double)curve->span * curve->nr);
	at = at < curve->nr ? at : curve->nr - 1;
	struct curve_step *step = &curve->steps[at];
	if (record->event == EV_page_alloc && !curve->allocated) {
		curve->allocated = true;
		curve->booted = (uint32_t)at;
		memcpy(curve->most, totals->pages_by_kind, sizeof(curve->most));
	}
	uint32_t grown =
	    record->event == EV_page_kind ? record->kind & (PK_NR - 1) : record_page_kind(record);
	if (totals->pages_by_kind[grown] > curve->most[grown])
		curve->most[grown] = totals->pages_by_kind[grown];
	int64_t net = totals->net_pages;
	if (!step->any) {
		step->any = true;
		step->low = step->high = net;
	}
	step->low = net < step->low ? net : step->low;
	step->high = net > step->high ? net : step->high;
	step->last = net;
	step->time = record->time;
	for (uint32_t kind = 0; kind < PK_NR; kind++)
		step->kinds[kind] = (int32_t)totals->pages_by_kind[kind];
}

void curve_end(struct curve *curve, const struct model *model)
{
	int64_t offset = model_totals(model)->sampled ? model_totals(model)->sample_offset
						      : -model_totals(model)->net_pages;
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
