/* SPDX-License-Identifier: MIT */
/*
 * ram_audit: the order of its parts, the verdict of each page and of the whole. See ram_audit.h.
 */
#include "ram_audit.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "ram_audit_priv.h"

/* Entries of page tables that all walks may look at: 64 M take a second, and no small kernel has a hundredth. */
#define ENTRIES_MAX (64U << 20)
#define REASONS_MAX 32
#define PAGES_MAX (4U << 20) /* 16 GiB */

const char *page_verdict_text(enum page_verdict verdict)
{
	static const char *const texts[PAGE_VERDICTS] = {"not the allocator's", "free", "held", "leaked",
							 "uncertain"};
	return texts[verdict];
}

static const struct {
	const char *id, *text;
} faults[AUDIT_FAULTS] = {
    [FAULT_FREE_TWICE] = {"double-free", "a page is on the free lists twice"},
    [FAULT_LIST_BROKEN] = {"list-broken", "a free list is damaged"},
    [FAULT_FREE_NOT_LISTED] = {"lost-from-list", "a page was freed and is on no free list"},
    [FAULT_MAPPED_FREE] = {"mapped-free", "a free page is mapped"},
    [FAULT_TABLE_FREE] = {"table-free", "a page table that is in use was freed"},
    [FAULT_TABLE_TWICE] = {"table-twice", "a page table is in its tree twice"},
    [FAULT_DEAD_TABLE] = {"dead-table", "the page table of a dead process was not freed"},
    [FAULT_OVER] = {"over", "leaked reference: a count is above the mappings"},
    [FAULT_UNDER] = {"under", "refcount underflow: a count is below the mappings"},
};

const char *audit_fault_id(enum audit_fault fault)
{
	return faults[fault].id;
}

const char *audit_fault_text(enum audit_fault fault)
{
	return faults[fault].text;
}

const char *ram_audit_holder(const struct page_holder *holder, char *buf, size_t bytes)
{
	switch (holder->kind) {
	case HOLD_ROOT:
	case HOLD_VARIABLE:
		snprintf(buf, bytes, "%s", holder->name);
		break;
	case HOLD_TABLE:
		snprintf(buf, bytes, "%s table of 0x%" PRIx64, holder->name, holder->where);
		break;
	case HOLD_LEAF:
		snprintf(buf, bytes, "%s leaf 0x%" PRIx64, holder->name, holder->where);
		break;
	case HOLD_STACK:
		snprintf(buf, bytes, "%s at 0x%" PRIx64, holder->name, holder->where);
		break;
	case HOLD_PAGE:
		snprintf(buf, bytes, "page 0x%" PRIx64 " + 0x%x", holder->where & ~(uint64_t)(PAGE_BYTES - 1),
			 (unsigned)holder->where & (PAGE_BYTES - 1));
		break;
	default:
		snprintf(buf, bytes, "nothing");
	}
	return buf;
}

/* ---- what the parts say ---- */

void ram_audit_reason(struct ram_audit *audit, const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		die("out of memory");
	va_end(args);
	for (size_t i = 0; i < audit->nr_reasons; i++) {
		if (strcmp(audit->reasons[i], text) && audit->nr_reasons < REASONS_MAX)
			continue;
		free(text);
		return;
	}
	ARRAY_PUSH(audit->reasons, audit->nr_reasons, audit->inside->reasons_capacity) = text;
	audit->status = audit->status ? audit->status : 2;
}

void ram_audit_doubt(struct ram_audit *audit)
{
	audit->status = 2;
}

void audit_note(struct ram_audit *audit, enum audit_fault fault, uint64_t pa, const char *fmt, ...)
{
	va_list args;

	if (audit->nr_by_fault[fault]++ >= FINDINGS_KEPT)
		return;
	struct audit_finding *finding = &audit->findings[audit->nr_kept++];
	finding->fault = fault;
	finding->pa = pa;
	va_start(args, fmt);
	if (vasprintf(&finding->text, fmt, args) < 0)
		die("out of memory");
	va_end(args);
}

const char *audit_name(struct ram_audit *audit, char *name)
{
	ARRAY_PUSH(audit->inside->names, audit->inside->nr_names, audit->inside->names_capacity) = name;
	return name;
}

bool audit_hold(struct ram_audit *audit, uint32_t number, struct page_holder holder)
{
	uint32_t head = audit->pages[number].head;
	bool first = false;

	for (uint32_t i = head; i < audit->nr_pages && audit->pages[i].head == head; i++) {
		struct audited_page *page = &audit->pages[i];
		if (page->listed || page->holder.kind)
			continue;
		page->holder = holder;
		first = true;
	}
	return first;
}

