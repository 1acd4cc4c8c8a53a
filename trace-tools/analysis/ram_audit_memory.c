/* SPDX-License-Identifier: MIT */
/*
 * ram_audit_memory: the copy of RAM by physical and by kernel address, and which page a word means. See ram_audit.h.
 *
 * Addresses go through the linear mappings that the description names; what those do not cover, through the kernel's own
 * page table, as the hardware would.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "ram_audit_priv.h"

#define LEVELS 3 /* Sv39 */
#define LEVELS_MAX 5

bool memory_read(const struct ram_audit *audit, uint64_t pa, uint64_t bytes, uint64_t *value)
{
	const void *where = guest_memory(audit->inside->ram, pa, bytes);

	*value = 0;
	if (!where || bytes > sizeof(*value))
		return false;
	memcpy(value, where, bytes);
	return true;
}

uint32_t memory_page(const struct ram_audit *audit, uint64_t pa)
{
	uint64_t number = (pa - audit->base) >> PAGE_SHIFT;

	return pa >= audit->base && number < audit->nr_pages ? (uint32_t)number : NO_PAGE;
}

static const struct linear_map *map_of(const struct ram_audit *audit, uint64_t va)
{
	for (size_t i = 0; i < audit->inside->nr_maps; i++) {
		const struct linear_map *map = &audit->inside->maps[i];
		if (va - map->va < map->bytes)
			return map;
	}
	return NULL;
}

bool memory_is_linear(const struct ram_audit *audit, uint64_t va, uint64_t pa)
{
	const struct linear_map *map = map_of(audit, va);

	return va == pa || (map && va - map->va == pa - map->pa);
}

uint64_t memory_pa(const struct ram_audit *audit, uint64_t va)
{
	const struct linear_map *map = map_of(audit, va);
	uint64_t table = audit->inside->root, pte;

	if (map)
		return map->pa + (va - map->va);
	if (table == NO_ADDRESS)
		return NO_ADDRESS;
	for (int level = audit->inside->levels - 1; level >= 0; level--) {
		uint64_t shift = PT_LEVEL_SHIFT((unsigned)level);
		if (!memory_read(audit, table + (va >> shift & 511) * 8, 8, &pte) || !(pte & PTE_V))
			return NO_ADDRESS;
		table = PTE_PPN(pte) << PAGE_SHIFT;
		if (pte & PTE_LEAF_BITS)
			return table + (va & ((1ULL << shift) - 1));
	}
	return NO_ADDRESS;
}

bool memory_load(const struct ram_audit *audit, uint64_t va, uint64_t bytes, uint64_t *value)
{
	uint64_t pa = memory_pa(audit, va);

	*value = 0;
	return pa != NO_ADDRESS && memory_read(audit, pa, bytes, value);
}

uint64_t memory_root(const struct ram_audit *audit, uint64_t word)
{
	if (word >> 60) /* satp: mode, address space, page number; or an address of the upper half */
		return word >> 60 == 15 ? memory_pa(audit, word) : SATP_PPN(word) << PAGE_SHIFT;
	return memory_page(audit, word) != NO_PAGE ? word : memory_pa(audit, word);
}

bool memory_is_frame(const struct ram_audit *audit, uint64_t va)
{
	const struct ram_audit_inside *inside = audit->inside;

	return inside->frame_bytes && va - inside->frames < inside->frame_bytes * inside->nr_frames;
}

uint32_t memory_pointer(const struct ram_audit *audit, uint64_t word)
{
	const struct ram_audit_inside *inside = audit->inside;
	const struct linear_map *map = map_of(audit, word);

	if (memory_is_frame(audit, word))
		return memory_page(audit, inside->frames_pa +
					      ((word - inside->frames) / inside->frame_bytes << PAGE_SHIFT));
	if (map)
		return memory_page(audit, map->pa + (word - map->va));
	return memory_page(audit, word);
}

/* ---- the description's numbers ---- */

static bool load(const void *context, uint64_t address, uint64_t bytes, uint64_t *value)
{
	return memory_load(context, address, bytes, value);
}

bool memory_value(struct ram_audit *audit, const char *text, uint64_t i, uint64_t v, uint64_t *value)
{
	struct expression_memory memory = {.load = load, .context = audit, .i = i, .v = v};
	char *error;

	if (expression_evaluate(audit->inside->types, text, &memory, value, &error))
		return true;
	ram_audit_reason(audit, "the description's %s", error);
	free(error);
	return false;
}

