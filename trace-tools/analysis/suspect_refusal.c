/* SPDX-License-Identifier: MIT */
/*
 * suspect_refusal: where unwinding forgot. See suspect.h.
 *
 * A call that fails half way must give back what it had. What was refused has a stack, and so has what leaked; where the two part is
 * the call that had the one and was refused the other:
 *
 *     leaked    page_alloc < pt_create < mm_create   < mm_fork < sys_fork
 *     refused   kmem_cache_alloc < vma_copy          < mm_fork < sys_fork      ->  mm_fork
 *
 * Where others of the same get were released within such a call, but further in, by what it calls to give back, that may have forgotten as
 * well: then it is only shown.
 *
 * It counts only where others of the same path were released (the way without an error is all right), and where the next refusal of
 * nearly every leaked one met it in the same function.
 */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "ctf/merge.h"
#include "suspect.h"

/* So many of the leaked ones, in percent, must have been followed by a refusal that met them in one function. */
#define ENOUGH_PERCENT 80

static int compare_refusals(const void *a, const void *b)
{
	const struct refusal *left = a, *right = b;

	if (left->pid != right->pid)
		return left->pid < right->pid ? -1 : 1;
	return left->time < right->time ? -1 : left->time > right->time;
}

static void note_refusals(void *arg, const struct trace_record *records, size_t nr, uint32_t hart)
{
	struct suspect_world *world = arg;

	for (size_t i = 0; i < nr; i++) {
		if (records[i].event != EV_oom && records[i].event != EV_fail_injected)
			continue;
		ARRAY_PUSH(world->refusals, world->nr_refusals, world->refusals_capacity) = (struct refusal){
		    records[i].time, records[i].stack, records[i].payload.ev_payload_task_fork.pid};
	}
}

void suspect_read_refusals(struct suspect_world *world)
{
	merge_visit(model_run(world->leaks->model), NULL, note_refusals, world);
	if (world->nr_refusals)
		qsort(world->refusals, world->nr_refusals, sizeof(*world->refusals), compare_refusals);
}

/* The first refusal of this task from then on; NULL: there is none. */
static const struct refusal *next_refusal(const struct suspect_world *world, uint16_t pid, uint64_t time)
{
	const struct refusal wanted = {.time = time, .pid = pid};
	size_t low = 0, high = world->nr_refusals;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare_refusals(&world->refusals[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < world->nr_refusals && world->refusals[low].pid == pid ? &world->refusals[low] : NULL;
}

/* How many references of this get stack were released. */
static uint64_t nr_released(const struct suspect_case *one)
{
	const struct release *release;
	uint64_t nr = 0;

	for (size_t at = 0; (release = model_next_release(one->leaks->model, &at));)
		nr += release->get_stack == one->item->get_stack ? release->count : 0;
	return nr;
}

/* Others of this get were released within a call of this frame's function, by something further in. */
static bool is_undone_further_in(const struct suspect_case *one, const struct stack_view *leaked,
				 uint32_t frame)
{
	const struct release *release;
	uint32_t distance;

	for (size_t at = 0; (release = model_next_release(one->leaks->model, &at));) {
		if (release->get_stack != one->item->get_stack)
			continue;
		const struct stack_view *put = stack_table_get(one->leaks->stacks, release->put_stack);
		if (suspect_meeting(leaked, put, &distance) == frame && distance > 1)
			return true;
	}
	return false;
}

bool suspect_by_refusal(const struct suspect_case *one, struct suspect_candidate *out)
{
	struct leaks *leaks = one->leaks;
	const struct stack_view *leaked = stack_table_get(leaks->stacks, one->item->get_stack);
	uint32_t *nr_by_frame = xcalloc(leaked->nr + 1, sizeof(*nr_by_frame)), best = leaked->nr;
	uint32_t stack = 0, distance;

	if (!one->world->nr_refusals || !nr_released(one)) {
		free(nr_by_frame);
		return false;
	}
	for (size_t i = 0; i < one->group->nr_items; i++) {
		const struct leak_item *item = &leaks->items[one->group->items[i]];
		const struct refusal *refusal = next_refusal(one->world, item->get_pid, item->get_time);
		uint32_t frame =
		    refusal
			? suspect_meeting(leaked, stack_table_get(leaks->stacks, refusal->stack), &distance)
			: leaked->nr;
		nr_by_frame[frame]++;
		if (frame < leaked->nr && (best == leaked->nr || nr_by_frame[frame] > nr_by_frame[best])) {
			best = frame;
			stack = refusal->stack;
		}
	}
	uint64_t nr = nr_by_frame[best];
	free(nr_by_frame);
	if (best == leaked->nr || 100 * nr < ENOUGH_PERCENT * one->group->nr_items)
		return false;
	*out = (struct suspect_candidate){
	    .rule = is_undone_further_in(one, leaked, best) ? SUSPECT_REFUSED_HELPER : SUSPECT_REFUSAL,
	    .says = {.how = MISSING_REFUSED,
		     .later_nr = nr,
		     .later_total = one->group->nr_items,
		     .later_put = stack}};
	suspect_set(&out->says, leaked, best);
	return true;
}
