/* SPDX-License-Identifier: MIT */
/* verify: pages, free lists and per-hart caches. See verify.h. */
#include "verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

static const char *const part_texts[VERIFY_NR] = {"events", "pages", "buddy", "pcp", "slab"};

const char *verify_part_text(enum verify_part part)
{
	return part_texts[part];
}

void verify_note(struct verify *verify, enum verify_part part, uint64_t pa, const char *fmt, ...)
{
	va_list args;

	verify->nr_differences++;
	if (verify->nr_by_part[part]++ >= DIFFERENCES_KEPT)
		return;
	struct difference *difference = &verify->differences[verify->nr_kept++];
	difference->part = part;
	difference->pa = pa;
	va_start(args, fmt);
	if (vasprintf(&difference->text, fmt, args) < 0)
		die("out of memory");
	va_end(args);
}

uint64_t verify_read(const struct verify *verify, uint64_t pa, struct member member)
{
	const void *where = guest_memory(verify->guest, pa + member.offset, member.bytes);
	uint64_t value = 0;

	if (!where || member.bytes > sizeof(value))
		die("%s: physical address 0x%" PRIx64 " is not in it: is this the memory of that run?",
		    verify->guest->path, pa + member.offset);
	memcpy(&value, where, member.bytes);
	return value;
}

/* The kernel begins a packet when the one before it is full: between which times the events of others are missing. */
static char *missing_where(const struct verify *verify, const struct stream *stream)
{
	uint32_t full = (verify->guest->desc->packet_bytes - (uint32_t)sizeof(struct trace_packet_header)) /
			(uint32_t)sizeof(struct trace_record);
	const struct packet *first = NULL, *last = NULL;

	for (size_t i = 0; i + 1 < stream->nr_packets; i++) {
		const struct packet *packet = &stream->packets[i];
		if (packet->nr_records >= full)
			continue;
		first = first ? first : packet;
		last = packet;
	}
	if (!first)
		first = last = &stream->packets[stream->nr_packets - 1];
	const struct trace_packet_header *header = (const void *)(stream->map + first->offset);
	const struct packet *next = last + 1;
	if (next == stream->packets + stream->nr_packets)
		return xasprintf("; what is missing was recorded after %.7f s",
				 time_seconds(header->begin_time));
	uint64_t end = ((const struct trace_packet_header *)(stream->map + next->offset))->begin_time;
	return xasprintf("; what is missing was recorded between %.7f and %.7f s",
			 time_seconds(header->begin_time), time_seconds(end));
}

static void compare_events(struct verify *verify)
{
	const struct run *run = model_run(verify->model);

	for (uint32_t i = 0; i < verify->guest->desc->nr_rings; i++) {
		const struct stream *stream = NULL;
		uint64_t recorded = guest_recorded(verify->guest, i);
		for (uint32_t k = 0; k < run->nr_streams; k++)
			stream = run->streams[k].hart == i ? &run->streams[k] : stream;
		uint64_t there = stream ? stream->chain.nr_records : 0;
		verify->looked[VERIFY_EVENTS] += there;
		if (there == recorded)
			continue;
		char *where = there && there < recorded ? missing_where(verify, stream) : xstrdup("");
		verify_note(verify, VERIFY_EVENTS, 0,
			    "hart %u recorded %" PRIu64 " event%s, the trace has %" PRIu64 "%s", i, recorded,
			    plural_s(recorded), there, where);
		free(where);
	}
}

/* ---- struct page ---- */

struct page_view {
	uint8_t kind, order;
	int32_t count;
	uint32_t next, prev;
};

struct page_members {
	struct member kind, order, count, next, prev;
	uint32_t size;
};

/* What memory says of all pages, by position; PFNs from `first` on. */
struct memory_pages {
	struct page_view *pages;
	uint32_t first, nr, managed;
};

