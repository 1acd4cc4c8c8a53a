/* SPDX-License-Identifier: MIT */
/*
 * leaks: what leaked, grouped, with the release that is missing.
 *
 * Two independent detectors, and a third where pointers were followed:
 *   audit   the kernel's own walk, as finding events of the last audit at a quiescent point in the trace (of the last
 *           one, if none was at a quiescent point; then it is not final)
 *   trace   an open reference whose holder is dead: PTE and TABLE of a dropped address space; KSTACK, OWNER, IO,
 *           FAULT of a reaped process; CACHE, DIRTY of an evicted inode; IO and FAULT that an audit at a quiescent
 *           point found open (no task was in the kernel then); a page with no reference at all; an object allocated
 *           for an evicted inode; of counted objects likewise: CALL, FD and CWD of a reaped process, VMA of a dropped
 *           address space, FILE of an open file that is gone
 *   pointers  it was not freed, and no pointer to it is left (leaks_pointers.c)
 * Where only one of them detects an item, the item carries the reason.
 *
 * Items of one allocation stack and one unmatched get make a group; the oldest item represents it. The missing release
 * is found by comparison, from near to far:
 *   same path     references of the same allocation stack and the same get stack that were released: by which function
 *   same get      the same get stack, whatever the allocation
 *   same function the same function acquired the same kind of reference, for other callers
 *   later put     objects: what happened next to the page for which the object was allocated
 *   place reused  pages: the place that held it (a page-table entry) was given another page meanwhile
 *   holder's end  none of this type was ever released: where the address space, kernel stack or inode ended that
 *                 still held it
 *   last change   watched runs: what released the page last, see last_change.c
 *   baseline      references of the same functions in another run
 *   code          the one function with other code than in the baseline
 *   leak point    where the last pointer died, in runs whose pointers were followed
 *   refused       what was refused next in the same call
 *   twice         it was acquired a second time by who had it
 */
#ifndef TOOLS_ANALYSIS_LEAKS_H
#define TOOLS_ANALYSIS_LEAKS_H

#include "baseline.h"
#include "growth.h"
#include "leak_point_file.h"
#include "replay/history.h"
#include "replay/model.h"
#include "suppress.h"
#include "watched.h"

/* Which detector found an item, and why the other did not. */
enum leak_doubt {
	DOUBT_NONE,
	DOUBT_HOLDER_LIVES, /* audit only: the holder still lives, the trace alone cannot tell */
	DOUBT_NO_RULE,      /* audit only: the trace has no rule for it (objects without an inode) */
	DOUBT_AFTER_AUDIT,  /* trace only: it happened after the audit */
	DOUBT_NOT_AUDITED,  /* trace only: there was no audit */
	DOUBT_AUDIT_SILENT, /* trace only: the audit checked it and did not report it */
	DOUBT_NOT_LISTED,   /* trace only, and the audit counted as many as it had no room to list */
	DOUBT_NOT_IN_TRACE, /* audit only: the trace does not know it as live */
	DOUBT_WATCHED,      /* audit only: the trace of a watched kernel has no holders */
	DOUBT_POINTERS,     /* pointers only */
	DOUBT_NR,
};
const char *leak_doubt_text(enum leak_doubt doubt);

struct leak_item {
	bool object, by_audit, by_trace, by_pointers;
	uint8_t verdict; /* of the audit, else what the trace says: OVER, UNREACH, ORPHAN, OBJ */
	uint8_t doubt;
	uint8_t kind, order; /* page */
	uint8_t ref;         /* of the unmatched get; REF_NONE: none is open */
	uint32_t where;      /* pfn, or pa / 8 */
	uint32_t alloc_stack, get_stack;
	uint64_t alloc_time, get_time;
	uint16_t alloc_pid, get_pid;
	uint16_t cache;  /* object */
	uint16_t holder; /* of the unmatched get, or of the object */
	uint32_t index;
	uint64_t holder_died;
	uint16_t inode; /* page cache: whose page; else 0 */
	uint32_t inode_index;
	uint32_t nr_open;       /* references open in the trace */
	uint32_t nr_refs;       /* unmatched gets of this page */
	uint32_t count, claims; /* of the audit */
	uint32_t let_go_stack;  /* watched runs: of the last put or unmapping (last_change.c); 0: none */
	uint32_t let_go_frame;  /* who is to blame for it, in that stack; its nr: nobody */
	bool was_unmapping;     /* a page-table entry went; else the count fell */
	uint32_t group;
};

