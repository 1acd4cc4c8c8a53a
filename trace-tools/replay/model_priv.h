/* SPDX-License-Identifier: MIT */
/*
 * model, inside: what it keeps, and what its files do for each other. See model.h.
 */
#ifndef TOOLS_REPLAY_MODEL_PRIV_H
#define TOOLS_REPLAY_MODEL_PRIV_H

#include "model.h"

#define HOLDERS_NR 65536
/* 16 GiB of RAM: address space only, touched where pages are. */
#define PAGES_MAX (4U << 20)

#define OPEN_TESTS_MAX 64U /* at one time; of more, the oldest count as never ended */

struct model {
	struct run *run;
	struct model_totals totals;
	struct page_state *pages; /* by pfn - first_pfn */
	uint32_t first_pfn, nr_pages;
	uint32_t seen_pages; /* from this index on nothing was ever touched */
	struct ref_pool pool;
	struct object_state *objects; /* hash table: obj 0 is an empty slot */
	size_t objects_mask, nr_objects;
	struct release *releases; /* hash table: count 0 is an empty slot */
	size_t releases_mask, nr_releases;
	struct site *sites; /* by stack id */
	uint32_t nr_sites;
	struct cache_state *caches;              /* by number */
	struct holder_life *pids, *mms, *inodes; /* HOLDERS_NR each */
	struct test_mark *tests;
	size_t nr_tests, tests_capacity;
	struct samples samples;
	size_t open_tests[OPEN_TESTS_MAX]; /* positions, the last begun last */
	unsigned nr_open;
	bool ended; /* power-off has begun: audits are no longer a test's */
	struct audit_state pending, last, last_quiescent;
	struct trace_record *incidents;
	size_t nr_incidents, incidents_capacity;
	struct mispaired *mispaired;
	size_t nr_mispaired, mispaired_capacity;
};

static inline struct page_state *page_of(const struct model *model, uint32_t pfn)
{
	return pfn - model->first_pfn < model->nr_pages ? &model->pages[pfn - model->first_pfn] : NULL;
}

/* The site of a stack; of a stack that the trace does not have, that of none. */
static inline struct site *site_of(struct model *model, uint32_t stack)
{
	return &model->sites[stack < model->nr_sites ? stack : 0];
}

/* What is printable of a record's text, which need not end. `to` has one byte more. */
void copy_name(char *to, const char *from, size_t bytes);

void pages_apply(struct model *model, const struct trace_record *record, uint32_t stream);
/* At the end of the replay: pairs what remains of early puts. */
void pages_end(struct model *model);
void objects_end(struct model *model);

void objects_begin(struct model *model);
void objects_apply(struct model *model, const struct trace_record *record);
void objrefs_apply(struct model *model, const struct trace_record *record);
void cache_apply(struct model *model, const struct trace_record *record);

/* Of the thing that record or the list is about. */
struct subject {
	bool object;
	uint32_t where;
	uint16_t cache;
	uint32_t alloc_stack;
};
/* Counts a pair, and notes what is wrong with the event. */
void pairing_note(struct model *model, const struct subject *subject, const struct trace_record *record,
		  const struct pairing *done);
/* Notes the puts of what is left of a life, and drops all of it. */
void rest_note(struct model *model, const struct subject *subject, uint32_t *rest);
/* At the end of the replay, of one list. subject NULL: not all of it was recorded, so nothing is noted. */
void pairing_end(struct model *model, const struct subject *subject, uint32_t *list);

void releases_begin(struct model *model);
void releases_count(struct model *model, uint32_t alloc, uint32_t get, uint32_t put, uint32_t ref);

void holders_apply(struct model *model, const struct trace_record *record);

void mark_apply(struct model *model, const struct trace_record *record);
void sample_apply(struct model *model, const struct trace_record *record);
void finding_apply(struct model *model, const struct trace_record *record);
/* A store into a free page, seen when it happened: an incident like one that an audit finds later. */
void write_apply(struct model *model, const struct trace_record *record);
void audit_apply(struct model *model, const struct trace_record *record);

#endif
