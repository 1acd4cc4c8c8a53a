/* SPDX-License-Identifier: MIT */
/*
 * fuzz_model: a trace through all that stands on the reading layer: the replay, leaks, a page's history, the exports.
 * The inputs are those of fuzz_trace; slower by far, since a replay has tables for all of RAM.
 */
#include <stdlib.h>
#include <string.h>

#include "export/export.h"
#include "fuzz.h"
#include "replay/history.h"

#define CURVE_STEPS 50

/* Reads the whole run once more, as the commands do for one page. */
static void tell_page(struct run *run, const struct model *model)
{
	uint32_t pfn = 0;

	model_next_live(model, &pfn);
	struct page_history history = {.pfn = pfn};

	history_collect(run, &history, 1, NULL, 0);
	free(history.records);
}

static void export_all(struct run *run, struct leaks *leaks, const struct curve *curve)
{
	FILE *out = fuzz_out();

	export_collapsed(leaks->model, leaks->stacks, WEIGHT_PEAK, out);
	export_speedscope(leaks->model, leaks->stacks, "fuzz", out);
	export_csv(run, leaks->stacks, out);
	export_perfetto(leaks, curve, out);
	free(export_sqlite(run, leaks, ":memory:"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *error = NULL;
	struct run *run = run_open(fuzz_file(data, size), &error);
	struct curve curve;
	struct model_watch watch = {curve_event, &curve};

	if (!run) {
		free(error);
		return 0;
	}
	curve_begin(&curve, run, CURVE_STEPS);
	struct model *model = model_replay(run, &watch);
	curve_end(&curve, model);
	struct stack_table *stacks = stack_table_open(run);
	struct leaks *leaks = leaks_find(model, stacks, NULL);
	tell_page(run, model);
	export_all(run, leaks, &curve);
	leaks_free(leaks);
	stack_table_close(stacks);
	model_free(model);
	curve_free(&curve);
	run_close(run);
	return 0;
}
