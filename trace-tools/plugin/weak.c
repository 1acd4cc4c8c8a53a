/* SPDX-License-Identifier: MIT
 *
 * weak: see weak.h.
 */
#include "weak.h"

#include "hooks.h"

/* Is the offset that of a word which the item names? */
static bool names(const struct weak *weak, uint64_t offset)
{
	return offset - weak->offset < weak->bytes;
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
		return life->kind == LIFE_OBJECT && form == ALIAS_LINEAR && life->bytes == weak->bytes &&
		       weak->offset && value - life->base == weak->offset;
	case WEAK_STRUCT:
		return life->kind != LIFE_OBJECT && form == ALIAS_STRUCT && weak->offset &&
		       (value - map->pages) % map->stride == weak->offset;
	default:
		return false;
	}
}

bool weak_store(const struct life *life, uint64_t value, enum alias_form form, uint64_t va)
{
	for (uint32_t i = 0; i < hooks.nr_weak; i++) {
		if (in_registry(&hooks.weak[i], va) || to_node(&hooks.weak[i], life, value, form))
			return true;
	}
	return false;
}