static void read_pages(struct verify *verify, struct memory_pages *memory)
{
	struct layout *layout = verify->layout;
	const struct trace_desc *desc = verify->guest->desc;
	uint64_t bytes, pa = layout_variable(layout, "managed_pfn", &bytes);
	struct page_members members = {
	    layout_member(layout, "page", "kind"),  layout_member(layout, "page", "order"),
	    layout_member(layout, "page", "count"), layout_member(layout, "page", "next"),
	    layout_member(layout, "page", "prev"),  layout_size(layout, "page"),
	};

	memory->managed = (uint32_t)verify_read(verify, pa, (struct member){0, (uint32_t)bytes});
	memory->first = (uint32_t)(desc->ram_start >> PAGE_SHIFT);
	memory->nr = (uint32_t)desc->nr_pages;
	if (desc->ram_start != RAM_BASE || desc->nr_pages > verify->guest->bytes / PAGE_BYTES)
		die("%s: trace_desc gives the machine another RAM than the file has", verify->guest->path);
	if (!guest_memory(verify->guest, desc->page_array_pa, desc->nr_pages * members.size))
		die("%s: the array of struct page is not in it", verify->guest->path);
	memory->pages = xcalloc(memory->nr, sizeof(*memory->pages));
	for (uint32_t i = 0; i < memory->nr; i++) {
		uint64_t at = desc->page_array_pa + (uint64_t)i * members.size;
		memory->pages[i] = (struct page_view){
		    .kind = (uint8_t)verify_read(verify, at, members.kind),
		    .order = (uint8_t)verify_read(verify, at, members.order),
		    .count = (int32_t)verify_read(verify, at, members.count),
		    .next = (uint32_t)verify_read(verify, at, members.next),
		    .prev = (uint32_t)verify_read(verify, at, members.prev),
		};
	}
}

static bool is_free(const struct page_view *page)
{
	return page->kind == PK_FREE || page->kind == PK_PCP;
}

static uint64_t pa_of(uint32_t pfn)
{
	return (uint64_t)pfn << PAGE_SHIFT;
}

/* The pages behind a block's head. Boot's ranges are told in blocks, but each of their pages stands for itself. */
static void compare_bodies(struct verify *verify, const struct memory_pages *memory, uint32_t head,
			   const struct page_state *state, bool boot)
{
	for (uint32_t i = head + 1; i < head + (1U << state->order) && i < memory->nr; i++) {
		const struct page_view *page = &memory->pages[i];
		if (page->kind != state->kind || (!boot && page->order != PAGE_BODY))
			verify_note(verify, VERIFY_PAGES, pa_of(memory->first + i),
				    "page 0x%x: in the trace it is in the block of %s page 0x%x, in memory "
				    "it is %s, order %u",
				    memory->first + i, page_kind_text(state->kind), memory->first + head,
				    page_kind_text(page->kind), page->order);
	}
}

/* Returns how many pages the head at position i stands for. */
static uint32_t compare_page(struct verify *verify, const struct memory_pages *memory, uint32_t i)
{
	const struct page_view *page = &memory->pages[i];
	const struct page_state *state = model_page(verify->model, memory->first + i);
	uint32_t pfn = memory->first + i;

	if (state->life != LIFE_LIVE) {
		if (!is_free(page))
			verify_note(verify, VERIFY_PAGES, pa_of(pfn),
				    "page 0x%x: free in the trace; in memory it is %s, count %d", pfn,
				    page_kind_text(page->kind), page->count);
		else if (page->count)
			verify_note(verify, VERIFY_PAGES, pa_of(pfn),
				    "page 0x%x: free in the trace and in memory, but its count is %d", pfn,
				    page->count);
		return 1;
	}
	const struct page_ref *newest = model_refs(verify->model, state);
	bool boot = newest && newest->ref == REF_BOOT;
	uint32_t count = page->count < 0 ? 0 : page->count > 0xffff ? 0xffff : (uint32_t)page->count;
	if (page->kind != state->kind)
		verify_note(verify, VERIFY_PAGES, pa_of(pfn),
			    "page 0x%x: %s, count %u in the trace; in memory it is %s, count %d", pfn,
			    page_kind_text(state->kind), state->count, page_kind_text(page->kind),
			    page->count);
	else if (count != state->count)
		verify_note(verify, VERIFY_PAGES, pa_of(pfn),
			    "page 0x%x (%s): its count is %u in the trace, %d in memory", pfn,
			    page_kind_text(page->kind), state->count, page->count);
	else if (!boot && page->order != state->order)
		verify_note(verify, VERIFY_PAGES, pa_of(pfn),
			    "page 0x%x (%s): its order is %u in the trace, %u in memory", pfn,
			    page_kind_text(page->kind), state->order, page->order);
	compare_bodies(verify, memory, i, state, boot);
	return 1U << state->order;
}

