/* SPDX-License-Identifier: MIT
 *
 * follow_priv: what the parts of follow share: lives (follow.c), locations (locations.c), frames (frames.c), the callbacks
 * that feed them (follow_code.c) and what is written at the end (follow_write.c).
 */
#ifndef PLUGIN_FOLLOW_PRIV_H
#define PLUGIN_FOLLOW_PRIV_H

#include "alias.h"
#include "follow.h"

#define LIFE_FRAMES 16
#define GIVEN_KEPT 16
#define LIVES_MAX (1U << 20)
#define LOCATIONS_MAX (1U << 22)
#define FRAME_MARKS_MAX (1U << 17)

/* The registers of the hart at hand: x[2] is its stack pointer, x[8] its frame pointer. */
struct moment {
	unsigned hart;
	const uint64_t *x;
};

enum lost_by { LOST_NOT, LOST_OVERWRITTEN, LOST_FREED, LOST_POPPED, LOST_TRAP, LOST_STACK };

struct lost {
	enum lost_by by;
	uint64_t pc;    /* behind the store, or behind the last touch of the frame that went */
	uint64_t where; /* the location */
	uint64_t when;
	uint32_t nr;
	uint64_t stack[LIFE_FRAMES];
};

/* How a function was given it: not, but as an entry or a number; as the thing itself; within a structure. */
struct given {
	uint64_t function, from; /* its entry; the return address */
	uint32_t argument;
	enum handled { HANDLED_NOT, HANDLED_ITSELF, HANDLED_WITHIN } handled;
	uint64_t when;
};

struct life {
	enum life_kind kind;
	bool alive, final; /* final: a reference whose last frame is gone */
	uint8_t
	    by_observer; /* begun by a function that only looks: it is its own, so what such a one does with it counts */
	bool lasting; /* a reference that a structure holds, by the locations that its stack stored */
	uint64_t base, bytes, index, nr_pages;
	uint64_t ref, holder;
	uint64_t nth;                      /* of those that began at this address */
	uint64_t window;                   /* of the stack on which a reference began */
	uint32_t nr_heap, nr_stack, first; /* of its locations; of stacks and saved registers: nr_stack */
	uint32_t nr_outside;               /* of nr_heap, those that are in nothing else that is followed */
	uint64_t kept;                     /* when a location outside stacks was added last */
	uint64_t got;                      /* of an object: when a reference to it was got last */
	uint32_t nr_marks, first_mark;
	uint32_t nr_born;
	uint64_t born[LIFE_FRAMES];
	struct lost location, frame;
	struct given given[GIVEN_KEPT]; /* the newest first */
	uint32_t nr_given;
};

struct location {
	uint64_t va, pc, when;
	uint32_t life, next, newer, older; /* next: in the bucket; newer, older: of the life */
	uint8_t bytes;
	bool on_stack, saved; /* saved: by a switch of stacks */
	bool inside; /* in a page or object that is followed: it leaks, too, and this may be a circle */
};

extern struct life *lives;
extern uint64_t follow_clock, follow_window;
extern uint32_t nr_lives; /* begun and not ended; lives[0] is none */
extern uint32_t lives_used;
extern uint32_t *life_heads; /* by page: the first link; 0: no life has to do with it */

/* ---- follow.c ---- */

