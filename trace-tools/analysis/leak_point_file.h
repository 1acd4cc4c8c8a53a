/* SPDX-License-Identifier: MIT */
/*
 * leak_point_file: what the plugin found of the lives that it followed (plugin/follow_write.c), read.
 *
 * Addresses are the kernel's; those of code are return addresses, or lie behind a store in the same way.
 */
#ifndef TOOLS_ANALYSIS_LEAK_POINT_FILE_H
#define TOOLS_ANALYSIS_LEAK_POINT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIFE_FRAMES 16
#define LIFE_GIVEN 16
#define LIFE_HELD 8

enum life_kind { LIFE_PAGE, LIFE_OBJECT, LIFE_REFERENCE, LIFE_OBJECT_REFERENCE };
enum life_lost { LOST_NOT, LOST_OVERWRITTEN, LOST_FREED, LOST_POPPED, LOST_TRAP, LOST_STACK };

struct life_end {
	enum life_lost by;
	uint64_t pc, where, when;
	uint32_t nr;
	uint64_t stack[LIFE_FRAMES]; /* innermost first */
};

/* How a function was given it: not (a page-table entry, a number), as the thing itself, in a structure. */
enum life_handled { HANDLED_NOT, HANDLED_ITSELF, HANDLED_WITHIN };

struct life_given {
	uint64_t function, from, when;
	uint32_t argument;
	enum life_handled handled;
};

struct life_held {
	uint64_t va, by, in; /* the location, who stored it, the followed thing that it is in or 0 */
};

struct life {
	enum life_kind kind;
	uint64_t base, bytes, pfn, ref, holder, nth;
	uint32_t nr_heap, nr_frames; /* of what holds it still */
	uint32_t nr_outside;         /* of nr_heap, those in nothing that was followed */
	uint64_t kept;               /* when a location was added last */
	uint32_t nr_born;
	uint64_t born[LIFE_FRAMES];
	struct life_end location, frame;     /* the death of the last location, of the last frame */
	struct life_given given[LIFE_GIVEN]; /* the newest first */
	uint32_t nr_given;
	struct life_held held[LIFE_HELD];
	uint32_t nr_held;
};

static inline bool life_is_reference(const struct life *life)
{
	return life->kind == LIFE_REFERENCE || life->kind == LIFE_OBJECT_REFERENCE;
}
/* Is it known by the address of an object? Else by a page. */
static inline bool life_is_of_object(const struct life *life)
{
	return life->kind == LIFE_OBJECT || life->kind == LIFE_OBJECT_REFERENCE;
}

/* What was done with a page or object, and where. */
struct page_act {
	uint64_t va,
	    pc; /* the word that was stored, or that points to it; 0: of a free, of a reference that was acquired */
	uint32_t nr;
	uint64_t stack[LIFE_FRAMES];
};

#define FREED_DANGLING 16
#define FREED_ACTS 4

/* A page or object that was freed too early: plugin/freed.h. */
struct freed_range {
	bool object;
	uint64_t pa, bytes, nth;
	struct page_act by, dangling[FREED_DANGLING], used[FREED_ACTS], again[FREED_ACTS];
	uint32_t nr_by, nr_dangling, nr_used, nr_again;
	struct page_act before,
	    since[FREED_DANGLING]; /* a free of a life before, and what leads to it from then on */
	uint32_t nr_before, nr_since;
};

struct lives {
	struct life *list;
	size_t nr, capacity;
	struct freed_range *freed;
	size_t nr_freed, freed_capacity;
	uint64_t
	    of; /* all were followed, so many lived at the end, and these are what nothing leads to; 0: these were asked for */
};

/* False, and what is wrong in *error (caller frees): no file, or not whole. */
bool lives_read(struct lives *lives, const char *path, char **error);
void lives_free(struct lives *lives);

#endif
