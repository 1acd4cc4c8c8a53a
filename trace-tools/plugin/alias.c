/* SPDX-License-Identifier: MIT
 *
 * alias: see alias.h.
 */
#include "alias.h"

#include "bounds.h"
#include "guest.h"
#include "hooks.h"

struct alias_map alias_map;

static void find_lowest(void)
{
	struct alias_map *map = &alias_map;

	map->lowest = map->first_number;
	if (map->linear_bytes && map->linear_va < map->lowest)
		map->lowest = map->linear_va;
	if (map->pages_bytes && map->pages < map->lowest)
		map->lowest = map->pages;
}

void alias_init(void)
{
	alias_map.ram_base = guest_ram_base();
	alias_map.ram_bytes = guest_ram_bytes();
	alias_map.first_number = alias_map.ram_base >> PAGE_SHIFT;
	alias_map.nr_pages = alias_map.ram_bytes >> PAGE_SHIFT;
	for (uint32_t i = 0; i < hooks.nr_maps; i++) {
		uint64_t offset = alias_map.ram_base - hooks.maps[i].pa;
		if (offset >= hooks.maps[i].size)
			continue;
		alias_map.linear_va = hooks.maps[i].va + offset;
		alias_map.linear_bytes = hooks.maps[i].size - offset;
		if (alias_map.linear_bytes > alias_map.ram_bytes)
			alias_map.linear_bytes = alias_map.ram_bytes;
	}
	find_lowest();
}

void alias_find_pages(unsigned hart)
{
	struct expr_context context = {.hart = hart};
	uint64_t base;

	if (alias_map.pages || !hooks.pages_base.nr)
		return;
	expr_fetch(&context, hooks.pages_base.registers);
	if (!expr_compute(&hooks.pages_base, &context, &base) || !base)
		return;
	alias_map.stride = hooks.pages_stride;
	alias_map.pages_index = alias_index(hooks.pages_pa);
	if (alias_map.pages_index == NONE)
		return;
	/* A kernel that uses less than all of RAM maps so much of it: behind its array lie other things. */
	uint64_t nr = alias_map.linear_bytes ? alias_map.linear_bytes >> PAGE_SHIFT : alias_map.nr_pages;
	alias_map.pages_bytes =
	    nr > alias_map.pages_index ? (nr - alias_map.pages_index) * alias_map.stride : 0;
	alias_map.pages = base;
	find_lowest();
}

bool alias_own_struct(uint64_t va, uint64_t index)
{
	const struct alias_map *map = &alias_map;

	return map->pages && index >= map->pages_index &&
	       va - (map->pages + (index - map->pages_index) * map->stride) < map->stride;
}

uint64_t alias_nr_pages(void)
{
	return alias_map.nr_pages;
}

uint64_t alias_index(uint64_t pa)
{
	uint64_t index = (pa >> PAGE_SHIFT) - alias_map.first_number;

	return index < alias_map.nr_pages ? index : NONE;
}

uint64_t alias_linear(uint64_t index)
{
	return index << PAGE_SHIFT < alias_map.linear_bytes ? alias_map.linear_va + (index << PAGE_SHIFT) : 0;
}