struct moment follow_moment(unsigned hart);
struct life *life_at(uint32_t i);
/* Those of a page, one after the other: 0 ends. `*link` is the caller's place, 0 at first. */
uint32_t life_next(uint64_t index, uint32_t *link);
static inline bool life_any(uint64_t index)
{
	return life_heads[index] != 0;
}
static inline bool life_is_of_object(const struct life *life)
{
	return life->kind == LIFE_OBJECT || life->kind == LIFE_OBJECT_REFERENCE;
}
static inline bool life_is_reference(const struct life *life)
{
	return life->kind == LIFE_REFERENCE || life->kind == LIFE_OBJECT_REFERENCE;
}
/* Is this value, an alias of a page that the life has to do with, one of the life? */
static inline bool life_hit(const struct life *life, uint64_t value, enum alias_form form)
{
	return !life_is_of_object(life) || (form == ALIAS_LINEAR && value - life->base < life->bytes);
}
static inline uint64_t window_of(uint64_t va)
{
	return va & ~(follow_window - 1);
}
/* Return addresses, innermost first; returns how many. */
uint32_t follow_unwind(const struct moment *moment, uint64_t pc, uint64_t ra, uint64_t stack[LIFE_FRAMES]);
uint64_t follow_word(const struct moment *moment, uint64_t va, bool *there);

/* ---- locations.c ---- */

bool locations_init(void);
#define FILTER_BITS 20 /* words: 8 MiB of the guest, before two share a place */
extern uint16_t location_filter[1U << FILTER_BITS];
/* May there be one in this word? */
static inline bool location_any_at(uint64_t va)
{
	return location_filter[va >> 3 & ((1U << FILTER_BITS) - 1)] != 0;
}
void location_add(const struct moment *moment, uint32_t life, uint64_t va, unsigned bytes, uint64_t pc,
		  bool saved);
/*
 * What lies in [lo, hi) is gone. value: what stands in the word now, whose lives keep theirs; NULL: nothing. saving: by a switch
 * of stacks, which loses nothing of its own: a new task's stack pointer is the end of its stack, and so the address of the
 * page behind it.
 */
void locations_overwritten(const struct moment *moment, uint64_t lo, uint64_t hi, const uint64_t *value,
			   uint64_t pc, bool saving);
void locations_freed(const struct moment *moment, uint64_t lo, uint64_t hi, uint64_t pc);
/* Below the stack pointer nothing is kept. */
void locations_pop(const struct moment *moment, uint64_t pc);
extern uint32_t nr_stack_locations;
static inline void locations_popped(const struct moment *moment, uint64_t pc)
{
	if (nr_stack_locations)
		locations_pop(moment, pc);
}
/* A saved register that is loaded again. */
void locations_loaded(const struct moment *moment, uint64_t va, uint64_t pc);
void locations_forget(uint32_t life);
const struct location *location_at(uint32_t i);
/* Are there any in this page of the linear mapping? */
bool locations_on_page_of(uint64_t va);
/* Tells of each location that begins in [lo, hi). */
void locations_in(uint64_t lo, uint64_t hi, void (*tell)(const struct location *, void *), void *data);

/* ---- frames.c ---- */

bool frames_init(void);
void frame_hold(const struct moment *moment, uint32_t life, uint64_t cfa, uint64_t pc);
#define FRAME_FILTER (1U << 14)
extern uint16_t frame_filter[FRAME_FILTER]; /* frames by CFA */
static inline bool frame_any_at(uint64_t cfa)
{
	return frame_filter[cfa >> 4 & (FRAME_FILTER - 1)] != 0;
}
/* A function has returned to pc. */
void frames_popped(const struct moment *moment, uint64_t pc);
/* The kernel is entered from user mode: what was on this stack is gone. */
void frames_trap(const struct moment *moment);
void frames_stack_end(const struct moment *moment, uint64_t window);
/* Frames of other stacks than this one no longer hold it. */
void frames_other_stacks(const struct moment *moment, uint32_t life);
void frames_forget(uint32_t life);

/* ---- follow_code.c ---- */

/*
 * Within a function that only looks: what it copies is no holder. 1: but of what it allocated itself (/proc); 2: never (a
 * printer, a checker); 0: within none.
 */
uint8_t follow_observing(const struct moment *moment);
/*
 * Where the function around pc returns to, if it is a leaf: it has made no frame and called nothing since it was entered. 0: it is none,
 * or its entry was not seen. The chain of frame pointers does not have that caller.
 */
uint64_t follow_leaf_return(const struct moment *moment, uint64_t pc);

#endif
