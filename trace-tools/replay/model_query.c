/* SPDX-License-Identifier: MIT */
/*
 * model_query: answers of the model that are a field or two. See model.h.
 */
#include <stdlib.h>

#include "base/util.h"
#include "model_priv.h"

struct run *model_run(const struct model *model)
{
	return model->run;
}

const struct model_totals *model_totals(const struct model *model)
{
	return &model->totals;
}

size_t model_nr_references(const struct model *model)
{
	return model->pool.nr_open;
}

size_t model_nr_objects(const struct model *model)
{
	return model->nr_objects;
}

/* ---- pages ---- */

uint32_t model_first_pfn(const struct model *model)
{
	return model->first_pfn;
}

uint32_t model_nr_pages(const struct model *model)
{
	return model->nr_pages;
}

const struct page_state *model_page(const struct model *model, uint32_t pfn)
{
	return page_of(model, pfn);
}

const struct page_state *model_next_live(const struct model *model, uint32_t *pfn)
{
	if (*pfn < model->first_pfn)
		*pfn = model->first_pfn;
	for (; *pfn - model->first_pfn < model->seen_pages; ++*pfn) {
		const struct page_state *page = &model->pages[*pfn - model->first_pfn];
		if (page->life == LIFE_LIVE)
			return page;
	}
	return NULL;
}

static const struct page_ref *ref_of(const struct model *model, uint32_t number)
{
	return number == REF_POOL_NONE ? NULL : &model->pool.refs[number];
}

const struct page_ref *model_refs(const struct model *model, const struct page_state *page)
{
	return ref_of(model, page->refs);
}

const struct page_ref *model_next_ref(const struct model *model, const struct page_ref *ref)
{
	return ref_of(model, ref->next);
}

/* ---- sites, caches, processes ---- */

const struct site *model_sites(const struct model *model, uint32_t *nr)
{
	*nr = model->nr_sites;
	return model->sites;
}

const struct cache_state *model_cache(const struct model *model, uint16_t number)
{
	return &model->caches[number];
}

const struct samples *model_samples(const struct model *model)
{
	return &model->samples;
}

const struct holder_life *model_process(const struct model *model, uint16_t pid)
{
	return &model->pids[pid];
}

/* ---- tests, audits, incidents ---- */

const struct test_mark *model_tests(const struct model *model, size_t *nr)
{
	*nr = model->nr_tests;
	return model->tests;
}

const struct audit_state *model_audit(const struct model *model)
{
	return model->last.done ? &model->last : NULL;
}

const struct audit_state *model_quiescent_audit(const struct model *model)
{
	return model->last_quiescent.done ? &model->last_quiescent : NULL;
}

const struct trace_record *model_incidents(const struct model *model, size_t *nr)
{
	*nr = model->nr_incidents;
	return model->incidents;
}

bool model_knows_free(const struct model *model)
{
	return model->totals.sampled || model->run->watched;
}

int64_t model_free_offset(const struct model *model)
{
	if (model->totals.sampled)
		return model->totals.sample_offset;
	return model->run->watched ? 0 : -model->totals.net_pages;
}

int64_t model_free_pages(const struct model *model)
{
	return model_knows_free(model) ? model->totals.net_pages + model_free_offset(model) : -1;
}

const char *model_stopped_early(const struct model *model)
{
	if (model->totals.panic_time)
		return "the kernel panicked before its end";
	return manifest_cut_short(&model->run->manifest) ? "the machine was stopped before its end" : NULL;
}

const struct test_mark *model_test_at(const struct model *model, uint64_t time)
{
	for (size_t i = 0; i < model->nr_tests; i++) {
		const struct test_mark *test = &model->tests[i];
		if (time >= test->begin && (test->end == 0 || time <= test->end))
			return test;
	}
	return NULL;
}

bool model_parse_page(const char *text, uint32_t *pfn)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);

	if (!*text || *end)
		return false;
	if (value >= PHYS_OFFSET)
		value -= PHYS_OFFSET;
	if (value >= RAM_BASE)
		value >>= PAGE_SHIFT;
	*pfn = (uint32_t)value;
	return value >= RAM_BASE >> PAGE_SHIFT && value < (RAM_BASE >> PAGE_SHIFT) + PAGES_MAX;
}
