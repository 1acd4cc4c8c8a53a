/* SPDX-License-Identifier: MIT */
/* contexts: see contexts.h. */
#include "panic_context.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "ctf/merge.h"

#define PAGES_MAX 8 /* of each sort: what is found first is nearest */
#define OBJECTS_MAX 6
#define INCIDENTS_SHOWN 4
#define STACK_BYTES (KSTACK_PAGES * PAGE_BYTES)
/* Frames in which pointers to objects count: further out there is always a task and its mm. */
#define OBJECT_FRAMES 3

#define CAUSE_IS_PAGE_FAULT(cause) ((cause) == 12 || (cause) == 13 || (cause) == 15)

struct cursor {
	struct panic_contexts *found;
	const struct guest *guest;
	struct symbols *symbols;
	struct member kind, order, count; /* of struct page */
	uint32_t page_size;
	uint32_t first_pfn, nr_pages;
	uint64_t caches_pa, caches_bytes; /* array of struct kmem_cache */
	uint32_t cache_size;
	struct member objects_offset, object_bytes, per_slab, name; /* of one */
	struct member cache_id, live;                               /* of struct slab */
	size_t nr_pages_found, nr_objects_found;
};

static uint64_t read_memory(const struct guest *guest, uint64_t pa, struct member member)
{
	const void *where = guest_memory(guest, pa + member.offset, member.bytes);
	uint64_t value = 0;

	if (where && member.bytes <= sizeof(value))
		memcpy(&value, where, member.bytes);
	return value;
}

static uint64_t read_word(const struct guest *guest, uint64_t pa)
{
	return read_memory(guest, pa, (struct member){0, 8});
}

/* ---- pages ---- */

static uint64_t struct_page_pa(const struct cursor *cursor, uint32_t pfn)
{
	return cursor->guest->desc->page_array_pa + (uint64_t)(pfn - cursor->first_pfn) * cursor->page_size;
}

static uint8_t page_byte(const struct cursor *cursor, uint32_t pfn, struct member member)
{
	return (uint8_t)read_memory(cursor->guest, struct_page_pa(cursor, pfn), member);
}

/* The head of the block that a page is in. */
static uint32_t block_head(const struct cursor *cursor, uint32_t pfn)
{
	if (page_byte(cursor, pfn, cursor->order) != PAGE_BODY)
		return pfn;
	for (uint32_t order = 1; order <= PAGE_MAX_ORDER; order++) {
		uint32_t head = pfn & ~((1U << order) - 1);
		if (head < cursor->first_pfn)
			break;
		uint8_t there = page_byte(cursor, head, cursor->order);
		if (there != PAGE_BODY && there >= order)
			return head;
	}
	return pfn;
}

static bool page_counts(uint8_t kind)
{
	return kind != PK_IMAGE && kind != PK_METADATA && kind != PK_TRACE && kind != PK_RAMDISK;
}

static struct panic_context *known(const struct cursor *cursor, bool object, uint64_t address)
{
	for (size_t i = 0; i < cursor->found->nr; i++) {
		struct panic_context *one = &cursor->found->list[i];
		if (one->object == object && one->address == address)
			return one;
	}
	return NULL;
}

static struct panic_context *add_page(struct cursor *cursor, uint32_t pfn, const char *where)
{
	pfn = block_head(cursor, pfn);
	uint8_t kind = page_byte(cursor, pfn, cursor->kind);
	uint64_t address = ((uint64_t)pfn << PAGE_SHIFT) + PHYS_OFFSET;
	struct panic_context *one = known(cursor, false, address);

	if (one || !page_counts(kind) || cursor->nr_pages_found >= PAGES_MAX)
		return one;
	cursor->nr_pages_found++;
	ARRAY_PUSH(cursor->found->list, cursor->found->nr, cursor->found->capacity) = (struct panic_context){
	    .pfn = pfn,
	    .address = address,
	    .kind = kind,
	    .order = page_byte(cursor, pfn, cursor->order),
	    .count = (int32_t)read_memory(cursor->guest, struct_page_pa(cursor, pfn), cursor->count),
	};
	one = &cursor->found->list[cursor->found->nr - 1];
	one->live = one->count > 0;
	snprintf(one->found, sizeof(one->found), "%s", where);
	return one;
}

/* ---- objects ---- */

static void read_text(const struct guest *guest, uint64_t va, char *to, size_t bytes)
{
	for (size_t i = 0; i + 1 < bytes; i++) {
		const char *at = va >= PHYS_OFFSET ? guest_memory(guest, va - PHYS_OFFSET + i, 1) : NULL;
		to[i] = at && *at >= 32 && *at < 127 ? *at : 0;
		if (!to[i])
			break;
	}
}

/* The object that a kernel address of a slab page lies in; NULL for the page's own header, or a slab that is none. */
static struct panic_context *add_object(struct cursor *cursor, uint64_t va, const char *where)
{
	const struct guest *guest = cursor->guest;
	uint64_t slab_pa = (va - PHYS_OFFSET) & ~(uint64_t)(PAGE_BYTES - 1);
	uint64_t number = read_memory(guest, slab_pa, cursor->cache_id);
	uint64_t cache_pa = cursor->caches_pa + number * cursor->cache_size;
	uint32_t offset = (uint32_t)(va - PHYS_OFFSET - slab_pa);

