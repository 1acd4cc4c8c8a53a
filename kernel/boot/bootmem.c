/* SPDX-License-Identifier: MIT */
/*
 * Memory before the page allocator: a short, sorted list of ranges that are taken, and first fit between
 * them.
 *
 * BOOTMEM-1  ranges are page aligned, sorted, do not overlap, and lie within [image start, end of RAM).
 *
 * Neighbours of one kind grow together, so the list stays short whatever is asked for. The device tree is
 * not in the list: it was read into `machine`, and its pages are as free as any.
 */
#include "boot_priv.h"
#include <kernel/arch.h>
#include <kernel/lib.h>

struct range {
	paddr_t start, end;
	enum page_kind kind;
};

static struct range taken[16];
static u32 nr_taken;

static void take(u32 position, paddr_t start, paddr_t end, enum page_kind kind)
{
	if (position > 0 && taken[position - 1].end == start && taken[position - 1].kind == kind) {
		taken[position - 1].end = end;
		return;
	}
	if (nr_taken == ARRAY_SIZE(taken))
		panic("bootmem: more than %u ranges", nr_taken);
	for (u32 i = nr_taken; i > position; i--)
		taken[i] = taken[i - 1];
	taken[position] = (struct range){start, end, kind};
	nr_taken++;
}

void bootmem_init(void)
{
	take(0, machine.image_start, machine.image_end, PK_IMAGE);
	if (machine.initrd_end)
		take(1, machine.initrd_start, PAGE_ALIGN_UP(machine.initrd_end), PK_RAMDISK);
}

void *bootmem_alloc(size_t size_bytes, enum page_kind kind)
{
	size_bytes = PAGE_ALIGN_UP(size_bytes);
	for (u32 i = 0; i < nr_taken; i++) {
		paddr_t start = taken[i].end;
		paddr_t end = i + 1 < nr_taken ? taken[i + 1].start : machine.ram_end;
		if (end - start < size_bytes)
			continue;
		take(i + 1, start, start + size_bytes, kind);
		memset(pa_to_va(start), 0, size_bytes);
		return pa_to_va(start);
	}
	panic("no room for %lu KiB of %s at boot", size_bytes / 1024, page_kind_name(kind));
}

void bootmem_finish(void)
{
	for (u32 i = 0; i < nr_taken; i++)
		page_boot_claim(taken[i].start, taken[i].end, taken[i].kind);
	for (u32 i = 0; i < nr_taken; i++) {
		paddr_t next = i + 1 < nr_taken ? taken[i + 1].start : machine.ram_end;
		if (taken[i].end < next)
			page_boot_free(taken[i].end, next);
	}
}