/* An object as such; false: a page, or a reference to either. */
static inline bool leak_is_object(const struct leak_item *item)
{
	return item->object && item->ref == REF_NONE;
}

enum missing_how {
	MISSING_NONE,
	MISSING_SAME_PATH,
	MISSING_SAME_GET,
	MISSING_SAME_FUNCTION,
	MISSING_LATER_PUT,
	MISSING_HOLDER_END,
	MISSING_PLACE_REUSED,
	MISSING_LAST_CHANGE,
	MISSING_BASELINE,
	MISSING_REFUSED,
	MISSING_TWICE,
	MISSING_CONTAINER,
	MISSING_LEAK_POINT,
	MISSING_CODE,
	MISSING_FREED,
	MISSING_MISPAIRED,
};

enum suspect_rule {
	SUSPECT_NONE,
#define SUSPECT_RULE(id, name, named, right, help) SUSPECT_##id,
#include "suspect_rules.def"
#undef SUSPECT_RULE
	SUSPECT_NR,
};
/* As in suspect_rules.def: "same-path"; "none". */
const char *suspect_rule_name(enum suspect_rule rule);
const char *suspect_rule_help(enum suspect_rule rule);
/* In how many of the known mistakes (suspect_rules.def) it named a function, and in how many of them the right one. */
void suspect_rule_measured(enum suspect_rule rule, uint32_t *named, uint32_t *right);

/* Of the suspect: suspect.h. */
enum confidence { CONFIDENCE_NONE, CONFIDENCE_LIKELY, CONFIDENCE_CERTAIN };

/* Candidates that a group keeps: one of each family of rules. */
#define CONSIDERED_MAX 10

/* What a run ended in that is no leak, and by what a function belongs to that: run_end.h. */
enum run_end_how { RUN_END_NONE, RUN_END_FINDING, RUN_END_PANIC, RUN_END_LIMIT, RUN_END_GUEST };
enum end_trail {
	TRAIL_NONE,
	TRAIL_STACK,   /* it was under way: in the panic, where the finding was made */
	TRAIL_HISTORY, /* on a stack of the history of the page or object that it is about */
	TRAIL_LAST,    /* on the last stack that a task left: of a machine that did not end */
};
struct end_step {
	const char *function; /* lives as long as the symbols */
	enum end_trail trail;
};

struct missing_release {
	enum missing_how how;
	uint64_t nr, total;         /* nr of total other references were released like this */
	uint32_t put_stack;         /* where they were released */
	uint32_t get_stack;         /* SAME_FUNCTION: one such get that was released */
	const char *suspect_caller; /* the function that should have called the suspect; NULL: unknown */
	const char *suspect;        /* the function in which the release is missing; NULL: unknown */
	enum suspect_rule rule;     /* that named it; of the best candidate where it is not named */
	enum confidence confidence;
	uint32_t chance; /* per mille, by the calibration of the rules */
	struct {
		enum suspect_rule rule;
		const char *function; /* NULL: the rule only shows something */
	} considered[CONSIDERED_MAX]; /* all candidates; rule NONE ends */
	bool suspect_releases;        /* it releases others, and was not called for these */
	char *suspect_place;          /* "file:line" of its call, "" */
	const char *getter, *putter;  /* the functions that acquire and release */
	/* LATER_PUT, PLACE_REUSED, LAST_CHANGE (later_put: of one such page); nr and total still count released ones, where there are some */
	uint64_t later_nr, later_total;
	uint32_t later_put;
	const char *leak_point; /* LEAK_POINT: why this function, of those that had the last pointer */
	uint32_t end_stack;     /* HOLDER_END: where the holder ended and the reference stayed open */
	const char *example;    /* SAME_FUNCTION: the caller that acquires and releases; NULL */
	uint32_t example_pfn;   /* LATER_PUT: one page */
	uint64_t example_time;
	/* baseline */
	uint64_t baseline_nr, baseline_total;
	uint32_t baseline_put; /* node in the baseline's tree; 0: no such reference there */
	const char *
	    expected; /* BASELINE: what the suspect called there; CODE: what it calls on more or fewer lines; NULL */
	int32_t calls;        /* CODE: on how many more */
	bool only_inside;     /* CODE: it has the same branches, too */
	bool other_order;     /* CODE: its calls are the same, in another order */
	enum end_trail trail; /* CODE: by what it belongs to the run's end */
};

/* Of a group: how many rules said something, and how many of them name the suspect besides the one that speaks most for it. */
size_t missing_nr_considered(const struct missing_release *missing);
uint32_t missing_nr_agreeing(const struct missing_release *missing);

