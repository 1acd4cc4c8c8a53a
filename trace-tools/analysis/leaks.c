/* SPDX-License-Identifier: MIT */
/* leaks: finding, classifying and grouping. See leaks.h. */
#include "leaks.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "leaks_priv.h"
#include "run_end.h"

/* Objects of one group that are followed to find what happened later. */
#define LATER_EVENTS_MAX 4096

const char *leak_doubt_text(enum leak_doubt doubt)
{
	static const char *const texts[DOUBT_NR] = {
	    [DOUBT_NONE] = "audit and trace",
	    [DOUBT_HOLDER_LIVES] = "audit only: the holder is alive, so the trace cannot tell",
	    [DOUBT_NO_RULE] = "audit only: the trace has no rule for such objects",
	    [DOUBT_AFTER_AUDIT] = "trace only: it happened after the audit",
	    [DOUBT_NOT_AUDITED] = "trace only: there is no audit in it",
	    [DOUBT_AUDIT_SILENT] = "trace only: THE AUDIT CHECKED IT AND DID NOT REPORT IT",
	    [DOUBT_NOT_LISTED] =
		"audit and trace: the trace names them, the audit counted as many without listing them",
	    [DOUBT_NOT_IN_TRACE] = "audit only: THE TRACE DOES NOT KNOW IT AS LIVE",
	    [DOUBT_WATCHED] = "audit only: the trace of a watched kernel does not say who holds a page",
	    [DOUBT_POINTERS] = "pointers only: it was not freed, and no pointer to it is left",
	};
	return texts[doubt];
}

/* ---- one page ---- */

static bool is_transient(uint32_t ref)
{
	return ref == REF_IO || ref == REF_FAULT || ref == REF_CALL;
}

/* When the open file that held the reference was gone, as far as is known: it is not live, or another has its place. */
static uint64_t file_death(const struct leaks *leaks, const struct page_ref *entry)
{
	const struct object_state *file = model_object(leaks->model, entry->index);

	if (!file)
		return model_totals(leaks->model)->last_time;
	return file->time > entry->time ? file->time : 0;
}

/* How likely this open reference is a leak; 0: nothing says so. */
static int suspicion(const struct leaks *leaks, const struct page_ref *entry, uint64_t *death)
{
	*death = entry->ref == REF_FILE
		     ? file_death(leaks, entry)
		     : model_holder_death(leaks->model, entry->ref, entry->holder, entry->time);
	/* A page in a process's name may be an open file's, which its children have, too: at the end of a run nobody has. */
	if (entry->ref == REF_OWNER && model_stopped_early(leaks->model))
		*death = 0;
	if (*death)
		return 3;
	if (is_transient(entry->ref) && leaks->audit_quiescent && entry->time < leaks->audit->time)
		return 2;
	return 0;
}

/*
 * Puts the unmatched get into the item: the most suspect of these references, of equals the oldest. False: there is
 * none.
 */
static bool choose_reference(const struct leaks *leaks, const struct page_ref *refs, struct leak_item *item)
{
	int best = -1;

	for (const struct page_ref *entry = refs; entry; entry = model_next_ref(leaks->model, entry)) {
		uint64_t death;
		int level = suspicion(leaks, entry, &death);
		item->nr_open++;
		if (level >= 2) {
			item->nr_refs++;
			item->by_trace = true;
		}
		/* Among those without suspicion, a reference other than the cache's own is the likelier one. */
		if (level == 0 && entry->ref != REF_CACHE)
			level = 1;
		if (level < best || (level == best && entry->time > item->get_time))
			continue;
		best = level;
		item->ref = entry->ref;
		item->holder = entry->holder;
		item->index = entry->index;
		item->get_stack = entry->stack;
		item->get_time = entry->time;
		item->get_pid = entry->pid;
		item->holder_died = death;
	}
	return best >= 0;
}

/* A live page without a reference. */
static void choose_allocation(const struct leaks *leaks, const struct page_state *page,
			      struct leak_item *item)
{
	item->ref = REF_NONE;
	item->get_stack = page->alloc_stack;
	item->get_time = page->alloc_time;
	item->get_pid = page->alloc_pid;
	/* Where a kernel adds several references at once, the puts may be more than the gets, and the count is not 0. */
	if (leaks->audit_quiescent && page->last_time < leaks->audit->time && page->count == 0 &&
	    model_totals(leaks->model)->by_event[EV_page_put])
		item->by_trace = true;
}

