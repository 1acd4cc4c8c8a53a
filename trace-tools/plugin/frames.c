/* SPDX-License-Identifier: MIT
 *
 * frames: the functions under way that hold a life; see follow.h.
 *
 * A mark says: the frame with this CFA holds that life, and touched it last at pc. When a function has returned, the stack pointer
 * is its frame's CFA, so a hash by CFA finds the marks that are gone. When the last one goes and no location is left, the life is
 * lost. A reference is one frame's obligation: it is lost when its last frame goes, whatever locations are left.
 */
#include <stdlib.h>

#include "bounds.h"
#include "follow_priv.h"
#include "qemu_api.h"

#define BUCKETS (1U << 12)
#define FILTER (1U << 14)
#define FRAME_SPAN 8192 /* a frame further above the stack pointer is none of this stack */

/* In a bucket with those of its stack, and in the list of its life; a filter counts them by CFA. */
struct mark {
	uint64_t cfa, pc;
	uint32_t life, next, sibling;
};

static struct mark *marks;
static uint32_t marks_used = 1, free_mark;
static uint32_t buckets[BUCKETS];
static uint16_t filter[FILTER];

bool frames_init(void)
{
	marks = calloc(FRAME_MARKS_MAX, sizeof(*marks));
	return marks != NULL;
}

static uint32_t *bucket_of(uint64_t window)
{
	return &buckets[(window >> 12) * 0x9e3779b97f4a7c15ULL >> 52];
}

static uint16_t *filter_of(uint64_t cfa)
{
	return &filter[cfa >> 4 & (FILTER - 1)];
}

bool frame_any_at(uint64_t cfa)
{
	return *filter_of(cfa) != 0;
}

static uint32_t find(uint32_t life, uint64_t cfa)
{
	uint32_t k = life_at(life)->first_mark;

	while (k && marks[k].cfa != cfa)
		k = marks[k].sibling;
	return k;
}

static void add(uint32_t i, uint64_t cfa, uint64_t pc)
{
	uint32_t k = free_mark, *bucket = bucket_of(window_of(cfa - 1));
	struct life *life = life_at(i);

	if (*filter_of(cfa) == UINT16_MAX)
		return;
	if (k)
		free_mark = marks[k].next;
	else if (marks_used < FRAME_MARKS_MAX)
		k = marks_used++;
	else
		return;
	marks[k] = (struct mark){cfa, pc, i, *bucket, life->first_mark};
	*bucket = life->first_mark = k;
	++*filter_of(cfa);
	life->nr_marks++;
}

void frame_hold(const struct moment *moment, uint32_t i, uint64_t cfa, uint64_t pc)
{
	uint64_t sp = moment->x[REG_SP];
	uint32_t k = find(i, cfa);

	if (life_at(i)->final || cfa < sp ||
	    (window_of(cfa - 1) != window_of(sp - 1) && cfa - sp > FRAME_SPAN))
		return;
	if (k)
		marks[k].pc = pc;
	else
		add(i, cfa, pc);
}

/* The mark at this place of its bucket, out of everything. */
static struct mark take(uint32_t *at)
{
	uint32_t k = *at;
	struct mark mark = marks[k];
	struct life *life = life_at(mark.life);
	uint32_t *sibling = &life->first_mark;

	*at = mark.next;
	while (*sibling != k)
		sibling = &marks[*sibling].sibling;
	*sibling = mark.sibling;
	--*filter_of(mark.cfa);
	life->nr_marks--;
	marks[k].next = free_mark;
	free_mark = k;
	return mark;
}

/* One holder less. `back`: where the function returned to; 0: it did not return. */
static void frame_gone(const struct moment *moment, const struct mark *mark, enum lost_by by, uint64_t back)
{
	struct life *life = life_at(mark->life);

	bool passing = life->kind == LIFE_REFERENCE && !life->lasting;

	if (life->nr_marks || (life->nr_heap && !passing))
		return;
	life->frame = (struct lost){.by = by, .pc = mark->pc, .where = mark->cfa, .when = follow_clock};
	life->frame.nr = follow_unwind(moment, mark->pc, back, life->frame.stack);
	life->final = passing;
}

void frames_popped(const struct moment *moment, uint64_t pc)
{
	uint64_t sp = moment->x[REG_SP], result = moment->x[REG_A0];
	enum alias_form form = ALIAS_LINEAR;
	uint64_t alias = alias_of(result, 8, &form);
	uint32_t *first = bucket_of(window_of(sp - 1));

	for (uint32_t *at = first; *at;) {
		if (marks[*at].cfa != sp) {
			at = &marks[*at].next;
			continue;
		}
		struct mark mark = take(at);
		const struct life *life = life_at(mark.life);
		/* It was returned: now the caller has it. The new mark goes in front. */
		if (alias && alias - 1 - life->index < life->nr_pages && life_hit(life, result, form)) {
			frame_hold(moment, mark.life, moment->x[REG_FP], pc);
			at = first;
		}
		frame_gone(moment, &mark, LOST_POPPED, pc);
	}
}

static void stack_gone(const struct moment *moment, uint64_t window, uint64_t upto, enum lost_by by)
{
	for (uint32_t *at = bucket_of(window); *at;) {
		if (window_of(marks[*at].cfa - 1) != window || marks[*at].cfa > upto) {
			at = &marks[*at].next;
			continue;
		}
		struct mark mark = take(at);
		frame_gone(moment, &mark, by, 0);
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
		uint64_t stack = window_of(marks[k].cfa - 1);
		next = marks[k].sibling;
		if (!all && stack == window)
			continue;
		uint32_t *at = bucket_of(stack);
		while (*at != k)
			at = &marks[*at].next;
		take(at);
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
