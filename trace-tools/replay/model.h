/* SPDX-License-Identifier: MIT */
/*
 * model: the machine's accounting, replayed from the trace: what is live, who holds it, and how references were
 * released.
 *
 * The trace is a list of changes; every question about it ("what is live at the end?", "who else acquired such a
 * reference, and who released it?") is one about sums of changes. The model makes them all in one pass, in the order of
 * the whole machine:
 *
 *   pages      by page frame number: kind, count, where it was allocated, its open references (pairing.h)
 *   objects    the live ones of the slab caches; of counted ones the open references, as of pages
 *   releases   how often a reference acquired here was released there: what a leaked one is compared with
 *   sites      by allocation stack: how much is live, was live at most, was allocated in all
 *   holders    processes, address spaces, inodes: since when, until when
 *   tests      the marks; audits and their findings; samples; the panic; what each site held between the tests (samples.h)
 *
 *   mispaired  references that were released as another kind's or holder's, or acquired twice
 *
 * Memory grows with what is live and with the number of stacks, not with the number of events. Users ask by the
 * functions below; how it is kept is in model_priv.h. Each part has its file: model_pages.c, model_objects.c,
 * model_releases.c, model_holders.c, model_marks.c; model.c runs them, model_query.c answers.
 *
 * MODEL-1  a page's open references and its count: PAIR-1 of pairing.h.
 * MODEL-2  each released reference is counted once, under (allocation stack, get stack, put stack, ref kind).
 */
#ifndef TOOLS_REPLAY_MODEL_H
#define TOOLS_REPLAY_MODEL_H

#include "ctf/merge.h"
#include "pairing.h"
#include "samples.h"

struct model;

/* What happened, for those who draw or print while the model replays; may be NULL. Called after the model's own work. */
struct model_watch {
	void (*event)(void *arg, const struct model *model, const struct trace_record *record,
		      uint32_t stream);
	void *arg;
};

struct model *model_replay(struct run *run, const struct model_watch *watch);
/* The machine as it was at `until`: records of later times are not looked at. */
struct model *model_replay_to(struct run *run, const struct model_watch *watch, uint64_t until);
void model_free(struct model *model);

struct run *model_run(const struct model *model);

/* ---- totals ---- */

struct model_totals {
	uint64_t nr_events;
	uint64_t by_event[EVENT_ID_MAX];
	uint64_t first_time, last_time;
	uint64_t out_of_order; /* records whose count before was not the count after of the one before */
	uint64_t unmatched_puts;
	int64_t net_pages; /* freed minus allocated */
	int64_t pages_by_kind[PK_NR];
	int64_t sample_offset; /* free pages = net_pages + this */
	bool sampled;
	uint64_t nr_samples;
	int64_t sample_worst; /* largest difference between a sample and the replay */
	int64_t last_sample;
	uint64_t ooms, fails_injected;
	char panic[PANIC_TEXT_BYTES]; /* "" until panic_time */
	uint64_t panic_time;
};

/* Valid until model_free, and up to date at each event. */
const struct model_totals *model_totals(const struct model *model);
/* Is it known how many pages are free? A sample of the kernel says it; and a watched boot frees every page that there is. */
bool model_knows_free(const struct model *model);
/* Free pages are net_pages and this. Where they are not known, they count from none at the end. */
int64_t model_free_offset(const struct model *model);
/* Free pages now, -1 where they are not known. */
int64_t model_free_pages(const struct model *model);
size_t model_nr_references(const struct model *model); /* open ones */
size_t model_nr_objects(const struct model *model);    /* live ones */

/* ---- pages and their references ---- */

struct page_state {
	uint8_t life; /* enum page_life */
	uint8_t kind;
	uint8_t order;
	uint16_t count; /* after the last record of it */
	uint16_t alloc_pid;
	uint16_t inode; /* the page cache's: of the first CACHE reference, kept when that is gone */
	uint32_t inode_index;
	uint32_t refs; /* open references: see model_refs */
	uint32_t alloc_stack;
	uint64_t alloc_time;
	uint64_t last_time;
};

/* RAM as the model counts it: page frame numbers from the first on, more than the machine has. */
uint32_t model_first_pfn(const struct model *model);
uint32_t model_nr_pages(const struct model *model);
/* NULL: no page of RAM. */
const struct page_state *model_page(const struct model *model, uint32_t pfn);
/* The first live page from *pfn on, its number in *pfn; NULL: none. `for (pfn = 0; (page = ...(&pfn)); pfn++)` */
const struct page_state *model_next_live(const struct model *model, uint32_t *pfn);
/* The page's open references, newest first; NULL ends. */
const struct page_ref *model_refs(const struct model *model, const struct page_state *page);
const struct page_ref *model_next_ref(const struct model *model, const struct page_ref *ref);
/* "0x80f12 000" -> pfn: a physical or kernel address, or a page frame number. */
bool model_parse_page(const char *text, uint32_t *pfn);

/* ---- objects ---- */

struct object_state {
	uint32_t obj; /* pa / 8; 0: empty slot */
	uint32_t stack;
	uint64_t time;
	uint32_t index;
	uint16_t holder;
	uint16_t cache;
	uint16_t pid;
	uint16_t count;     /* of a counted one, after the last record of it */
	uint8_t life;       /* enum page_life: LIFE_UNKNOWN until the first reference */
	uint32_t refs;      /* open references: model_object_refs */
	uint64_t last_time; /* of its references */
};

struct cache_state {
	bool known;
	char name[13];
	uint32_t object_bytes;
	uint64_t live, allocs, frees;
};

