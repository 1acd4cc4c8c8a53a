/* SPDX-License-Identifier: MIT */
/*
 * leaks_items: what leaked, one by one: the audit's findings, and what the trace's own rules show. See leaks.h.
 *
 * Both look at the same pages and objects. An item of the audit is classified by the trace as well, which says which reference is
 * open, since when, and whether its holder is dead; then the trace adds what the audit has not. What only one of them has carries
 * the reason why the other has not (enum leak_doubt).
 */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "leaks_priv.h"

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

bool leaks_add_items(struct leaks *leaks)
{
	uint32_t *item_of_page =
	    xcalloc(model_nr_pages(leaks->model), sizeof(*item_of_page)); /* position + 1 */

	leaks->audit = model_quiescent_audit(leaks->model);
	leaks->audit_quiescent = leaks->audit != NULL;
	if (!leaks->audit)
		leaks->audit = model_audit(leaks->model);
	if (leaks->audit)
		add_audit(leaks, item_of_page);
	add_trace(leaks, item_of_page);
	free(item_of_page);
	return excuse_unlisted(leaks);
}