/* ---- the trace, page by page ---- */

struct life_watch {
	struct ram_audit *audit;
};

/*
 * Where a part of a block is freed, the pages behind that part are a block of their own: what reaches the freed part in
 * its next life does not hold them.
 */
static void split_block(const struct ram_audit *audit, struct page_life_map *map, uint32_t first,
			uint32_t behind)
{
	uint32_t head = map->head[first];

	for (uint32_t i = behind; i < audit->nr_pages && map->head[i] == head; i++)
		map->head[i] = behind;
}

/* A block that was freed may come back in parts, so each page has its own life. */
static void watch_event(void *arg, const struct model *model, const struct trace_record *record,
			uint32_t stream)
{
	struct ram_audit *audit = ((struct life_watch *)arg)->audit;
	struct page_life_map *map = &audit->inside->trace;
	uint32_t first =
	    memory_page(audit, (uint64_t)record->payload.ev_payload_page_alloc.pfn << PAGE_SHIFT);

	if (first == NO_PAGE || (!event_is_page(record->event) && !event_is_about_page(record->event)))
		return;
	map->pid[first] = record->payload.ev_payload_page_alloc.pid;
	if (record->event == EV_page_get || record->event == EV_page_put)
		map->count[first] = record->payload.ev_payload_page_alloc.after;
	if (record->event != EV_page_alloc && record->event != EV_page_free)
		return;
	split_block(audit, map, first, first + (1U << record_order(record)));
	for (uint32_t i = first; i < first + (1U << record_order(record)) && i < audit->nr_pages; i++) {
		map->life[i] = record->event == EV_page_alloc ? LIFE_LIVE : LIFE_FREE;
		map->head[i] = record->event == EV_page_alloc ? first : i;
		map->pid[i] = map->pid[first];
		map->count[i] = COUNT_UNTOLD;
	}
	if (record->event == EV_page_alloc)
		map->count[first] = record->payload.ev_payload_page_alloc.after == 1
					? COUNT_FIRST
					: record->payload.ev_payload_page_alloc.after;
	/* What is left of a larger block that began here is no part of it any more. */
	for (uint32_t i = first + (1U << record_order(record)); i < audit->nr_pages && map->head[i] == first;
	     i++)
		map->head[i] = i;
}

static void replay(struct ram_audit *audit, struct run *run)
{
	struct page_life_map *map = &audit->inside->trace;
	struct life_watch watch = {audit};

	map->life = xcalloc(audit->nr_pages, 1);
	map->head = xcalloc(audit->nr_pages, sizeof(*map->head));
	map->pid = xcalloc(audit->nr_pages, sizeof(*map->pid));
	map->count = xcalloc(audit->nr_pages, sizeof(*map->count));
	for (uint32_t i = 0; i < audit->nr_pages; i++)
		map->head[i] = i;
	audit->inside->model = model_replay(run, &(struct model_watch){watch_event, &watch});
	audit->model = audit->inside->model;
	if (!run_complete(run))
		ram_audit_reason(audit, "the trace is not complete");
}

uint32_t ram_audit_stack(const struct ram_audit *audit, uint32_t number)
{
	const struct page_state *page =
	    audit->model
		? model_page(audit->model, (uint32_t)(audit->base >> PAGE_SHIFT) + audit->pages[number].head)
		: NULL;

	return page && page->life == LIFE_LIVE ? page->alloc_stack : 0;
}

/* ---- whose the pages are ---- */

/*
 * With a trace, what was ever allocated or freed; and what is on a list. Without one, what lies between the first and the
 * last page of the lists.
 */
static void find_managed(struct ram_audit *audit)
{
	const struct page_life_map *map = &audit->inside->trace;
	uint32_t first = NO_PAGE, last = 0;

	for (uint32_t i = 0; i < audit->nr_pages; i++) {
		if (!audit->pages[i].listed)
			continue;
		first = first == NO_PAGE ? i : first;
		last = i;
	}
	for (uint32_t i = 0; i < audit->nr_pages; i++) {
		struct audited_page *page = &audit->pages[i];
		page->managed = page->listed || (map->life ? map->life[i] != LIFE_UNKNOWN
							   : first != NO_PAGE && i >= first && i <= last);
		page->head = map->head && !page->listed ? map->head[i] : i;
		audit->nr_managed += page->managed;
		/* The kernel may use less RAM than there is: behind the last page's struct page other things lie. */
		if (page->managed && ram_audit_pa(audit, i) >= audit->inside->frames_pa)
			audit->inside->nr_frames =
			    ((ram_audit_pa(audit, i) - audit->inside->frames_pa) >> PAGE_SHIFT) + 1;
	}
}

