/* SPDX-License-Identifier: MIT */
/* model: the replay. See model.h. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/progress.h"
#include "base/util.h"
#include "model_priv.h"

static void *reserve(size_t bytes)
{
	void *where =
	    mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (where == MAP_FAILED)
		die("out of memory (%zu byte%s)", bytes, plural_s(bytes));
	return where;
}

void copy_name(char *to, const char *from, size_t bytes)
{
	size_t length = strnlen(from, bytes);

	for (size_t i = 0; i < length; i++)
		to[i] = from[i] >= 32 && from[i] < 127 ? from[i] : '?';
	to[length] = 0;
}

static void rare_event(struct model *model, const struct trace_record *record)
{
	switch (record->event) {
	case EV_cache_info:
		cache_apply(model, record);
		break;
	case EV_mark:
		mark_apply(model, record);
		break;
	case EV_sample:
		sample_apply(model, record);
		break;
	case EV_finding:
		finding_apply(model, record);
		break;
	case EV_page_write:
		write_apply(model, record);
		break;
	case EV_audit_done:
		audit_apply(model, record);
		break;
	case EV_poweroff:
		model->ended = true;
		break;
	case EV_oom:
		model->totals.ooms++;
		break;
	case EV_fail_injected:
		model->totals.fails_injected++;
		break;
	case EV_panic:
		panic_text_add(model->totals.panic, record);
		model->totals.panic_time = record->time;
		break;
	default:
		holders_apply(model, record);
	}
}

static bool record_fits(void *arg, const struct trace_record *record)
{
	struct model *model = arg;

	if (event_is_objref(record->event)) {
		const struct object_state *object =
		    model_object(model, record->payload.ev_payload_obj_get.obj);
		return !object || object->count == record->payload.ev_payload_obj_get.before;
	}
	if (!event_is_page(record->event))
		return true;
	const struct page_state *page = page_of(model, record->payload.ev_payload_page_alloc.pfn);
	return !page || page->count == record->payload.ev_payload_page_alloc.before;
}

static struct model *model_new(struct run *run)
{
	struct model *model = xcalloc(1, sizeof(*model));

	model->run = run;
	model->first_pfn = (uint32_t)(RAM_BASE >> PAGE_SHIFT);
	model->nr_pages = PAGES_MAX;
	model->pages = reserve(PAGES_MAX * sizeof(*model->pages));
	model->nr_sites = run->nr_stacks + 1;
	model->sites = xcalloc(model->nr_sites, sizeof(*model->sites));
	model->caches = xcalloc(HOLDERS_NR, sizeof(*model->caches));
	model->pids = xcalloc(HOLDERS_NR, sizeof(*model->pids));
	model->mms = xcalloc(HOLDERS_NR, sizeof(*model->mms));
	model->inodes = xcalloc(HOLDERS_NR, sizeof(*model->inodes));
	samples_begin(&model->samples, model->nr_sites);
	objects_begin(model);
	releases_begin(model);
	return model;
}

struct model *model_replay_to(struct run *run, const struct model_watch *watch, uint64_t until)
{
	struct model *model = model_new(run);
	struct merge merge;
	const struct trace_record *records;
	uint32_t stream;
	size_t nr;

	merge_begin(&merge, run, record_fits, model);
	while ((nr = merge_batch(&merge, &records, &stream)) != 0 && records[0].time <= until) {
		while (records[nr - 1].time > until)
			nr--;
		if (model->totals.nr_events == 0)
			model->totals.first_time = records[0].time;
		model->totals.nr_events += nr;
		for (size_t i = 0; i < nr; i++) {
			const struct trace_record *record = &records[i];
			model->totals.by_event[record->event]++;
			model->totals.last_time = record->time;
			if (event_is_page(record->event))
				pages_apply(model, record, stream);
			else if (event_is_object(record->event))
				objects_apply(model, record);
			else if (event_is_objref(record->event))
				objrefs_apply(model, record);
			else
				rare_event(model, record);
			if (watch)
				watch->event(watch->arg, model, record, stream);
		}
	}
	progress_erase();
	pages_end(model);
	objects_end(model);
	if (until == UINT64_MAX)
		manifest_compare_marks(run, model->totals.by_event[EV_mark]);
	return model;
}

struct model *model_replay(struct run *run, const struct model_watch *watch)
{
	return model_replay_to(run, watch, UINT64_MAX);
}

void model_free(struct model *model)
{
	munmap(model->pages, PAGES_MAX * sizeof(*model->pages));
	free(model->pool.refs);
	free(model->objects);
	free(model->releases);
	free(model->sites);
	samples_free(&model->samples);
	free(model->caches);
	free(model->pids);
	free(model->mms);
	free(model->inodes);
	free(model->tests);
	free(model->pending.findings);
	free(model->last.findings);
	free(model->last_quiescent.findings);
	free(model->incidents);
	free(model->mispaired);
	free(model);
}
