/* SPDX-License-Identifier: MIT */
/* freed_early: see freed_early.h. */
#include "freed_early.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uapi/layout.h>

#include "base/util.h"
#include "run_end.h"

#define PAGE_SHIFT 12
#define OBJECT_UNIT 8                     /* what an object's number in the trace counts */
#define POISON_FREE 0x6b6b6b6b6b6b6b6bULL /* kernel/include/kernel/page.h */
#define POISON_OBJ 0x5a5a5a5a5a5a5a5aULL  /* kernel/include/kernel/slab.h */

struct list {
	struct freed_early *at;
	size_t nr, capacity;
};

static void add(struct list *list, struct freed_early one)
{
	for (size_t i = 0; i < list->nr; i++) {
		const struct freed_early *known = &list->at[i];
		if (known->verdict == one.verdict && known->object == one.object && known->pa == one.pa)
			return;
	}
	if (one.pa)
		ARRAY_PUSH(list->at, list->nr, list->capacity) = one;
}

static void add_incident(struct list *list, const struct trace_record *record)
{
	uint64_t where = record->payload.ev_payload_finding.where;
	bool object = record->flags;

	switch (record->kind) {
	case VERDICT_STALE:
	case VERDICT_DBL:
	case VERDICT_POISON:
	case VERDICT_INUSE:
	case VERDICT_OBJSTALE:
		add(list, (struct freed_early){.verdict = (enum verdict)record->kind,
					       .object = object,
					       .pa = object ? where * OBJECT_UNIT : where << PAGE_SHIFT,
					       .stack = record->stack});
		break;
	default:
		break;
	}
}

static void add_audited(struct list *list, const struct audit_finding *finding)
{
	switch (finding->fault) {
	case FAULT_FREE_TWICE:
		add(list, (struct freed_early){.verdict = VERDICT_DBL, .pa = finding->pa});
		break;
	case FAULT_MAPPED_FREE:
	case FAULT_TABLE_FREE:
		add(list, (struct freed_early){.verdict = VERDICT_STALE, .pa = finding->pa});
		break;
	default:
		break;
	}
}

/* Words on the stack may be old. */
static void add_held(const struct panic_context *one, void *list)
{
	struct freed_early early = {.object = one->object, .pa = one->address - PHYS_OFFSET};

	if (one->live || (strcmp(one->found, PANIC_CONTEXT_NAMED) && strncmp(one->found, "in ", 3)))
		return;
	snprintf(early.held, sizeof(early.held), "%s", one->found);
	add(list, early);
}

/*
 * A page of our kernel is told as free when page_put returns: by then another hart may have it. And the kernel itself has a finding of each
 * page that is freed again.
 */
static void add_seen(struct list *list, const struct freed_range *range, bool watched)
{
	if (!watched && !range->object)
		return;
	if (range->nr_again)
		add(list, (struct freed_early){VERDICT_DBL, range->object, true, range->pa, 0, ""});
	if (range->nr_used)
		add(list, (struct freed_early){VERDICT_POISON, range->object, true, range->pa, 0, ""});
}

size_t freed_early_list(const struct leaks *leaks, struct freed_early **at)
{
	struct list list = {0};

	for (size_t i = 0; i < leaks->nr_incidents; i++)
		add_incident(&list, &leaks->incidents[i].record);
	for (size_t i = 0; leaks->ram_audit && i < leaks->ram_audit->nr_kept; i++)
		add_audited(&list, &leaks->ram_audit->findings[i]);
	run_end_contexts(leaks, add_held, &list);
	for (size_t i = 0; leaks->nr_followed && i < leaks->lives->nr_freed; i++)
		add_seen(&list, &leaks->lives->freed[i], model_run(leaks->model)->watched);
	*at = list.at;
	return list.nr;
}

size_t freed_early_count(const struct leaks *leaks)
{
	struct freed_early *list;
	size_t nr = freed_early_list(leaks, &list);

	free(list);
	return nr;
}

void freed_early_patterns(FILE *out)
{
	fprintf(out, "follow pattern=%#llx\nfollow pattern=%#llx\n", POISON_FREE, POISON_OBJ);
}

void freed_early_want(const struct leaks *leaks, size_t limit, FILE *out)
{
	struct freed_early *list;
	size_t nr = freed_early_list(leaks, &list);

	for (size_t i = 0; i < nr && i < limit; i++) {
		if (list[i].object)
			fprintf(out, "follow freedobj=%#" PRIx64 "\n", list[i].pa + PHYS_OFFSET);
		else
			fprintf(out, "follow freed=%#" PRIx64 "\n", list[i].pa);
	}
	if (nr)
		freed_early_patterns(out);
	free(list);
}

const struct freed_range *freed_early_of(const struct lives *lives, const struct freed_early *one)
{
	for (size_t i = 0; i < lives->nr_freed; i++) {
		if (lives->freed[i].pa == one->pa && lives->freed[i].object == one->object)
			return &lives->freed[i];
	}
	return NULL;
}
