/* SPDX-License-Identifier: MIT
 *
 * weak: see weak.h.
 */
#include "weak.h"

#include "bounds.h"
#include "guest.h"
#include "hooks.h"

/* Is the offset that of a word which the item names? */
static bool names(const struct weak *weak, uint64_t offset)
{
	return offset - weak->offset < weak->bytes;
}

/* Is the page of the kind that the item is about? */
static bool is_about(const struct weak *weak, const struct moment *moment, const struct life *life)
{
	const struct alias_map *map = &alias_map;

	if (weak->kind != WEAK_STRUCT || weak->byte == NONE)
		return true;
	uint64_t va = map->pages + (life->index - map->pages_index) * map->stride + weak->byte;
	const uint8_t *host = guest_va(moment->hart, va, 1);
	return host && *host == weak->is;
}

static bool in_registry(const struct weak *weak, uint64_t va)
{
	const struct alias_map *map = &alias_map;

	switch (weak->kind) {
	case WEAK_WORDS:
		return va - weak->offset < weak->bytes;
	case WEAK_STRUCT:
		return va - map->pages < map->pages_bytes && names(weak, (va - map->pages) % map->stride);
	default:
		return false;
	}
}

static bool to_node(const struct weak *weak, const struct life *life, uint64_t value, enum alias_form form)
{
	const struct alias_map *map = &alias_map;

	switch (weak->kind) {
	case WEAK_OBJECT:
		return life_is_of_object(life) && form == ALIAS_LINEAR && life->bytes == weak->bytes &&
		       weak->offset && value - life->base == weak->offset;
	case WEAK_STRUCT:
		return !life_is_of_object(life) && form == ALIAS_STRUCT && weak->offset &&
		       (value - map->pages) % map->stride == weak->offset;
	default:
		return false;
	}
}

bool weak_store(const struct moment *moment, const struct life *life, uint64_t value, enum alias_form form,
		uint64_t va)
{
	for (uint32_t i = 0; i < hooks.nr_weak; i++) {
		const struct weak *weak = &hooks.weak[i];
		if ((in_registry(weak, va) || to_node(weak, life, value, form)) &&
		    is_about(weak, moment, life))
			return true;
	}
	return false;
}