static void check_free_sets(struct ram_audit *audit)
{
	const struct page_life_map *map = &audit->inside->trace;

	if (!map->life) {
		ram_audit_reason(audit, "there is no trace to compare the free lists with");
		return;
	}
	if (!kd_item(audit->kernel->kd, KD_LIST, 0))
		return; /* lists_walk() has said so: nothing stands against the trace */
	audit->checked = true;
	for (uint32_t i = 0; i < audit->nr_pages; i++) {
		bool listed = audit->pages[i].listed != 0, freed = map->life[i] == LIFE_FREE;
		if (listed && map->life[i] == LIFE_LIVE)
			audit->inside->blind = "the trace and the free lists contradict each other";
		if (listed && !freed && audit->nr_only_listed++ == 0)
			audit->first_only_listed = ram_audit_pa(audit, i);
		if (freed && !listed && audit->nr_only_trace++ == 0)
			audit->first_only_trace = ram_audit_pa(audit, i);
	}
	if (audit->nr_only_listed)
		ram_audit_reason(audit,
				 "%" PRIu64
				 " page%s %s on the free lists that are not free in the trace, 0x%" PRIx64
				 " for one",
				 audit->nr_only_listed, plural_s(audit->nr_only_listed),
				 plural(audit->nr_only_listed, "is", "are"), audit->first_only_listed);
	if (audit->nr_only_trace)
		ram_audit_reason(audit,
				 "%" PRIu64 " page%s %s free in the trace and on no free list, 0x%" PRIx64
				 " for one",
				 audit->nr_only_trace, plural_s(audit->nr_only_trace),
				 plural(audit->nr_only_trace, "is", "are"), audit->first_only_trace);
}

/* ---- verdicts ---- */

/*
 * Whether a process that runs, or without `running` just lives, allocated the page or was the last to do something to it. The
 * registers of one that runs are elsewhere, and it may be about to free the page.
 */
static bool is_of_process(const struct ram_audit *audit, uint32_t i, bool running)
{
	const struct page_state *page =
	    audit->model
		? model_page(audit->model, (uint32_t)(audit->base >> PAGE_SHIFT) + audit->pages[i].head)
		: NULL;
	const struct page_life_map *map = &audit->inside->trace;

	for (size_t k = 0; k < audit->nr_processes; k++) {
		const struct process_view *process = &audit->processes[k];
		if ((running ? !process->asleep : !process->zombie) &&
		    (!page || !page->alloc_pid || process->pid == page->alloc_pid ||
		     (map->pid && process->pid == map->pid[i])))
			return true;
	}
	return false;
}

static enum page_verdict classify_page(struct ram_audit *audit, uint32_t i)
{
	struct audited_page *page = &audit->pages[i];
	const struct page_life_map *map = &audit->inside->trace;

	if (!page->managed)
		return PAGE_UNMANAGED;
	if (page->listed)
		return PAGE_FREE;
	/* A pointer may be a stale one; a mapping says that it is the trace that is wrong. */
	bool freed = map->life && map->life[i] == LIFE_FREE;
	if (page->holder.kind && (!freed || page->holder.kind < HOLD_VARIABLE))
		return PAGE_HELD;
	if (audit->inside->blind) {
		page->why = audit->inside->blind;
		return PAGE_UNCERTAIN;
	}
	if (freed) {
		page->why = "the trace says that it was freed, but it is on no free list";
		/* Of a list that is damaged the rest is not seen; of a trace with gaps, that it was allocated again. */
		if (run_complete(model_run(audit->model)) && !audit->nr_by_fault[FAULT_LIST_BROKEN] &&
		    !audit->nr_by_fault[FAULT_FREE_TWICE])
			audit_note(audit, FAULT_FREE_NOT_LISTED, ram_audit_pa(audit, i),
				   "no page table maps it");
		return PAGE_UNCERTAIN;
	}
	if (!page->why && is_of_process(audit, i, true))
		page->why = "a process that runs may hold it in a register, or be about to free it";
	if (!page->why && audit->inside->no_stacks && is_of_process(audit, i, false))
		page->why = "stacks of processes are not described, and one may hold it";
	if (!page->why && audit->inside->guess_tables && !audit->inside->nr_trees)
		page->why = "processes are not described and none of their page tables was found, so what "
			    "they map is not "
			    "known";
	return page->why ? PAGE_UNCERTAIN : PAGE_LEAKED;
}