static void classify_page(const struct leaks *leaks, uint32_t pfn, struct leak_item *item)
{
	const struct page_state *page = model_page(leaks->model, pfn);

	*item = (struct leak_item){.where = pfn,
				   .kind = page->kind,
				   .order = page->order,
				   .alloc_stack = page->alloc_stack,
				   .alloc_time = page->alloc_time,
				   .alloc_pid = page->alloc_pid,
				   .inode = page->inode,
				   .inode_index = page->inode_index};
	if (!choose_reference(leaks, model_refs(leaks->model, page), item))
		choose_allocation(leaks, page, item);
	if (item->by_trace)
		item->verdict = item->nr_open == 0              ? VERDICT_ORPHAN
				: item->nr_refs < item->nr_open ? VERDICT_OVER
								: VERDICT_UNREACH;
}

/* ---- the audit's findings ---- */

static void add_audit_page(struct leaks *leaks, const struct trace_record *finding, uint32_t *item_of_page)
{
	const struct trace_payload_finding *what = &finding->payload.ev_payload_finding;
	const struct page_state *page = model_page(leaks->model, what->where);
	struct leak_item item = {
	    .where = what->where, .get_stack = finding->stack, .alloc_stack = finding->stack};

	if (page && page->life == LIFE_LIVE)
		classify_page(leaks, what->where, &item);
	else
		item.doubt = DOUBT_NOT_IN_TRACE;
	item.by_audit = true;
	item.verdict = finding->kind;
	item.count = what->count;
	item.claims = what->claims;
	if (item.nr_refs == 0)
		item.nr_refs = what->count > what->claims ? what->count - what->claims : 0;
	if (item.kind == PK_PAGECACHE && !item.inode && !item.inode_index) {
		item.inode = what->holder;
		item.inode_index = what->index;
	}
	if (!item.by_trace && item.doubt == DOUBT_NONE)
		item.doubt = model_run(leaks->model)->watched ? DOUBT_WATCHED : DOUBT_HOLDER_LIVES;
	ARRAY_PUSH(leaks->items, leaks->nr_items, leaks->items_capacity) = item;
	if (page)
		item_of_page[what->where - model_first_pfn(leaks->model)] = (uint32_t)leaks->nr_items;
}

/* What the trace alone can say of an object: whether it, or what refers to it, is held by a thing that is gone. */
static bool classify_object(const struct leaks *leaks, const struct object_state *object,
			    struct leak_item *item)
{
	uint32_t kind = leaks_holder_kind(leaks, object->cache);
	bool of_inode = kind == REF_DIRTY || kind == REF_CACHE;
	uint64_t death = leaks_object_holder_death(leaks, object);

	*item = (struct leak_item){.object = true,
				   .verdict = VERDICT_OBJ,
				   .by_trace = death != 0,
				   .where = object->obj,
				   .alloc_stack = object->stack,
				   .get_stack = object->stack,
				   .alloc_time = object->time,
				   .get_time = object->time,
				   .alloc_pid = object->pid,
				   .get_pid = object->pid,
				   .cache = object->cache,
				   .holder = object->holder,
				   .index = object->index,
				   .inode = of_inode ? object->holder : 0,
				   .inode_index = of_inode ? object->index : 0,
				   .holder_died = death};
	if (choose_reference(leaks, model_object_refs(leaks->model, object), item) && item->nr_refs &&
	    item->nr_refs < item->nr_open)
		item->verdict = VERDICT_OVER;
	return item->by_trace;
}

bool leaks_classify(const struct leaks *leaks, bool is_object, uint32_t where, struct leak_item *item)
{
	const struct object_state *object = is_object ? model_object(leaks->model, where) : NULL;
	const struct page_state *page = is_object ? NULL : model_page(leaks->model, where);

	if (object)
		classify_object(leaks, object, item);
	else if (page && page->life == LIFE_LIVE)
		classify_page(leaks, where, item);
	else
		return false;
	return true;
}

