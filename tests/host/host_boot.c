/* SPDX-License-Identifier: MIT */
/* The memory side of boot, in boot's order; for programs that link mm. */
#include <host/host_test.h>
#include <kernel/page.h>
#include <kernel/trace.h>

bool host_fail_hook(u32 order);

void host_boot(u64 ram_bytes, u32 nr_harts_)
{
	size_t trace_bytes;
	paddr_t at = KERNEL_PA, end = RAM_BASE + ram_bytes;
	struct page *array;
	u64 *root;

	trace_bytes = trace_memory_wanted(ram_bytes, nr_harts_);
	host_boot_trace(ram_bytes, trace_bytes, nr_harts_);
	at += trace_bytes;
	array = pa_to_va(at);
	page_init(RAM_BASE, end, KERNEL_PA, array);
	at = PAGE_ALIGN_UP(at + nr_pages * sizeof(struct page));
	kernel_root_pa = at;
	root = pa_to_va(at);
	memset(root, 0, PAGE_SIZE);
	for (u32 i = 256; i < 512; i++)
		root[i] = 0x1000000 + i; /* to be found again in every table */
	at += PAGE_SIZE;
	page_boot_claim(KERNEL_PA, KERNEL_PA + trace_bytes, PK_TRACE);
	page_boot_claim(KERNEL_PA + trace_bytes, at, PK_METADATA);
	page_boot_free(at, end);
	page_set_fail_hook(host_fail_hook);
	host_fail_nth(0);
}