/* What is so for a moment in a healthy kernel, too: between a store and the next one. A list that is broken stays so. */
static bool may_pass(enum audit_fault fault)
{
	return fault != FAULT_FREE_TWICE && fault != FAULT_LIST_BROKEN && fault != FAULT_TABLE_TWICE;
}

static void verdict_of(struct ram_audit *audit)
{
	uint64_t nr_faults = 0;

	for (uint32_t i = 0; i < audit->nr_pages; i++) {
		audit->pages[i].verdict = (uint8_t)classify_page(audit, i);
		audit->nr_by_verdict[audit->pages[i].verdict]++;
	}
	for (int fault = 0; fault < AUDIT_FAULTS; fault++)
		nr_faults +=
		    audit->quiescent || !may_pass((enum audit_fault)fault) ? audit->nr_by_fault[fault] : 0;
	if (audit->nr_managed == 0)
		ram_audit_reason(audit, "the allocator that is described owns no page");
	if (audit->nr_by_verdict[PAGE_UNCERTAIN])
		ram_audit_reason(audit, "%" PRIu64 " page%s %s uncertain",
				 audit->nr_by_verdict[PAGE_UNCERTAIN],
				 plural_s(audit->nr_by_verdict[PAGE_UNCERTAIN]),
				 plural(audit->nr_by_verdict[PAGE_UNCERTAIN], "is", "are"));
	if (!audit->quiescent)
		ram_audit_reason(audit, "processes still running");
	/* A process that runs may hold a whole address space by one register: exec() gives back the old one. */
	bool leaked = audit->nr_by_verdict[PAGE_LEAKED] && audit->quiescent;
	audit->faulty = nr_faults != 0;
	audit->status = leaked || audit->faulty ? 1 : audit->nr_reasons ? 2 : 0;
}

/* ---- all ---- */

static bool has_ground(struct ram_audit *audit)
{
	const struct kd_item *ram = kd_item(audit->kernel->kd, KD_RAM, 0);
	uint64_t base = RAM_BASE;

	if (ram)
		memory_value(audit, kd_get(ram, "base"), 0, 0, &base);
	if (base != RAM_BASE || audit->inside->ram->bytes >> PAGE_SHIFT > PAGES_MAX)
		ram_audit_reason(
		    audit, "RAM that begins at 0x%" PRIx64 " or is larger than 16 GiB cannot be audited",
		    base);
	return audit->nr_reasons == 0;
}

struct ram_audit *ram_audit_make(const struct description *kernel, const struct guest *ram, struct run *run)
{
	struct ram_audit *audit = xcalloc(1, sizeof(*audit));

	audit->kernel = kernel;
	audit->inside = xcalloc(1, sizeof(*audit->inside));
	*audit->inside = (struct ram_audit_inside){
	    .ram = ram, .types = kernel->types, .root = NO_ADDRESS, .entries_left = ENTRIES_MAX};
	audit->base = RAM_BASE;
	audit->status = 2;
	if (!has_ground(audit))
		return audit;
	audit->nr_pages = (uint32_t)(ram->bytes >> PAGE_SHIFT);
	audit->pages = xcalloc(audit->nr_pages, sizeof(*audit->pages));
	audit->inside->stamps = xcalloc(audit->nr_pages, sizeof(*audit->inside->stamps));
	if (run)
		replay(audit, run);
	if (!types_has_dwarf(kernel->types)) {
		audit->inside->blind = "the kernel has no debug information, which says where pointers are";
		ram_audit_reason(audit, "%s", audit->inside->blind);
	}
	memory_begin(audit);
	lists_walk(audit);
	find_managed(audit);
	check_free_sets(audit);
	processes_read(audit);
	if (types_has_dwarf(kernel->types)) {
		roots_reach(audit);
		roots_untyped(audit);
	}
	counts_compare(audit);
	verdict_of(audit);
	return audit;
}

void ram_audit_free(struct ram_audit *audit)
{
	struct ram_audit_inside *inside = audit->inside;

	for (size_t i = 0; i < audit->nr_kept; i++)
		free(audit->findings[i].text);
	for (size_t i = 0; i < audit->nr_reasons; i++)
		free(audit->reasons[i]);
	for (size_t i = 0; i < inside->nr_names; i++)
		free(inside->names[i]);
	if (inside->model)
		model_free(inside->model);
	free(inside->names);
	free(inside->tasks);
	free(inside->stamps);
	free(inside->trace.life);
	free(inside->trace.head);
	free(inside->trace.pid);
	free(inside->trace.count);
	free(audit->reasons);
	free(audit->processes);
	free(audit->pages);
	free(inside);
	free(audit);
}