	if (number >= cursor->caches_bytes / cursor->cache_size)
		return NULL;
	uint32_t first = (uint32_t)read_memory(guest, cache_pa, cursor->objects_offset),
		 size = (uint32_t)read_memory(guest, cache_pa, cursor->object_bytes),
		 nr = (uint32_t)read_memory(guest, cache_pa, cursor->per_slab);
	if (!size || offset < first || (offset - first) / size >= nr || nr > PAGE_BYTES / size)
		return NULL;
	uint32_t slot = (offset - first) / size;
	uint64_t address = slab_pa + PHYS_OFFSET + first + (uint64_t)slot * size;
	struct panic_context *one = known(cursor, true, address);
	if (one || cursor->nr_objects_found >= OBJECTS_MAX)
		return one;
	cursor->nr_objects_found++;
	ARRAY_PUSH(cursor->found->list, cursor->found->nr, cursor->found->capacity) = (struct panic_context){
	    .object = true,
	    .pfn = (uint32_t)(slab_pa >> PAGE_SHIFT),
	    .address = address,
	    .object_bytes = size,
	    .kind = PK_SLAB,
	    .live = read_word(guest, slab_pa + cursor->live.offset + slot / 64 * 8) >> slot % 64 & 1,
	};
	one = &cursor->found->list[cursor->found->nr - 1];
	snprintf(one->found, sizeof(one->found), "%s", where);
	read_text(guest, read_memory(guest, cache_pa, cursor->name), one->cache, sizeof(one->cache));
	return one;
}

/* ---- words ---- */

/* What a word points to becomes contexts, if it is a pointer to something that has a history. */
static struct panic_context *add_word(struct cursor *cursor, uint64_t word, bool objects_too,
				      const char *where)
{
	uint64_t array_va = cursor->guest->desc->page_array_pa + PHYS_OFFSET;
	uint64_t array_bytes = (uint64_t)cursor->nr_pages * cursor->page_size;

	if (word - array_va < array_bytes)
		return (word - array_va) % cursor->page_size
			   ? NULL
			   : add_page(cursor,
				      cursor->first_pfn + (uint32_t)((word - array_va) / cursor->page_size),
				      where);
	uint64_t pfn = (word - PHYS_OFFSET) >> PAGE_SHIFT;
	if (word < PHYS_OFFSET + RAM_BASE || pfn - cursor->first_pfn >= cursor->nr_pages)
		return NULL;
	if (page_byte(cursor, (uint32_t)pfn, cursor->kind) == PK_SLAB)
		return objects_too ? add_object(cursor, word, where) : NULL;
	return add_page(cursor, (uint32_t)pfn, where);
}

static void seek_incidents(struct cursor *cursor, const struct model *model)
{
	size_t nr_incidents;
	const struct trace_record *incidents = model_incidents(model, &nr_incidents);
	size_t begin = nr_incidents > INCIDENTS_SHOWN ? nr_incidents - INCIDENTS_SHOWN : 0;
	char where[80];

	for (size_t i = nr_incidents; i-- > begin;) {
		const struct trace_record *record = &incidents[i];
		uint64_t word = record->payload.ev_payload_finding.where;
		struct panic_context *one;
		snprintf(where, sizeof(where), "an incident %s before the end", verdict_text(record->kind));
		if (record->flags)
			one = add_word(cursor, word * 8 + PHYS_OFFSET, true, where);
		else
			one = word - cursor->first_pfn < cursor->nr_pages
				  ? add_page(cursor, (uint32_t)word, where)
				  : NULL;
		if (one && !one->incident)
			one->incident = record;
	}
}

/* Walks va; false where nothing is mapped. Each table's page becomes contexts, if `where`. */
static bool walk(struct cursor *cursor, uint64_t satp, uint64_t va, uint64_t *pa, const char *where)
{
	uint64_t table = SATP_PPN(satp) << PAGE_SHIFT;

	if ((int64_t)(va << 25) >> 25 != (int64_t)va) /* the machine does not walk these */
		return false;
	for (int level = 2; level >= 0; level--) {
		uint32_t shift = PT_LEVEL_SHIFT((uint32_t)level);
		if (!guest_memory(cursor->guest, table, PAGE_BYTES))
			return false;
		if (where)
			add_word(cursor, table + PHYS_OFFSET, false, where);
		uint64_t pte = read_word(cursor->guest, table + (va >> shift & 511) * 8);
		if (!(pte & PTE_V))
			return false;
		table = PTE_PPN(pte) << PAGE_SHIFT;
		if (pte & PTE_LEAF_BITS) {
			*pa = table + (va & ((1ULL << shift) - 1));
			if (where)
				add_word(cursor, (*pa & ~7ULL) + PHYS_OFFSET, false, where);
			return true;
		}
	}
	return false;
}