struct leak_group {
	size_t *items; /* positions, oldest first */
	size_t nr_items, capacity;
	uint64_t nr_pages, nr_refs, bytes;
	uint64_t nr_by_audit, nr_by_trace, nr_by_pointers;
	uint64_t first_time, last_time;
	size_t container; /* position + 1 of the group of which these are a part; 0: none */
	struct missing_release missing;
	struct page_history history; /* of the representative page; nr 0 for objects */
};

struct leak_incident {
	struct trace_record record;        /* a finding */
	const struct mispaired *mispaired; /* MISPAIRED, which only a complete trace shows; else NULL */
	const char *suspect; /* MISPAIRED: the function that named it wrongly (suspect_pairs.c) */
};

#define END_STARTS_MAX 6

/* For a panic, a finding that is no leak, a machine that did not end, a guest that failed without a leak: who is the suspect. */
struct run_end {
	enum run_end_how how;
	struct missing_release says;            /* CODE, FREED, or nobody */
	uint32_t freed_stack;                   /* FREED: of the free */
	struct end_step starts[END_STARTS_MAX]; /* where to start, if there is no suspect */
	bool start_differs[END_STARTS_MAX];     /* it has other code than the baseline's */
	size_t nr_starts;
	bool same_code; /* no function is known to have other code than the baseline's */
};

struct leak_span {
	uint64_t from, to; /* ticks, both included */
};

struct leak_sum {
	uint64_t pages, objects, bytes;
};

/*
 * What to look at and what to compare with; all zero but pid = -1: everything. A leak belongs to the instant, and to
 * the pid, of its unmatched get. Findings that are not leaks are never left out: they say that memory is broken.
 */
struct leaks_query {
	const struct baseline *baseline; /* how it was without this leak; NULL */
	const struct leak_span *spans;   /* acquired in one of these; nr_spans 0: any time */
	size_t nr_spans;
	int32_t pid;                       /* acquired by; -1: any */
	const char *kind;                  /* page kind or slab cache; NULL: any */
	struct suppressions *suppressions; /* NULL; gets its counts */
};

struct leaks {
	struct model *model;
	const struct leaks_query *query; /* never NULL */
	struct stack_table *stacks;
	struct leak_item *items;
	size_t nr_items, items_capacity;
	struct leak_group *groups; /* largest first, containers.c */
	size_t nr_groups, groups_capacity;
	struct growth growth;            /* reachable, and no leak */
	const struct audit_state *audit; /* NULL: none in the trace */
	bool audit_quiescent;            /* it was at a quiescent point */
	uint64_t nr_pages, nr_objects, bytes;
	uint64_t nr_doubts[DOUBT_NR];
	uint64_t unlisted;     /* findings that the audit counted but did not record */
	uint64_t nr_disproved; /* findings of a non-quiescent audit, freed later by the complete trace */
	uint64_t
	    nr_followed; /* pages, objects, references that lived at the end of a run whose pointers were followed */
	struct lives *lives;  /* what was followed, in this run or when it was repeated; NULL */
	bool pointers_unread; /* they were followed, and what came of it cannot be read */
	bool narrowed;        /* the query leaves some out */
	struct leak_sum left_out, suppressed;
	/* Different findings that are faults, not leaks: of the audits, and references that do not pair. */
	struct leak_incident *incidents;
	size_t nr_incidents, incidents_capacity;
	struct run_end end;
	struct watched *watched;           /* of a watched run; NULL: none */
	const struct ram_audit *ram_audit; /* its audit; NULL: none */
	char *no_audit;                    /* why a watched run has none; NULL */
	int status;                        /* STATUS_* */
};

/*
 * Why the verdict is neither leaks nor no leaks: what is missing of the evidence. NULL: it is certain.
 * Leaks are proven by the findings of an audit at a quiescent point, and by an open reference of a dead holder in a complete
 * trace; no leaks, by an audit at a quiescent point without findings in a complete trace of a machine that ended by itself.
 */
const char *leaks_uncertain(const struct leaks *leaks);

/* query NULL: everything. It and what it points to must live as long as the answer. */
struct leaks *leaks_find(struct model *model, struct stack_table *stacks, const struct leaks_query *query);
void leaks_free(struct leaks *leaks);
/*
 * The file in which the plugin says what became of the pointers, when the run was recorded, or when it was repeated and the repetition
 * was the same (LEAK_POINTS_REPEATED in its folder); NULL: none were followed. Caller frees.
 */
char *leaks_pointers_file(const struct run *run);
#define LEAK_POINTS_REPEATED "why/leak-points-of-run"

#endif
