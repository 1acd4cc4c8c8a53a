/* SPDX-License-Identifier: MIT */
/*
 * leak_point: who is to blame for a leak, by where its last pointer died.
 *
 * A run is repeated, and the plugin follows every pointer to what leaked (plugin/follow.h). Of each thing it then says where the
 * last location that held it died, which frame was the last to hold it, and which functions were given it last. Two functions
 * come of that:
 *
 *     L   the one in which the last pointer was lost; not a setter that could not know what it overwrote, but who called it for that
 *     G   the last one that was given the thing itself, not an entry or a number, did not store it and did not release it
 *
 * and one of them, or L's caller, is to blame. The rules, tried in this order:
 *
 *   GIVEN_BY_ALL   G is the same for all of the group, or for all of several groups, and L is not: many callers do not all forget
 *                  the same. So may G be that was given the structure of L's that has it: walk_end(&walk)
 *   GIVEN_RELEASES one of those that were given it, or the structure that has it, is on the way to the release of others of this type
 *                  (of pages: of others that the same function allocated)
 *   CALLER         L is on the way to the release of others of this type, for other callers: the caller asked for another thing
 *   TAKEN          L took it off its last place and gave it to G, and did nothing with it after that; or G was given all of them
 *                  last, and has the name of a release; or it was L's last act, and G returns another such pointer for it
 *   LOST           L
 *
 * Of G, a function that was inlined into it and is called for the release is meant, also one of which nothing is left there.
 *
 * So `record_free(record)` that frees nothing is blamed though each of its callers lost the pointer, and
 * `uvmunmap(pagetable, va, n, 0)` is its caller's fault.
 *
 * What lies within another thing that leaked (a page-table page in its root) went with that one and has no point of its own.
 * The same holds for a reference whose page stood in an object before the get, if the object began in the same call and leaked.
 *
 * BLAME-1  nr_asked == nr_lost + nr_within + nr_held + nr_ended.
 */
#ifndef TOOLS_ANALYSIS_LEAK_POINT_H
#define TOOLS_ANALYSIS_LEAK_POINT_H

#include "leak_point_file.h"
#include "leaks.h"

enum leak_point_rule {
	LEAK_POINT_NONE,
	LEAK_POINT_GIVEN_BY_ALL,
	LEAK_POINT_GIVEN_RELEASES,
	LEAK_POINT_CALLER,
	LEAK_POINT_TAKEN,
	LEAK_POINT_LOST,
};

/* A place in the code, and how many of the group say so. */
struct leak_vote {
	const char *function; /* NULL: none */
	char place[128];      /* "file:line", or "" */
	size_t nr;
};

/* Of one group. */
struct leak_point {
	size_t nr_asked;  /* followed */
	size_t nr_lost;   /* the last pointer died */
	size_t nr_within; /* went with another thing that leaked */
	size_t nr_held;   /* something points to it still */
	size_t nr_ended;  /* nothing was told of it: not followed or, where all is, not lost */
	struct leak_vote lost, given, caller, releaser, within, blamed;
	size_t nr_places; /* functions in which the group was lost */
	enum leak_point_rule rule;
	const struct life *example; /* lost as most of the group; NULL: none was lost */
	const struct life *held;    /* one that is held; NULL */
};

struct leak_points {
	struct leak_point *list; /* one for each group of leaks */
	size_t nr;
};

/* What of the first `limit` items of each group the plugin shall follow: lines of its hooks file. */
void leak_points_want(const struct leaks *leaks, size_t limit, FILE *out);
/* The same for everything, and only what nothing leads to at the end is told. */
void leak_points_want_all(FILE *out);
/* stacks: of the run that leaks; the kernel of both is the same. The lives are sorted. */
struct leak_points leak_points_judge(const struct leaks *leaks, struct stack_table *stacks,
				     struct lives *lives, size_t limit);
void leak_points_free(struct leak_points *points);
const char *leak_point_rule_text(enum leak_point_rule rule);
/*
 * The frame to name of an address in the kernel: the innermost that is neither the books' machinery nor inlined from a
 * header; of functions inlined into each other the one in which the life (or NULL) began. False: none of the kernel's.
 */
bool leak_point_frame(struct stack_table *stacks, const struct life *life, uint64_t address,
		      struct symbol_frame *frame);

#endif