static void compare_pages(struct verify *verify, const struct memory_pages *memory)
{
	for (uint32_t i = memory->managed - memory->first; i < memory->nr;)
		i += compare_page(verify, memory, i);
	verify->looked[VERIFY_PAGES] = memory->nr - (memory->managed - memory->first);
}

/* ---- free lists ---- */

static const struct page_view *view(const struct memory_pages *memory, uint64_t pfn)
{
	return pfn >= memory->managed && pfn - memory->first < memory->nr
		   ? &memory->pages[pfn - memory->first]
		   : NULL;
}

/* Why a page cannot be where the list has it, or NULL. */
static const char *block_fault(const struct memory_pages *memory, const struct page_view *page, uint32_t pfn,
			       uint32_t order, uint32_t before, const uint8_t *listed)
{
	if (listed[pfn - memory->first])
		return "is on a free list for the second time";
	if (page->kind != PK_FREE)
		return "is on a free list, but not free";
	if (page->order != order)
		return "is on the list of another order";
	if ((pfn & ((1U << order) - 1)) || pfn - memory->first + (1U << order) > memory->nr)
		return "is no place for a block of this order";
	if (page->prev != before)
		return "does not link back to the block before it";
	return NULL;
}

static void walk_list(struct verify *verify, const struct memory_pages *memory, uint64_t list_pa,
		      uint32_t order, struct member first, struct member length, uint8_t *listed)
{
	uint64_t nr_told = verify_read(verify, list_pa, length), nr = 0;
	uint32_t before = PFN_NONE;

	for (uint64_t pfn = verify_read(verify, list_pa, first); pfn != PFN_NONE; nr++) {
		const struct page_view *page = view(memory, pfn);
		if (!page) {
			verify_note(verify, VERIFY_BUDDY, before ? pa_of(before) : 0,
				    "order %u: behind page 0x%x the list goes to 0x%" PRIx64
				    ", which is no page",
				    order, before, pfn);
			return;
		}
		const char *fault = block_fault(memory, page, (uint32_t)pfn, order, before, listed);
		if (fault)
			verify_note(verify, VERIFY_BUDDY, pa_of((uint32_t)pfn),
				    "order %u: page 0x%" PRIx64 " %s", order, pfn, fault);
		if (listed[pfn - memory->first])
			return; /* a loop */
		for (uint32_t i = 0; i < 1U << order && pfn - memory->first + i < memory->nr; i++)
			listed[pfn - memory->first + i] = 1;
		before = (uint32_t)pfn;
		pfn = page->next;
	}
	verify->looked[VERIFY_BUDDY] += nr;
	if (nr != nr_told)
		verify_note(verify, VERIFY_BUDDY, 0,
			    "order %u: the list has %" PRIu64 " block%s, its counter says %" PRIu64, order,
			    nr, plural_s(nr), nr_told);
}

static void compare_buddy(struct verify *verify, const struct memory_pages *memory)
{
	struct layout *layout = verify->layout;
	struct member lists = layout_member(layout, "buddy", "lists"),
		      first = layout_member(layout, "buddy_list", "first"),
		      length = layout_member(layout, "buddy_list", "nr_blocks");
	uint32_t size = layout_size(layout, "buddy_list");
	uint64_t bytes, pa = layout_variable(layout, "buddy", &bytes);
	uint8_t *listed = xcalloc(memory->nr, 1);

	for (uint32_t order = 0; order < lists.bytes / size; order++)
		walk_list(verify, memory, pa + lists.offset + (uint64_t)order * size, order, first, length,
			  listed);
	for (uint32_t i = memory->managed - memory->first; i < memory->nr; i++) {
		if (memory->pages[i].kind == PK_FREE && !listed[i])
			verify_note(verify, VERIFY_BUDDY, pa_of(memory->first + i),
				    "page 0x%x is free, but on no free list", memory->first + i);
	}
	free(listed);
}

