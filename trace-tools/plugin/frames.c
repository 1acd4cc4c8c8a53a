/* SPDX-License-Identifier: MIT
 *
 * frames: the functions under way that hold a life; see follow.h.
 *
 * A mark says: the frame with this CFA holds that life, and touched it last at pc. When a function has returned, the stack pointer
 * is its frame's CFA, so a search by CFA finds the marks that are gone. One frame may hold thousands (a loop that allocates). When the last one goes and no location is left, the life is
 * lost. A reference is one frame's obligation: it is lost when its last frame goes, whatever locations are left.
 */
#include <stdlib.h>

#include "bounds.h"
#include "follow_priv.h"
#include "qemu_api.h"

#define BUCKETS (1U << 12)
#define FRAMES_MAX (1U << 16)
#define FRAME_SPAN 8192 /* a frame further above the stack pointer is none of this stack */

/* A function under way, in a bucket with those of its stack: there are never many. */
struct frame {
	uint64_t cfa;
	uint32_t first, next; /* its marks; the next frame of the bucket */
};

/* That it holds a life. In the list of its frame, and in that of its life. */
struct mark {
	uint64_t pc;
	uint32_t life, frame, next, previous, sibling;
};

static struct mark *marks;
static struct frame *frames;
static uint32_t marks_used = 1, free_mark, frames_used = 1, free_frame;
static uint32_t buckets[BUCKETS];
uint16_t frame_filter[FRAME_FILTER];

bool frames_init(void)
{
	marks = calloc(FRAME_MARKS_MAX, sizeof(*marks));
	frames = calloc(FRAMES_MAX, sizeof(*frames));
	return marks && frames;
}

static uint32_t *bucket_of(uint64_t window)
{
	return &buckets[(window >> 12) * 0x9e3779b97f4a7c15ULL >> 52];
}

static uint16_t *filter_of(uint64_t cfa)
{
	return &frame_filter[cfa >> 4 & (FRAME_FILTER - 1)];
}

/* The place in its bucket of the frame with this CFA; of 0 where there is none. */
static uint32_t *find_frame(uint64_t cfa)
{
	uint32_t *at = bucket_of(window_of(cfa - 1));

	while (*at && frames[*at].cfa != cfa)
		at = &frames[*at].next;
	return at;
}

static uint32_t make_frame(uint64_t cfa)
{
	uint32_t f = free_frame, *bucket = bucket_of(window_of(cfa - 1));

	if (*filter_of(cfa) == UINT16_MAX)
		return 0;
	if (f)
		free_frame = frames[f].next;
	else if (frames_used < FRAMES_MAX)
		f = frames_used++;
	else
		return 0;
	frames[f] = (struct frame){cfa, 0, *bucket};
	*bucket = f;
	++*filter_of(cfa);
	return f;
}

static void drop_frame(uint32_t *at)
{
	uint32_t f = *at;

	*at = frames[f].next;
	--*filter_of(frames[f].cfa);
	frames[f].next = free_frame;
	free_frame = f;
}

static void add(uint32_t life, uint64_t cfa, uint64_t pc)
{
	uint32_t k = free_mark, f = *find_frame(cfa);

	f = f ? f : make_frame(cfa);
	if (!f)
		return;
	if (k)
		free_mark = marks[k].next;
	else if (marks_used < FRAME_MARKS_MAX)
		k = marks_used++;
	else
		return;
	marks[k] = (struct mark){.pc = pc,
				 .life = life,
				 .frame = f,
				 .next = frames[f].first,
				 .sibling = life_at(life)->first_mark};
	if (frames[f].first)
		marks[frames[f].first].previous = k;
	frames[f].first = life_at(life)->first_mark = k;
	life_at(life)->nr_marks++;
}

void frame_hold(const struct moment *moment, uint32_t i, uint64_t cfa, uint64_t pc)
{
	uint64_t sp = moment->x[REG_SP];
	uint32_t k = life_at(i)->first_mark;

	if (life_at(i)->final || cfa < sp ||
	    (window_of(cfa - 1) != window_of(sp - 1) && cfa - sp > FRAME_SPAN))
		return;
	while (k && frames[marks[k].frame].cfa != cfa)
		k = marks[k].sibling;
	if (k)
		marks[k].pc = pc;
	else
		add(i, cfa, pc);
}