static void add_audit_object(struct leaks *leaks, const struct trace_record *finding)
{
	const struct trace_payload_finding *what = &finding->payload.ev_payload_finding;
	const struct object_state *object = model_object(leaks->model, what->where);
	struct leak_item item = {
	    .object = true, .where = what->where, .alloc_stack = finding->stack, .get_stack = finding->stack};

	if (object)
		classify_object(leaks, object, &item);
	item.by_audit = true;
	item.verdict = finding->kind;
	item.count = what->count;
	item.claims = what->claims;
	if (item.nr_refs == 0)
		item.nr_refs = what->count > what->claims ? what->count - what->claims : 0;
	item.doubt = !object         ? DOUBT_NOT_IN_TRACE
		     : item.by_trace ? DOUBT_NONE
		     : item.ref || (object->holder && leaks_holder_kind(leaks, object->cache) != REF_NONE)
			 ? DOUBT_HOLDER_LIVES
			 : DOUBT_NO_RULE;
	ARRAY_PUSH(leaks->items, leaks->nr_items, leaks->items_capacity) = item;
}

/*
 * A non-quiescent audit may have looked at a page between two updates. If the trace is complete and shows that what it
 * found is free by now, or was freed and allocated again, it was no leak.
 */
static bool disproved(const struct leaks *leaks, const struct trace_record *finding)
{
	uint32_t where = finding->payload.ev_payload_finding.where;

	if (leaks->audit_quiescent || !run_complete(model_run(leaks->model)))
		return false;
	if (finding->flags) {
		const struct object_state *object = model_object(leaks->model, where);
		return !object || object->time > leaks->audit->time;
	}
	const struct page_state *page = model_page(leaks->model, where);
	return page && (page->life == LIFE_FREE ||
			(page->life == LIFE_LIVE && page->alloc_time > leaks->audit->time));
}

static void add_audit(struct leaks *leaks, uint32_t *item_of_page)
{
	const struct audit_state *audit = leaks->audit;

	for (size_t i = 0; i < audit->nr_findings; i++) {
		const struct trace_record *finding = &audit->findings[i];
		if (!verdict_is_leak(finding->kind))
			continue;
		if (disproved(leaks, finding)) {
			leaks->nr_disproved++;
			continue;
		}
		if (finding->flags)
			add_audit_object(leaks, finding);
		else
			add_audit_page(leaks, finding, item_of_page);
	}
	uint32_t counted = audit->record.payload.ev_payload_audit_done.findings;
	leaks->unlisted = counted > audit->nr_findings ? counted - audit->nr_findings : 0;
}

/* ---- the trace's own ---- */

static enum leak_doubt doubt_of_trace_item(const struct leaks *leaks, const struct leak_item *item)
{
	if (!leaks->audit)
		return DOUBT_NOT_AUDITED;
	uint64_t when = item->holder_died > item->get_time ? item->holder_died : item->get_time;
	if (when > leaks->audit->time)
		return DOUBT_AFTER_AUDIT;
	return DOUBT_AUDIT_SILENT;
}

/*
 * An audit lists so many findings and counts the rest: where the numbers are the same, both mean the same ones. False
 * when they are not.
 */
static bool excuse_unlisted(struct leaks *leaks)
{
	uint64_t nr = 0;

	for (size_t i = 0; i < leaks->nr_items; i++)
		nr += leaks->items[i].doubt == DOUBT_AUDIT_SILENT;
	for (size_t i = 0; i < leaks->nr_items && nr && nr == leaks->unlisted; i++) {
		if (leaks->items[i].doubt == DOUBT_AUDIT_SILENT)
			leaks->items[i].doubt = DOUBT_NOT_LISTED;
	}
	return nr == leaks->unlisted;
}