uint32_t memory_typed_page(const struct ram_audit *audit, const char *type, const char *otherwise,
			   uint64_t value)
{
	const char *what = type ? type : otherwise;

	if (!strcmp(what, "pa"))
		return memory_page(audit, value);
	if (!strcmp(what, "pfn"))
		return value >> 52 ? NO_PAGE : memory_page(audit, value << PAGE_SHIFT);
	if (!strcmp(what, "va"))
		return memory_page(audit, memory_pa(audit, value));
	return memory_pointer(audit, value);
}

/* ---- at the beginning ---- */

static void add_map(struct ram_audit *audit, struct linear_map map)
{
	if (audit->inside->nr_maps < AUDIT_MAPS_MAX)
		audit->inside->maps[audit->inside->nr_maps++] = map;
}

/*
 * Where the kernel was loaded: its variables are read there before its page tables are known. One that is linked where it
 * is loaded sees all of RAM so.
 */
static void add_image(struct ram_audit *audit)
{
	uint64_t ram_bytes = (uint64_t)audit->nr_pages << PAGE_SHIFT;

	for (size_t i = 0; i < types_nr_segments(audit->inside->types); i++) {
		const struct segment *segment = types_segment(audit->inside->types, i);
		if (segment->va - audit->base < ram_bytes)
			add_map(audit, (struct linear_map){audit->base, audit->base, ram_bytes});
		else
			add_map(audit, (struct linear_map){segment->va, segment->pa, segment->bytes});
	}
}

static void read_maps(struct ram_audit *audit)
{
	const struct kd_item *item;

	for (size_t n = 0; (item = kd_item(audit->kernel->kd, KD_MAP, n)); n++) {
		struct linear_map map;
		if (!memory_value(audit, kd_get(item, "va"), 0, 0, &map.va) ||
		    !memory_value(audit, kd_get(item, "pa"), 0, 0, &map.pa) ||
		    !memory_value(audit, kd_get(item, "size"), 0, 0, &map.bytes))
			continue;
		add_map(audit, map);
	}
	add_image(audit);
}

/* The first root that can be read is the kernel's. A root is a pointer, or the table itself, as is one without a type. */
static void read_root(struct ram_audit *audit)
{
	const struct kd_item *item = kd_item(audit->kernel->kd, KD_ROOT, 0);
	struct place place;
	uint64_t word;
	char *error;

	if (!item)
		return;
	if (!place_find(audit->inside->types, item->subject, &place, &error)) {
		ram_audit_reason(audit, "%s", error);
		audit->inside->blind = "the kernel's page table could not be read";
		free(error);
		return;
	}
	if (type_kind(place.type) == TYPE_ARRAY || !place.type)
		audit->inside->root = memory_pa(audit, place.address);
	else if (memory_load(audit, place.address, 8, &word))
		audit->inside->root = memory_root(audit, word);
	if (memory_page(audit, audit->inside->root) == NO_PAGE) {
		audit->inside->root = NO_ADDRESS;
		ram_audit_reason(audit, "%s, the kernel's page table, is not in RAM", item->subject);
		audit->inside->blind = "the kernel's page table could not be read";
	}
}

static void read_frames(struct ram_audit *audit)
{
	const struct kd_item *item = kd_item(audit->kernel->kd, KD_PAGES, 0);
	struct ram_audit_inside *inside = audit->inside;

	inside->nr_frames = audit->nr_pages;
	if (item && memory_value(audit, kd_get(item, "base"), 0, 0, &inside->frames) &&
	    memory_value(audit, kd_get(item, "stride"), 0, 0, &inside->frame_bytes) &&
	    memory_value(audit, kd_get(item, "pa"), 0, 0, &inside->frames_pa))
		return;
	inside->frame_bytes = 0;
}

void memory_begin(struct ram_audit *audit)
{
	const struct kd_item *pte = kd_item(audit->kernel->kd, KD_PTE, 0);
	const char *text = pte ? kd_get(pte, "levels") : NULL;
	uint64_t levels = LEVELS;

	audit->inside->root = NO_ADDRESS;
	if (text && memory_value(audit, text, 0, 0, &levels) && (levels < 2 || levels > LEVELS_MAX)) {
		ram_audit_reason(audit, "the description gives page tables %" PRIu64 " level%s", levels,
				 plural_s(levels));
		levels = LEVELS;
	}
	audit->inside->levels = (int)levels;
	read_maps(audit);
	read_root(audit);
	read_frames(audit);
}
