/* SPDX-License-Identifier: MIT
 *
 * guest: see guest.h.
 */
#include "guest.h"

#include "hooks.h"
#include "qemu_api.h"

#define CACHE_PAGES 64

static uint8_t *ram;
static uint64_t ram_base, ram_bytes;

static struct cache {
	uint64_t va[CACHE_PAGES];
	uint64_t pa[CACHE_PAGES];
	uint64_t age[CACHE_PAGES]; /* + 1 of when it was read; 0: empty */
	uint64_t now;              /* the age of the present tables */
	uint64_t walks;
} __attribute__((aligned(64))) caches[HARTS_MAX];

bool guest_find_ram(uint64_t base)
{
	ram_base = base;
	if (!ram)
		ram = qemu_ram(base, &ram_bytes);
	return ram != NULL;
}

uint64_t guest_ram_base(void)
{
	return ram_base;
}

uint64_t guest_ram_bytes(void)
{
	return ram_bytes;
}

uint8_t *guest_pa(uint64_t pa, uint64_t bytes)
{
	uint64_t offset = pa - ram_base;

	return offset < ram_bytes && bytes <= ram_bytes - offset ? ram + offset : NULL;
}

uint64_t guest_linear(uint64_t va)
{
	for (uint32_t i = 0; i < hooks.nr_maps; i++) {
		uint64_t offset = va - hooks.maps[i].va;
		if (offset < hooks.maps[i].size)
			return hooks.maps[i].pa + offset;
	}
	return NONE;
}

uint64_t guest_va_to_pa(unsigned hart, uint64_t va)
{
	uint64_t pa = guest_linear(va), page = va & ~(PAGE_BYTES - 1);
	struct cache *cache = &caches[hart];
	unsigned slot = va >> PAGE_SHIFT & (CACHE_PAGES - 1);

	if (pa != NONE)
		return pa;
	if (cache->va[slot] != page || cache->age[slot] != cache->now + 1) {
		cache->walks++;
		pa = qemu_phys_page(hart, page);
		if (pa == NONE)
			return NONE;
		cache->va[slot] = page;
		cache->age[slot] = cache->now + 1;
		cache->pa[slot] = pa & ~(PAGE_BYTES - 1);
	}
	return cache->pa[slot] | (va & (PAGE_BYTES - 1));
}

uint8_t *guest_va(unsigned hart, uint64_t va, uint64_t bytes)
{
	uint64_t in_page = va & (PAGE_BYTES - 1);

	if (in_page + bytes > PAGE_BYTES)
		return NULL;
	uint64_t pa = guest_va_to_pa(hart, va);
	return pa == NONE ? NULL : guest_pa(pa, bytes);
}

void guest_forget(unsigned hart)
{
	caches[hart].now++;
}

uint64_t guest_walks(void)
{
	uint64_t sum = 0;

	for (unsigned hart = 0; hart < HARTS_MAX; hart++)
		sum += caches[hart].walks;
	return sum;
}
