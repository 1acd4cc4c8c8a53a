/* SPDX-License-Identifier: MIT
 *
 * alias: see alias.h.
 */
#include "alias.h"

#include "bounds.h"
#include "guest.h"
#include "hooks.h"

#define SATP_SV39 8
#define SATP_NUMBER 0xfffffffffffULL
#define ENTRY_VALID 1
#define ENTRY_SHIFT 10

static uint64_t ram_base, ram_bytes, first_number, nr_pages;
static uint64_t linear_va, linear_bytes; /* the mapping that has RAM's begin */
static uint64_t pages, pages_bytes, pages_index, stride;

void alias_init(void)
{
	ram_base = guest_ram_base();
	ram_bytes = guest_ram_bytes();
	first_number = ram_base >> PAGE_SHIFT;
	nr_pages = ram_bytes >> PAGE_SHIFT;
	for (uint32_t i = 0; i < hooks.nr_maps; i++) {
		uint64_t offset = ram_base - hooks.maps[i].pa;
		if (offset >= hooks.maps[i].size)
			continue;
		linear_va = hooks.maps[i].va + offset;
		linear_bytes = hooks.maps[i].size - offset;
		if (linear_bytes > ram_bytes)
			linear_bytes = ram_bytes;
	}
}

void alias_find_pages(unsigned hart)
{
	struct expr_context context = {.hart = hart};
	uint64_t base;

	if (pages || !hooks.pages_base.nr)
		return;
	expr_fetch(&context, hooks.pages_base.registers);
	if (!expr_compute(&hooks.pages_base, &context, &base) || !base)
		return;
	stride = hooks.pages_stride;
	pages_index = alias_index(hooks.pages_pa);
	if (pages_index == NONE)
		return;
	pages_bytes = (nr_pages - pages_index) * stride;
	pages = base;
}

uint64_t alias_of(uint64_t value, unsigned bytes, enum alias_form *form)
{
	uint64_t offset;

	if (bytes == 8) {
		if (pages && (offset = value - pages) < pages_bytes) {
			*form = ALIAS_STRUCT;
			return pages_index + offset / stride + 1;
		}
		if ((offset = value - linear_va) < linear_bytes) {
			*form = ALIAS_LINEAR;
			return (offset >> PAGE_SHIFT) + 1;
		}
		if ((offset = value - ram_base) < ram_bytes) {
			*form = ALIAS_PHYSICAL;
			return (offset >> PAGE_SHIFT) + 1;
		}
		if ((value & ENTRY_VALID) && (offset = (value >> ENTRY_SHIFT) - first_number) < nr_pages) {
			*form = ALIAS_ENTRY;
			return offset + 1;
		}
		if (value >> 60 == SATP_SV39 && (offset = (value & SATP_NUMBER) - first_number) < nr_pages) {
			*form = ALIAS_SATP;
			return offset + 1;
		}
	}
	if (pages && bytes >= 4 && (offset = value - first_number) < nr_pages) {
		*form = ALIAS_NUMBER;
		return offset + 1;
	}
	return 0;
}

bool alias_own_struct(uint64_t va, uint64_t index)
{
	return pages && index >= pages_index && va - (pages + (index - pages_index) * stride) < stride;
}

uint64_t alias_nr_pages(void)
{
	return nr_pages;
}

uint64_t alias_index(uint64_t pa)
{
	uint64_t index = (pa >> PAGE_SHIFT) - first_number;

	return index < nr_pages ? index : NONE;
}

uint64_t alias_linear(uint64_t index)
{
	return index << PAGE_SHIFT < linear_bytes ? linear_va + (index << PAGE_SHIFT) : 0;
}