/* ---- per-hart caches ---- */

static void walk_cache(struct verify *verify, const struct memory_pages *memory, uint32_t hart,
		       uint64_t first, uint64_t nr_told, uint8_t *listed)
{
	uint64_t nr = 0;

	for (uint64_t pfn = first; pfn != PFN_NONE; nr++) {
		const struct page_view *page = view(memory, pfn);
		if (!page || listed[pfn - memory->first]) {
			verify_note(verify, VERIFY_PCP, page ? pa_of((uint32_t)pfn) : 0,
				    "hart %u: 0x%" PRIx64 " %s", hart, pfn,
				    page ? "is parked twice" : "is no page, yet parked");
			return;
		}
		if (page->kind != PK_PCP || page->order || page->count)
			verify_note(verify, VERIFY_PCP, pa_of((uint32_t)pfn),
				    "hart %u: page 0x%" PRIx64 " is parked, but it is %s, order %u, count %d",
				    hart, pfn, page_kind_text(page->kind), page->order, page->count);
		listed[pfn - memory->first] = 1;
		pfn = page->next;
	}
	verify->looked[VERIFY_PCP] += nr;
	if (nr != nr_told)
		verify_note(verify, VERIFY_PCP, 0,
			    "hart %u has %" PRIu64 " page%s parked, its counter says %" PRIu64, hart, nr,
			    plural_s(nr), nr_told);
}

static void compare_caches(struct verify *verify, const struct memory_pages *memory)
{
	struct layout *layout = verify->layout;
	struct member first = layout_member(layout, "pcp", "first"),
		      length = layout_member(layout, "pcp", "nr");
	uint32_t size = layout_size(layout, "pcp");
	uint64_t bytes, pa = layout_variable(layout, "pcps", &bytes);
	uint8_t *listed = xcalloc(memory->nr, 1);

	for (uint32_t hart = 0; hart < bytes / size; hart++, pa += size)
		walk_cache(verify, memory, hart, verify_read(verify, pa, first),
			   verify_read(verify, pa, length), listed);
	for (uint32_t i = memory->managed - memory->first; i < memory->nr; i++) {
		if (memory->pages[i].kind == PK_PCP && !listed[i])
			verify_note(verify, VERIFY_PCP, pa_of(memory->first + i),
				    "page 0x%x is parked, but in no hart's cache", memory->first + i);
	}
	free(listed);
}

/* ---- all ---- */

struct verify *verify_run(const struct guest *guest, struct model *model, struct layout *layout)
{
	struct verify *verify = xcalloc(1, sizeof(*verify));
	struct memory_pages memory;

	verify->guest = guest;
	verify->model = model;
	verify->layout = layout;
	compare_events(verify);
	read_pages(verify, &memory);
	if (memory.managed < memory.first || memory.managed - memory.first > memory.nr ||
	    memory.nr > model_nr_pages(model))
		die("%s: managed_pfn or nr_pages cannot be: is this the memory of that kernel?", guest->path);
	compare_pages(verify, &memory);
	compare_buddy(verify, &memory);
	compare_caches(verify, &memory);
	uint8_t *kinds = xcalloc(memory.nr, 1);
	for (uint32_t i = 0; i < memory.nr; i++)
		kinds[i] = memory.pages[i].kind;
	verify_slabs(verify, kinds);
	free(kinds);
	free(memory.pages);
	return verify;
}

void verify_free(struct verify *verify)
{
	for (size_t i = 0; i < verify->nr_kept; i++)
		free(verify->differences[i].text);
	free(verify);
}