/* A mark out of everything; its frame stays, though it may hold nothing any more. */
static struct mark take(uint32_t k)
{
	struct mark mark = marks[k];
	struct life *life = life_at(mark.life);
	uint32_t *sibling = &life->first_mark;

	if (mark.previous)
		marks[mark.previous].next = mark.next;
	else
		frames[mark.frame].first = mark.next;
	if (mark.next)
		marks[mark.next].previous = mark.previous;
	while (*sibling != k)
		sibling = &marks[*sibling].sibling;
	*sibling = mark.sibling;
	life->nr_marks--;
	marks[k].next = free_mark;
	free_mark = k;
	return mark;
}

/* One holder less. `back`: where the function returned to; 0: it did not return. */
static void frame_gone(const struct moment *moment, const struct mark *mark, enum lost_by by, uint64_t back)
{
	struct life *life = life_at(mark->life);

	bool passing = life_is_reference(life) && !life->lasting;

	if (life->nr_marks || (life->nr_outside && !passing))
		return;
	life->frame =
	    (struct lost){.by = by, .pc = mark->pc, .where = frames[mark->frame].cfa, .when = follow_clock};
	/* Nobody is on a stack that ends: what we see is another's. */
	life->frame.nr = by == LOST_STACK ? 1 : follow_unwind(moment, mark->pc, back, life->frame.stack);
	life->frame.stack[0] = mark->pc;
	/* Also one that a structure had, or should have had: who is given the thing from now on has it by another. */
	life->final = life_is_reference(life) && (passing || !life->nr_heap);
}

/* All that a frame holds is without it now. */
static void frame_ends(const struct moment *moment, uint32_t f, enum lost_by by, uint64_t back,
		       const uint64_t *result)
{
	enum alias_form form = ALIAS_LINEAR;
	uint64_t alias = result ? alias_of(*result, 8, &form) : 0;

	for (uint32_t k; (k = frames[f].first);) {
		struct mark mark = take(k);
		const struct life *life = life_at(mark.life);
		/* It was returned: now the caller has it. */
		if (alias && alias - 1 - life->index < life->nr_pages && life_hit(life, *result, form) &&
		    moment->x[REG_FP] != frames[f].cfa)
			frame_hold(moment, mark.life, moment->x[REG_FP], back);
		frame_gone(moment, &mark, by, back);
	}
}

void frames_popped(const struct moment *moment, uint64_t pc)
{
	uint32_t f = *find_frame(moment->x[REG_SP]);

	if (!f)
		return;
	frame_ends(moment, f, LOST_POPPED, pc, &moment->x[REG_A0]);
	drop_frame(find_frame(moment->x[REG_SP]));
}

static void stack_gone(const struct moment *moment, uint64_t window, uint64_t upto, enum lost_by by)
{
	for (uint32_t *at = bucket_of(window); *at;) {
		const struct frame *frame = &frames[*at];
		if (window_of(frame->cfa - 1) != window || frame->cfa > upto) {
			at = &frames[*at].next;
			continue;
		}
		frame_ends(moment, *at, by, 0, NULL);
		drop_frame(at);
	}
}

void frames_trap(const struct moment *moment)
{
	uint64_t sp = moment->x[REG_SP];

	stack_gone(moment, window_of(sp - 1), sp, LOST_TRAP);
}

void frames_stack_end(const struct moment *moment, uint64_t window)
{
	stack_gone(moment, window, UINT64_MAX, LOST_STACK);
}

/* Takes the marks of a life out, without a word; all, or those of other stacks than `window`. */
static void drop(uint32_t life, bool all, uint64_t window)
{
	for (uint32_t k = life_at(life)->first_mark, next; k; k = next) {
		next = marks[k].sibling;
		if (all || window_of(frames[marks[k].frame].cfa - 1) != window)
			take(k);
	}
}

void frames_other_stacks(const struct moment *moment, uint32_t life)
{
	drop(life, false, window_of(moment->x[REG_SP] - 1));
}

void frames_forget(uint32_t life)
{
	drop(life, true, 0);
}
