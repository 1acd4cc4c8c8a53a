/* SPDX-License-Identifier: MIT */
/* leaks, inside: leaks_items.c finds, leaks.c groups, leaks_query.c leaves out, leaks_incidents.c has the rest, suspect.c finds out who forgot the release. */
#ifndef TOOLS_ANALYSIS_LEAKS_PRIV_H
#define TOOLS_ANALYSIS_LEAKS_PRIV_H

#include "leaks.h"

uint64_t leak_item_bytes(const struct leaks *leaks, const struct leak_item *item);
/* Takes out of the items what the query does not ask for, and what a suppression covers; before they are grouped. */
void leaks_leave_out(struct leaks *leaks);
/* True when a suppression covers this allocation stack. */
bool leaks_suppressed(const struct leaks *leaks, uint32_t stack);

/*
 * leaks_items.c: chooses the audit, and adds what it and the trace show. True: each finding that the audit only counted is known from
 * the trace.
 */
bool leaks_add_items(struct leaks *leaks);
/* What the trace knows of a page (pfn) or object (pa / 8) that lives; false: it does not. */
bool leaks_classify(const struct leaks *leaks, bool object, uint32_t where, struct leak_item *item);
/* leaks_holders.c: what the number of an object's holder is the number of, by its cache, as for a reference; REF_NONE: of nothing that ends. */
uint32_t leaks_holder_kind(const struct leaks *leaks, uint32_t cache);
/* When an object's holder ended, which it should not have outlived; 0: it did not, or that is not certain. */
uint64_t leaks_object_holder_death(const struct leaks *leaks, const struct object_state *object);
/* leaks_pointers.c: marks what the pointers show, too, and adds what they alone show. */
void leaks_add_pointers(struct leaks *leaks);

/* Each fault once; none is left out by a query. */
void leaks_take_incidents(struct leaks *leaks);
/* containers.c: puts groups under those of which they are a part; gives them these's suspect. */
void containers_order(struct leaks *leaks);
void containers_inherit(struct leaks *leaks);
void containers_named_first(struct leaks *leaks);

struct suspect_world;
struct suspect_world *suspect_world_new(struct leaks *leaks);
void suspect_world_free(struct suspect_world *world);
/* Fills group->missing. `later`: what happened afterwards to its items. */
void suspect_find(struct suspect_world *world, struct leak_group *group, const struct later_event *later,
		  size_t nr_later);

/* The same of what the run ended in. */
void suspect_find_end(struct suspect_world *world, struct run_end *end);

/* suspect_pairs.c: the function that named a reference otherwise than its other half. */
const char *mispaired_suspect(const struct leaks *leaks, const struct mispaired *mispaired);

/* last_change.c, of a watched run: before the items are grouped. */
void last_change_find(struct leaks *leaks);
/* The function that is to blame for an item by its last change; NULL: none. */
const char *last_change_suspect(const struct leaks *leaks, const struct leak_item *item);

#endif