static void add_trace(struct leaks *leaks, const uint32_t *item_of_page)
{
	const struct model *model = leaks->model;
	const struct object_state *object;
	uint32_t first = model_first_pfn(model);
	size_t nr_audit = leaks->nr_items; /* those of the audit come first */
	struct leak_item item;

	for (uint32_t pfn = 0; model_next_live(model, &pfn); pfn++) {
		if (item_of_page[pfn - first])
			continue;
		classify_page(leaks, pfn, &item);
		if (!item.by_trace)
			continue;
		item.doubt = doubt_of_trace_item(leaks, &item);
		ARRAY_PUSH(leaks->items, leaks->nr_items, leaks->items_capacity) = item;
	}
	for (size_t at = 0; (object = model_next_object(model, &at));) {
		if (!classify_object(leaks, object, &item))
			continue;
		bool known = false;
		for (size_t k = 0; k < nr_audit && !known; k++)
			known = leaks->items[k].object && leaks->items[k].where == item.where;
		if (known)
			continue;
		item.doubt = doubt_of_trace_item(leaks, &item);
		ARRAY_PUSH(leaks->items, leaks->nr_items, leaks->items_capacity) = item;
	}
}

/* ---- groups ---- */

uint64_t leak_item_bytes(const struct leaks *leaks, const struct leak_item *item)
{
	if (item->object)
		return model_cache(leaks->model, item->cache)->object_bytes;
	return (uint64_t)PAGE_BYTES << item->order;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static struct leak_group *group_of(struct leaks *leaks, const struct leak_item *item)
{
	for (size_t i = 0; i < leaks->nr_groups; i++) {
		const struct leak_item *first = &leaks->items[leaks->groups[i].items[0]];
		if (first->object == item->object && first->alloc_stack == item->alloc_stack &&
		    first->get_stack == item->get_stack && first->ref == item->ref &&
		    first->kind == item->kind && first->cache == item->cache &&
		    same_text(last_change_suspect(leaks, first), last_change_suspect(leaks, item)))
			return &leaks->groups[i];
	}
	return &ARRAY_PUSH(leaks->groups, leaks->nr_groups, leaks->groups_capacity);
}

static int compare_items(const void *a, const void *b)
{
	const struct leak_item *left = a, *right = b;

	if (left->get_time != right->get_time)
		return left->get_time < right->get_time ? -1 : 1;
	return left->where < right->where ? -1 : left->where > right->where;
}

static int compare_groups(const void *a, const void *b)
{
	const struct leak_group *left = a, *right = b;

	if (left->bytes != right->bytes)
		return left->bytes > right->bytes ? -1 : 1;
	return left->first_time < right->first_time ? -1 : left->first_time > right->first_time;
}

static void make_groups(struct leaks *leaks)
{
	if (leaks->nr_items)
		qsort(leaks->items, leaks->nr_items, sizeof(*leaks->items), compare_items);
	for (size_t i = 0; i < leaks->nr_items; i++) {
		const struct leak_item *item = &leaks->items[i];
		struct leak_group *group = group_of(leaks, item);
		ARRAY_PUSH(group->items, group->nr_items, group->capacity) = i;
		if (group->nr_items == 1)
			group->first_time = item->get_time;
		group->last_time = item->get_time;
		group->nr_pages += item->object ? 0 : 1ULL << item->order;
		group->nr_refs += item->nr_refs;
		group->bytes += leak_item_bytes(leaks, item);
		group->nr_by_audit += item->by_audit;
		group->nr_by_trace += item->by_trace;
		group->nr_by_pointers += item->by_pointers;
		leaks->nr_pages += item->object ? 0 : 1ULL << item->order;
		leaks->nr_objects += item->object;
		leaks->bytes += leak_item_bytes(leaks, item);
		leaks->nr_doubts[item->doubt]++;
	}
	if (leaks->nr_groups)
		qsort(leaks->groups, leaks->nr_groups, sizeof(*leaks->groups), compare_groups);
	if (!model_run(leaks->model)->watched)
		containers_order(leaks);
	for (size_t g = 0; g < leaks->nr_groups; g++) {
		for (size_t i = 0; i < leaks->groups[g].nr_items; i++)
			leaks->items[leaks->groups[g].items[i]].group = (uint32_t)g;
	}
}

/* ---- the second look: histories and later events ---- */

/* What to look for in the second pass for this item; false: nothing. */
static bool later_event_of(const struct leaks *leaks, const struct leak_item *item, struct later_event *later)
{
	*later = (struct later_event){.ref = REF_DIRTY,
				      .object = item->object,
				      .holder = item->holder,
				      .index = item->index,
				      .since = item->alloc_time};
	/* Only the holder of a dirty record is an inode and a page's index. */
	if (item->object)
		return leak_is_object(item) && !strcmp(model_cache(leaks->model, item->cache)->name, "dirty");
	later->ref = item->ref;
	later->pfn = item->where;
	later->since = item->get_time;
	later->until = item->holder_died;
	return item->ref == REF_PTE || item->ref == REF_TABLE || item->ref == REF_CACHE ||
	       item->ref == REF_KSTACK;
}

static void look_again(struct leaks *leaks, struct suspect_world *world)
{
	struct page_history *pages = xcalloc(leaks->nr_groups, sizeof(*pages));
	size_t *first = xcalloc(leaks->nr_groups + 1, sizeof(*first));
	struct later_event *later = xcalloc(leaks->nr_items, sizeof(*later));
	size_t nr_later = 0;

	for (size_t g = 0; g < leaks->nr_groups; g++) {
		const struct leak_group *group = &leaks->groups[g];
		const struct leak_item *oldest = &leaks->items[group->items[0]];
		first[g] = nr_later;
		if (!oldest->object)
			pages[g] = (struct page_history){.pfn = oldest->where, .since = oldest->alloc_time};
		for (size_t i = 0; i < group->nr_items && i < LATER_EVENTS_MAX; i++)
			nr_later += later_event_of(leaks, &leaks->items[group->items[i]], &later[nr_later]);
	}
	first[leaks->nr_groups] = nr_later;
	history_collect(model_run(leaks->model), pages, leaks->nr_groups, later, nr_later);
	for (size_t g = 0; g < leaks->nr_groups; g++) {
		struct leak_group *group = &leaks->groups[g];
		group->history = pages[g];
		suspect_find(world, group, later + first[g], first[g + 1] - first[g]);
	}
	containers_inherit(leaks);
	containers_named_first(leaks);
	free(first);
	free(later);
	free(pages);
}

static void find_suspects(struct leaks *leaks)
{
	leaks->end.how = run_end_of(leaks);
	if (!leaks->nr_groups && !leaks->end.how)
		return;
	struct suspect_world *world = suspect_world_new(leaks);
	if (leaks->nr_groups)
		look_again(leaks, world);
	if (leaks->end.how)
		suspect_find_end(world, &leaks->end);
	suspect_world_free(world);
}

/* ---- the rest ---- */

/* What is allocated there is a leak already, or suppressed. */
static bool is_said(void *arg, uint32_t stack)
{
	const struct leaks *leaks = arg;

	for (size_t g = 0; g < leaks->nr_groups; g++) {
		if (leaks->items[leaks->groups[g].items[0]].alloc_stack == stack)
			return true;
	}
	return leaks_suppressed(leaks, stack);
}

const char *leaks_uncertain(const struct leaks *leaks)
{
	const struct run *run = model_run(leaks->model);

	if (leaks->status == STATUS_LEAKED || leaks->status == STATUS_OK)
		return NULL;
	if (run->is_other)
		return "the files are not those that were recorded";
	if (run_interrupted(run))
		return "the recording was interrupted";
	if (!run_complete(run))
		return "events are missing, and the release may be among them";
	if (model_stopped_early(leaks->model))
		return model_stopped_early(leaks->model);
	if (leaks->ram_audit && leaks->ram_audit->nr_reasons)
		return leaks->ram_audit->reasons[0];
	if (leaks->no_audit)
		return leaks->no_audit;
	if (!leaks->audit)
		return "there was no audit";
	if (!leaks->audit_quiescent)
		return "there was no conclusive audit: the machine was not quiescent when it was audited";
	if (leaks->pointers_unread)
		return "what came of its pointers cannot be read";
	return leaks->nr_doubts[DOUBT_POINTERS] ? "no pointer is left to what the audit did not report"
						: "the audit counted more than it listed";
}

/* all_listed: each finding that the audit only counted is known from the trace. */
static int verdict_of(const struct leaks *leaks, bool all_listed)
{
	const struct run *run = model_run(leaks->model);
	const struct ram_audit *audit = leaks->ram_audit;
	bool complete = run_complete(run), sure = leaks->nr_incidents != 0;
	bool partial = leaks->narrowed || leaks->suppressed.pages || leaks->suppressed.objects;

	if (run->is_other)
		return STATUS_CANNOT_TELL;
	for (size_t i = 0; i < leaks->nr_items && !sure; i++)
		sure = (leaks->items[i].by_audit && leaks->audit_quiescent) ||
		       (leaks->items[i].by_trace && complete) ||
		       (leaks->items[i].by_pointers && complete && !leaks->audit_quiescent && !audit);
	/* What is not certain of all is not of a part. */
	if (audit && (audit->status == STATUS_CANNOT_TELL || (audit->status == STATUS_LEAKED && !partial)))
		return audit->status;
	if (audit && audit->faulty)
		return STATUS_LEAKED;
	if (sure || (leaks->unlisted && leaks->audit_quiescent && !partial))
		return STATUS_LEAKED;
	/* What the audit did not list may be among what was asked for. */
	if (partial && leaks->unlisted && !all_listed)
		return STATUS_CANNOT_TELL;
	/* A machine that panicked or was stopped may still have released what it held. */
	return complete && leaks->audit_quiescent && !leaks->nr_items && !leaks->pointers_unread &&
		       !(audit && audit->nr_reasons) && !model_stopped_early(leaks->model)
		   ? STATUS_OK
		   : STATUS_CANNOT_TELL;
}

static void forget_suspect(struct missing_release *missing)
{
	free(missing->suspect_place);
	missing->suspect_place = NULL;
	missing->suspect = missing->suspect_caller = NULL;
	memset(missing->considered, 0, sizeof(missing->considered));
}

/* Without names there is no suspect, nor with files that are not those of the run. */
static void forget_suspects(struct leaks *leaks)
{
	for (size_t g = 0; g < leaks->nr_groups; g++)
		forget_suspect(&leaks->groups[g].missing);
	forget_suspect(&leaks->end.says);
	leaks->end.nr_starts = 0;
}

struct leaks *leaks_find(struct model *model, struct stack_table *stacks, const struct leaks_query *query)
{
	static const struct leaks_query everything = {.pid = -1};
	struct leaks *leaks = xcalloc(1, sizeof(*leaks));
	uint32_t *item_of_page = xcalloc(model_nr_pages(model), sizeof(*item_of_page)); /* position + 1 */

	leaks->model = model;
	leaks->stacks = stacks;
	leaks->query = query ? query : &everything;
	if (model_run(model)->watched) {
		leaks->watched = watched_audit(model_run(model), model, &leaks->no_audit);
		leaks->ram_audit = leaks->watched ? leaks->watched->audit : NULL;
	}
	leaks->audit = model_quiescent_audit(model);
	leaks->audit_quiescent = leaks->audit != NULL;
	if (!leaks->audit)
		leaks->audit = model_audit(model);
	if (leaks->audit)
		add_audit(leaks, item_of_page);
	add_trace(leaks, item_of_page);
	free(item_of_page);
	bool all_listed = excuse_unlisted(leaks);
	leaks_add_pointers(leaks);
	leaks_leave_out(leaks);
	if (model_run(model)->watched && leaks->nr_items)
		last_change_find(leaks);
	make_groups(leaks);
	leaks_take_incidents(leaks);
	find_suspects(leaks);
	if (model_run(model)->kernel_fault || model_run(model)->is_other)
		forget_suspects(leaks);
	/* Growth is one over many tests: it belongs to no span and no pid. */
	if (!leaks->narrowed && run_complete(model_run(model)))
		growth_find(&leaks->growth, model, is_said, leaks);
	leaks->status = verdict_of(leaks, all_listed);
	return leaks;
}

void leaks_free(struct leaks *leaks)
{
	for (size_t g = 0; g < leaks->nr_groups; g++) {
		free(leaks->groups[g].items);
		free(leaks->groups[g].history.records);
		free(leaks->groups[g].missing.suspect_place);
	}
	free(leaks->end.says.suspect_place);
	free(leaks->groups);
	free(leaks->items);
	growth_free(&leaks->growth);
	free(leaks->incidents);
	if (leaks->lives)
		lives_free(leaks->lives);
	free(leaks->lives);
	free(leaks->no_audit);
	watched_free(leaks->watched);
	free(leaks);
}