/* NULL: not live. */
const struct object_state *model_object(const struct model *model, uint32_t obj);
/* Its open references, newest first, as model_refs; model_next_ref goes on. */
const struct page_ref *model_object_refs(const struct model *model, const struct object_state *object);
/* All live ones, in no order: *at is 0 at first. NULL ends. */
const struct object_state *model_next_object(const struct model *model, size_t *at);
/* Never NULL: one that nobody told of is not `known` and has no name. */
const struct cache_state *model_cache(const struct model *model, uint16_t number);

/* ---- releases and sites ---- */

/* How many references of one type were released in one way. For objects get is the allocation, put the free. */
struct release {
	uint32_t alloc_stack, get_stack, put_stack;
	uint32_t ref; /* ref kind, or RELEASE_OF_OBJECT */
	uint64_t count;
};
#define RELEASE_OF_OBJECT(cache) (REF_NR + 1U + (cache))

/* One allocation stack. */
struct site {
	uint64_t allocs, frees; /* calls */
	uint64_t pages_live, pages_peak;
	uint64_t pages_allocated, pages_freed;
	uint64_t page_ticks, object_ticks; /* how long the freed pages, the freed objects lived, added up */
	uint64_t objects_live, objects_peak;
	uint64_t object_allocs, object_frees;
	uint16_t cache; /* of the last object */
};

/* All of them, in no order: *at is 0 at first. NULL ends. */
const struct release *model_next_release(const struct model *model, size_t *at);
/* By stack id: *nr of them. */
const struct site *model_sites(const struct model *model, uint32_t *nr);

/* ---- holders ---- */

/* An address space, process or inode by its number; numbers may be used again. */
struct holder_life {
	bool alive, seen;
	uint64_t died;      /* time of the last death, 0: none */
	uint64_t reaped;    /* processes: when the kernel stack was gone, 0: never */
	uint32_t end_stack; /* of the record that told its end, the last one */
	uint64_t born;
	char name[9];
	uint16_t pid; /* mm: its process */
};

/* Never NULL: one that nobody told of is not `seen`, and has no name. */
const struct holder_life *model_process(const struct model *model, uint16_t pid);
/* NULL when the ref's holder is no process, address space or inode. */
const struct holder_life *model_holder(const struct model *model, uint32_t ref, uint16_t holder);
/* When the holder of a reference acquired at `time` ended, or 0: it lives, or nobody knows. */
uint64_t model_holder_death(const struct model *model, uint32_t ref, uint16_t holder, uint64_t time);

/* ---- tests, audits, incidents ---- */

struct test_mark {
	char name[17];
	uint64_t begin, end;        /* end 0: never ended */
	int64_t net_begin, net_end; /* pages freed minus pages allocated since the trace began */
	int64_t net_after;          /* at the audit that followed; without one, at the end */
	uint32_t
	    nr_findings; /* of audits inside or right after, before the next test: all that there were by then */
	uint32_t nr_findings_before; /* of the last audit before it began */
	uint32_t nr_audits;
	bool quiescent; /* the last of them was at a quiescent point */
};

/* Its own: an audit finds what leaked in earlier tests, too. */
static inline uint32_t test_mark_findings(const struct test_mark *test)
{
	return test->nr_findings > test->nr_findings_before ? test->nr_findings - test->nr_findings_before
							    : 0;
}

struct audit_state {
	bool done;
	uint64_t time;
	struct trace_record record; /* audit_done */
	struct trace_record *findings;
	size_t nr_findings, capacity;
};

/*
 * Why the machine did not come to its end by itself, however complete the trace is; NULL: it did. What such a run held last is not
 * what it would have held at its end.
 */
const char *model_stopped_early(const struct model *model);
/* What a mark record begins; its counts are still 0. */
struct test_mark test_mark_begin(const struct trace_record *record);
const struct test_mark *model_tests(const struct model *model, size_t *nr);
/* What each site held between the tests. */
const struct samples *model_samples(const struct model *model);
/* The test running at `time`, or NULL. */
const struct test_mark *model_test_at(const struct model *model, uint64_t time);
/* The last audit; the last one at a quiescent point. NULL: there was none. */
const struct audit_state *model_audit(const struct model *model);
const struct audit_state *model_quiescent_audit(const struct model *model);
/* The findings of an audit that the trace does not have: of a machine that could not audit itself. They are copied. */
void model_take_audit(struct model *model, const struct trace_record *findings, size_t nr, uint32_t nr_pages,
		      bool quiescent);
/* Findings that are no leaks but faults (freed twice, ...), in order: the first 256. */
const struct trace_record *model_incidents(const struct model *model, size_t *nr);

/* ---- mispaired references ---- */

enum mispaired_how {
	MISPAIRED_PUT, /* a put that releases nothing: no get of its kind and holder was open, then or later */
	MISPAIRED_GET,    /* a second get of a name of which a holder has one at most */
	MISPAIRED_OTHERS, /* a put of what a call of another process has in its hands */
};

/* One call, by its stack, with the first event that it made. Of a watched kernel, which has no kinds, there are none. */
struct mispaired {
	enum mispaired_how how;
	bool object;
	uint32_t where; /* pfn, or pa / 8 */
	uint16_t cache; /* of an object */
	uint64_t count; /* how often */
	struct page_ref call;
	uint32_t left_stack; /* PUT: the get that stays open instead, of another name; 0: none does */
	uint8_t left_ref;
};
const char *mispaired_text(enum mispaired_how how);
const struct mispaired *model_mispaired(const struct model *model, size_t *nr);

#endif
