/* SPDX-License-Identifier: MIT */
/*
 * suspect: which function forgot the release. One engine over evidence; each rule is measured.
 *
 * A wrong name costs its reader an hour, no name costs nothing. So no rule names a suspect by itself. Each looks at a group of leaked
 * things with their history and may give a candidate: a function, its line, and what it rests on. How much a rule is worth is
 * known: it was tried on kernels whose mistake is known (suspect_rules.def). The engine adds up what speaks for each function,
 *
 *     1 - (1 - 0.8)(1 - 0.5) = 0.9      same-path (0.8) and the baseline's path (0.5) name the same
 *
 * and names the best one as CERTAIN or LIKELY, or none: then the report says where to start.
 *
 * A rule is a function that reads the case and fills a candidate's `says`; what it cannot know it leaves alone. To add one: a line in
 * suspect_rules.def, the function in a file suspect_*.c, a line in the table in suspect.c, a measurement.
 *
 * SUSPECT-1  Only what is CERTAIN or LIKELY has a suspect in group->missing.
 * SUSPECT-2  What the rules found besides (where others were released) stays for the report, whoever is named.
 */
#ifndef TOOLS_ANALYSIS_SUSPECT_H
#define TOOLS_ANALYSIS_SUSPECT_H

#include "baseline.h"
#include "leak_point.h"
#include "leaks_priv.h"
#include "target/gives.h"

/* In what the code of a function differs from the baseline's; the least first. */
enum change {
	CHANGE_NONE,
	CHANGE_SEQUENCE,  /* in which order it does this */
	CHANGE_INSIDE,    /* what it does between branches */
	CHANGE_FLOW,      /* the number of branches */
	CHANGE_LINES,     /* the number of lines on which there are branches */
	CHANGE_ORDER,     /* in which order it calls the same functions */
	CHANGE_CALLS,     /* the number of calls of a function */
	CHANGE_ALL_CALLS, /* it calls a function that it did not call, or the other way round */
};

struct code_change {
	uint32_t function; /* a name of the baseline's tree */
	enum change change;
	const char *callee; /* CALLS: whom it calls on more or fewer lines */
	int32_t calls;      /* CALLS: how many more */
	uint32_t edit;      /* those of one number hang together by inlining */
};

/* A refused allocation, by the task that asked for it. */
struct refusal {
	uint64_t time;
	uint32_t stack;
	uint16_t pid;
};

/* What all groups share; made when the first rule asks for it. */
struct suspect_world {
	struct leaks *leaks;
	struct baseline *now;        /* this run, as a baseline */
	const struct baseline *then; /* NULL: none is given */
	struct call_sites *code;     /* of this run's kernel; NULL: it has none */
	struct code_shapes *shapes;  /* of it; NULL: it has none, or all of it was compiled in another way */
	struct types *types;
	struct gives *gives;
	struct refusal *refusals; /* by pid and time */
	size_t nr_refusals, refusals_capacity;
	struct leak_points points;   /* nr 0: no pointers were followed */
	struct code_change *changes; /* all that differ from the baseline */
	size_t nr_changes, changes_capacity;
	uint32_t nr_edits;
	bool changes_read;
	struct meeting *meetings; /* of the other groups, too: suspect_compare.c */
	size_t nr_meetings, meetings_capacity;
};

/* A group's others are acquired and released by calls of one function, and released through one releaser. */
struct meeting {
	uint32_t ref; /* as in struct release */
	const char *function, *releaser;
};

struct suspect_case {
	struct suspect_world *world;
	struct leaks *leaks;
	struct leak_group *group;
	const struct leak_item *item; /* the oldest */
	const struct later_event *later;
	size_t nr_later;
};

struct suspect_candidate {
	enum suspect_rule rule;
	struct missing_release says;
};

/* A rule: true when it has filled *out. */
typedef bool suspect_rule_fn(const struct suspect_case *one, struct suspect_candidate *out);

/* suspect_compare.c */
suspect_rule_fn suspect_by_comparison, suspect_by_later_events, suspect_by_holder_end, suspect_by_caller;
/* suspect_pairs.c */
suspect_rule_fn suspect_by_second_get;
/* suspect_baseline.c */
suspect_rule_fn suspect_by_baseline;
/* suspect_refusal.c */
suspect_rule_fn suspect_by_refusal;
/* last_change.c */
suspect_rule_fn suspect_by_last_change;
/* suspect_end.c */
suspect_rule_fn suspect_by_only_edit;
/* suspect_leak_point.c */
suspect_rule_fn suspect_by_leak_point;

/* Before the first group is looked at: what holds for several of them. */
void suspect_read_meetings(struct suspect_world *world);
void suspect_read_refusals(struct suspect_world *world);

/* suspect_changed.c */
struct changed {
	uint32_t function; /* a name of the baseline's tree; 0: none */
	bool branches;     /* it has others; else only what it does between them differs */
};
/* The only one of these names of the baseline's tree that has other code now; none where there are several. */
struct changed suspect_changed_of(struct suspect_world *world, const uint32_t *functions, size_t nr);
/* All functions that differ, into world->changes. */
void suspect_read_changes(struct suspect_world *world);
/*
 * The one edit that all that differs may come of; of these functions only, by name of the baseline's tree, where `in` is not NULL. NULL:
 * there are several, or none.
 */
const struct code_change *suspect_edited(const struct suspect_world *world, const bool *in);
/* suspect_body.c: the one function of the source that was edited, in the whole kernel; false: there are several, or none. */
bool suspect_only_one_edited(struct suspect_world *world, struct code_change *edit);
/* It is in the source, and nothing calls it in the code: it calls nothing any more and was inlined, call by call, into nothing. */
bool suspect_became_empty(const struct suspect_world *world, const char *function);
/* Fills a candidate: this function, with its place as far as that is known. */
void suspect_accuse(const struct suspect_world *world, const char *function, enum suspect_rule rule,
		    struct suspect_candidate *out);
/* The choice among candidates, which it takes. */
void suspect_choose(struct missing_release *says, struct suspect_candidate *candidates, size_t nr);
/* Most functions differ: two compilers, or two sets of options. */
bool suspect_is_rebuilt(const struct suspect_world *world);

/*
 * An object with a count: which reference to it was not released, its allocation and its free do not say. Of such a one only what the
 * code says counts.
 */
bool suspect_is_counted(const struct suspect_case *one);

/*
 * The innermost frame of `get` that is in `put`, too, called in the same way as far as both reach: one call of it did both. get->nr:
 * there is none, the two have nothing to do with each other. *distance: how many frames further out than the site of the put.
 */
uint32_t suspect_meeting(const struct stack_view *get, const struct stack_view *put, uint32_t *distance);

/* For the rules: the suspect is this frame of this stack; a frame behind its end is none. */
void suspect_set(struct missing_release *says, const struct stack_view *view, uint32_t frame);

#endif
