/*
 * model: the machine's books, kept from the trace: what is live, who holds it, and how references were settled.
 *
 * Pages are an array by pfn, open references nodes of one pool, objects a hash table of the live ones, sites arrays
 * by stack id: memory grows with what is live and with the number of stacks, not with the number of events.
 *
 * A page's life is double-entry book-keeping: page_alloc and page_get open an entry (ref, holder), page_put settles
 * it. Harts record an act shortly after they did it, so records of two harts may stand in the wrong order by a little:
 * a put may come before its get. Such a put is kept as an early put and settles the get when that comes.
 *
 * MODEL-1  entries of a page = its open references and its early puts; the sum of the former minus the latter is the
 *          page's count once both harts' records are in.
 * MODEL-2  each settled entry is counted once, under (allocation stack, get stack, put stack, ref): these are the
 *          healthy lives that a lost one is compared with.
 */
#ifndef TOOLS_REPLAY_MODEL_H
#define TOOLS_REPLAY_MODEL_H

#include "ctf/merge.h"

#define NODE_NONE 0U

struct page_ref {
	uint32_t next; /* node; NODE_NONE ends */
	uint32_t stack;
	uint64_t time;
	uint32_t index;
	uint16_t holder;
	uint16_t pid; /* who took it */
	uint8_t ref;
	bool early_put; /* a put whose get has not come yet */
	bool first;     /* came with page_alloc */
};

enum page_life { LIFE_UNKNOWN, LIFE_LIVE, LIFE_FREE };

struct page_state {
	uint8_t life; /* enum page_life */
	uint8_t kind;
	uint8_t order;
	uint16_t count; /* after the last record of it */
	uint16_t alloc_pid;
	uint16_t inode; /* the page cache's: of the first CACHE reference, kept when that is gone */
	uint32_t inode_index;
	uint32_t refs; /* node */
	uint32_t alloc_stack;
	uint64_t alloc_time;
	uint64_t last_time;
};

struct object_state {
	uint32_t obj; /* pa / 8; 0: empty slot */
	uint32_t stack;
	uint64_t time;
	uint32_t index;
	uint16_t holder;
	uint16_t cache;
	uint16_t pid;
};

/* How many entries of one make were settled in one way. For objects: ref REF_NR, get the allocation, put the free. */
struct settlement {
	uint32_t alloc_stack, get_stack, put_stack;
	uint32_t ref;   /* REF_NR + 1 + cache for objects */
	uint64_t count; /* 0: empty slot */
};
#define SETTLED_OBJECT(cache) (REF_NR + 1U + (cache))

/* One allocation stack. */
struct site {
	uint64_t allocs, frees; /* acts */
	uint64_t pages_live, pages_peak;
	uint64_t pages_taken, pages_returned;
	uint64_t page_ticks,
	    object_ticks; /* how long the returned pages, the freed objects lived, added up */
	uint64_t objects_live, objects_peak;
	uint64_t object_allocs, object_frees;
	uint64_t objects_at_mark; /* live when the last test ended */
	uint32_t marks_grown, marks_shrunk;
};

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

struct cache_state {
	bool known;
	char name[13];
	uint32_t object_bytes;
	uint64_t live, allocs, frees;
};

struct audit_state {
	bool done;
	uint64_t time;
	struct trace_record record; /* audit_done */
	struct trace_record *findings;
	size_t nr_findings, capacity;
};

struct test_mark {
	char name[17];
	uint64_t begin, end;        /* end 0: never ended */
	int64_t net_begin, net_end; /* pages freed minus pages taken since the trace began */
	int64_t net_after;          /* at the audit that followed; without one, at the end */
	uint32_t nr_findings;       /* of audits inside or right after, before the next test */
	uint32_t nr_audits;
	bool quiet;
};

/* What a mark record begins; its counts are still 0. */
struct test_mark test_mark_begin(const struct trace_record *record);

struct model {
	struct run *run;
	struct page_state *pages; /* by pfn - first_pfn */
	uint32_t first_pfn, nr_pages;
	uint32_t seen_pages;    /* above this index nothing was ever touched */
	struct page_ref *nodes; /* [0] is not used */
	size_t nr_nodes, nodes_capacity;
	uint32_t free_node;
	size_t open_nodes;
	struct object_state *objects;
	size_t objects_mask, nr_objects;
	struct settlement *settled;
	size_t settled_mask, nr_settled;
	struct site *sites; /* by stack id */
	uint32_t nr_sites;
	struct cache_state *caches;              /* by number */
	struct holder_life *pids, *mms, *inodes; /* 65536 each */
	struct test_mark *tests;
	size_t nr_tests, tests_capacity;
	int64_t open_test; /* position, -1: none */
	struct audit_state pending, last, last_quiet;
	struct trace_record *incidents; /* findings of non-leak verdicts, first 256 */
	size_t nr_incidents, incidents_capacity;

	uint64_t nr_events;
	uint64_t by_event[EVENT_ID_MAX];
	uint64_t first_time, last_time;
	uint64_t out_of_order; /* records whose count before was not the count after of the one before */
	uint64_t unmatched_puts;
	int64_t net_pages; /* freed minus taken */
	int64_t pages_by_kind[PK_NR];
	int64_t sample_offset; /* free pages = net_pages + this */
	bool sampled;
	uint64_t nr_samples;
	int64_t sample_worst; /* largest difference between a sample and the replay */
	int64_t last_sample;
	char panic[17];
	uint64_t panic_time;
	uint64_t ooms, fails_injected;
};

/* What happened, for those who draw or print while the model replays; may be NULL. Called after the model's own work. */
struct model_watch {
	void (*event)(void *arg, const struct model *model, const struct trace_record *record,
		      uint32_t stream);
	void *arg;
};

struct model *model_replay(struct run *run, const struct model_watch *watch);
/* The books as they stood at `until`: records of later times are not looked at. */
struct model *model_replay_to(struct run *run, const struct model_watch *watch, uint64_t until);
void model_free(struct model *model);

static inline struct page_state *model_page(struct model *model, uint32_t pfn)
{
	return pfn - model->first_pfn < model->nr_pages ? &model->pages[pfn - model->first_pfn] : NULL;
}
static inline const struct page_ref *model_ref(const struct model *model, uint32_t node)
{
	return &model->nodes[node];
}
/* NULL: not live. */
const struct object_state *model_object(const struct model *model, uint32_t obj);
/* NULL when the ref's holder is no process, address space or inode. */
const struct holder_life *model_holder(const struct model *model, uint32_t ref, uint16_t holder);
/* When the holder of a reference taken at `time` ended, or 0: it lives, or nobody knows. */
uint64_t model_holder_death(const struct model *model, uint32_t ref, uint16_t holder, uint64_t time);
/* Free pages now, -1 before the first sample. */
int64_t model_free_pages(const struct model *model);
/* The test running at `time`, or NULL. */
const struct test_mark *model_test_at(const struct model *model, uint64_t time);
/* "0x80f12 000" -> pfn: a physical or kernel address, or a page frame number. */
bool model_parse_page(const char *text, uint32_t *pfn);

#endif