static void seek_registers(struct cursor *cursor, const struct panic_hart *hart)
{
	/* arguments, what is kept across calls, the rest; never sp, gp, tp, fp */
	static const uint8_t order[] = {10, 11, 12, 13, 14, 15, 16, 17, 9, 18, 19, 20, 21,
					22, 23, 24, 25, 26, 27, 5,  6,  7, 28, 29, 30, 31};
	char where[80];

	for (size_t i = 0; i < sizeof(order); i++) {
		snprintf(where, sizeof(where), "in %s", register_names[order[i]]);
		add_word(cursor, hart->x[order[i]], true, where);
	}
}

static const char *frame_function(const struct cursor *cursor, uint32_t address)
{
	const struct symbol_frame *frames;
	size_t nr = symbols_find(cursor->symbols, address, &frames);

	return nr ? frames[nr - 1].function : "?";
}

static void seek_stack(struct cursor *cursor, const struct panic_hart *hart)
{
	uint64_t at = hart->x[2], fp = hart->x[8], end = (at & ~(uint64_t)(STACK_BYTES - 1)) + STACK_BYTES,
		 pa;
	char where[80];

	for (uint32_t i = 0; i < hart->nr_raw && at % 8 == 0 && fp % 8 == 0 && fp > at && fp <= end; i++) {
		snprintf(where, sizeof(where), "on the stack of %s", frame_function(cursor, hart->raw[i]));
		for (; at < fp; at += 8) {
			if (walk(cursor, hart->satp, at, &pa, NULL))
				add_word(cursor, read_word(cursor->guest, pa), i < OBJECT_FRAMES, where);
		}
		fp = walk(cursor, hart->satp, at - 16, &pa, NULL) ? read_word(cursor->guest, pa) : 0;
	}
}

/* ---- the trace ---- */

static bool is_about(const struct panic_context *one, const struct trace_record *record)
{
	if (event_is_object(record->event))
		return one->object &&
		       (uint64_t)record->payload.ev_payload_obj_alloc.obj * 8 + PHYS_OFFSET == one->address;
	return event_is_page(record->event) && !one->object &&
	       one->pfn - record->payload.ev_payload_page_alloc.pfn < 1U << record_order(record);
}

static bool always(void *arg, const struct trace_record *record)
{
	return true;
}

static void collect(void *arg, const struct trace_record *records, size_t nr, uint32_t hart)
{
	struct panic_contexts *found = arg;

	for (size_t i = 0; i < nr * found->nr; i++) {
		const struct trace_record *record = &records[i / found->nr];
		struct panic_context *one = &found->list[i % found->nr];
		if (is_about(one, record))
			ARRAY_PUSH(one->events, one->nr, one->capacity) =
			    (struct panic_context_event){*record, hart};
	}
}

void panic_contexts_find(struct panic_contexts *found, const struct guest *guest,
			 const struct panic_state *panic, struct symbols *symbols, const struct model *model,
			 struct layout *layout)
{
	const struct panic_hart *hart = &panic->harts[panic->hart % PANIC_HARTS];
	struct cursor cursor = {
	    .found = found,
	    .guest = guest,
	    .symbols = symbols,
	    .kind = layout_member(layout, "page", "kind"),
	    .order = layout_member(layout, "page", "order"),
	    .count = layout_member(layout, "page", "count"),
	    .page_size = layout_size(layout, "page"),
	    .cache_size = layout_size(layout, "kmem_cache"),
	    .objects_offset = layout_member(layout, "kmem_cache", "objects_offset"),
	    .object_bytes = layout_member(layout, "kmem_cache", "object_bytes"),
	    .per_slab = layout_member(layout, "kmem_cache", "per_slab"),
	    .name = layout_member(layout, "kmem_cache", "name"),
	    .cache_id = layout_member(layout, "slab", "cache_id"),
	    .live = layout_member(layout, "slab", "live"),
	    .first_pfn = (uint32_t)(guest->desc->ram_start >> PAGE_SHIFT),
	    .nr_pages = (uint32_t)guest->desc->nr_pages,
	};
	uint64_t pa;

	*found = (struct panic_contexts){0};
	cursor.caches_pa = layout_variable(layout, "caches", &cursor.caches_bytes);
	/* A description that says what cannot be would make every word a pointer. */
	if (guest->desc->nr_pages > guest->bytes / PAGE_BYTES || guest->desc->ram_start != RAM_BASE ||
	    !guest_memory(guest, guest->desc->page_array_pa, guest->desc->nr_pages * cursor.page_size))
		return;
	if (panic->subject)
		add_word(&cursor, panic->subject, true, PANIC_CONTEXT_NAMED);
	seek_incidents(&cursor, model);
	if (hart->valid) {
		if (CAUSE_IS_PAGE_FAULT(hart->cause))
			walk(&cursor, hart->satp, hart->address, &pa, "in the walk of the address");
		seek_registers(&cursor, hart);
		seek_stack(&cursor, hart);
	}
	if (found->nr)
		merge_visit(model_run(model), always, collect, found);
}

void panic_contexts_free(struct panic_contexts *found)
{
	for (size_t i = 0; i < found->nr; i++)
		free(found->list[i].events);
	free(found->list);
	*found = (struct panic_contexts){0};
}
