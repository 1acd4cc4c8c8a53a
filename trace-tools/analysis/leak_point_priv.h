/* SPDX-License-Identifier: MIT */
/*
 * leak_point, inside. A group of leaks is judged in steps, each in a file of its own:
 *
 *	leak_point_want.c	what is followed when the run is repeated, and which life an item of a group became
 *	leak_point_within.c	which lives went with another thing that leaked: these have nothing to say
 *	leak_point_hear.c	testimony: what each of the others says, alone: in which function it was lost, who was given it, who called
 *	leak_point_code.c	whether the function that overwrote the last pointer could know it, by its instructions
 *	leak_point.c		blame: votes of the group, the rules, and what several groups say together
 *
 * Example, fault 07: pagecache_sync() gives each record that it has written to write_record(), which does not free it. Each record's
 * life says: lost in pagecache_sync, given to write_record last. All of the group say so, and the rule "taken" makes one verdict of it.
 */
#ifndef TOOLS_ANALYSIS_LEAK_POINT_PRIV_H
#define TOOLS_ANALYSIS_LEAK_POINT_PRIV_H

#include <string.h>

#include "describe/code.h"
#include "describe/kd.h"
#include "leak_point.h"
#include "target/gives.h"

/* What judging needs everywhere. */
struct judge {
	const struct leaks *leaks;
	struct stack_table *stacks;
	const struct lives *lives;
	struct kd *kd;
	struct gives *gives;
	struct types *types; /* leak_point_code.c opens both when it is asked first */
	struct code *code;
	bool no_types;
	struct known_releaser *known; /* asked before */
	size_t nr_known, known_capacity;
};

struct known_releaser {
	uint32_t type;
	const char *function, *site; /* site: of what was allocated there; NULL: anywhere */
	bool releases;
};

/* ---- leak_point_want.c ---- */

void lives_sort(struct lives *lives);
/* NULL: it has ended. Of several references of a page the one with the item's kind and holder. Lives are sorted. */
const struct life *life_of(const struct lives *lives, const struct leak_item *item);

/* ---- leak_point_within.c ---- */

/* The thing that leaked, too, and has this life's last pointers; NULL: it was lost by itself. */
const struct life *life_went_with(const struct judge *judge, const struct leak_item *item,
				  const struct life *life);

/* ---- leak_point_hear.c ---- */

/* The frames of an address, innermost first; 0: it is none of the kernel's. */
size_t leak_point_frames(struct stack_table *stacks, uint64_t address, const struct symbol_frame **frames);
/* Is it one of the functions that were under way when the life began? */
bool leak_point_born_in(struct stack_table *stacks, const struct life *life, const char *function);

/* What the life says by itself. */
struct testimony {
	const struct life *life;
	struct leak_vote lost, given, caller;
	struct leak_vote
	    releaser; /* of those that were given it, the last one that releases others of its type */
	struct leak_vote within; /* the last that was given the structure of L's that has it */
	bool born_there;         /* L was under way when it began: it is L's own */
	bool taken_and_given;    /* L took it off its last place, gave it to G, and did not touch it again */
};

struct testimony testimony_hear(struct judge *judge, const struct leak_item *item, const struct life *life);
/* Is this function on the way to the release of others of the item's type? */
bool releases_others(struct judge *judge, const struct leak_item *item, const char *function);
/* Is it called for what it takes back? */
bool names_a_release(const char *function);

/* ---- leak_point_code.c ---- */

/* Where in the stack of the last location's death is the frame that knew what it overwrote, or had it overwritten? nr: it cannot be told. */
uint32_t leak_point_knower(struct judge *judge, const struct life *life, struct symbol_frame *knower);
void leak_point_code_close(struct judge *judge);

static inline bool same_function(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

/* A task holds it while it works on the page; others are held by structures. */
static inline bool is_passing(uint32_t ref)
{
	return ref == REF_IO || ref == REF_FAULT || ref == REF_CALL;
}

/* The death that counts: the frame's, which is the later one, or that of a location which nobody held in a frame. */
static inline const struct life_end *end_of(const struct life *life)
{
	return life->frame.by && life->frame.when >= life->location.when ? &life->frame : &life->location;
}

#endif
