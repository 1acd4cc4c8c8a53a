/* SPDX-License-Identifier: MIT */
/*
 * /proc/meminfo and /proc/vmstat, with Linux's names (proc(5)) for what this kernel has, so that `free` and
 * its like can read them. meminfo is in KiB, vmstat in pages.
 */
#include "procfs_priv.h"

#define KIB_PER_PAGE (PAGE_SIZE / 1024)

static void line(struct text *text, const char *name, u64 nr)
{
	/* Number right aligned behind the name and its colon: 16 and 8 columns. */
	text_printf(text, "%s:%*s%8lu kB\n", name, (int)(15 - strlen(name)), "", nr * KIB_PER_PAGE);
}

static int meminfo_show(struct proc_file *file, struct text *text)
{
	struct page_totals totals;
	struct pagecache_totals cache;
	const u64 *by_kind = totals.nr_by_kind;
	u64 nr_free, nr_reclaimable;

	page_totals(&totals);
	pagecache_totals(&cache);
	nr_free = totals.nr_free + by_kind[PK_PCP];
	nr_reclaimable = cache.nr_pages > cache.nr_dirty ? cache.nr_pages - cache.nr_dirty : 0;
	line(text, "MemTotal", totals.nr_managed);
	line(text, "MemFree", nr_free);
	line(text, "MemAvailable", nr_free + nr_reclaimable);
	line(text, "Buffers", 0);
	line(text, "Cached", by_kind[PK_PAGECACHE]);
	line(text, "SwapCached", 0);
	line(text, "SwapTotal", 0);
	line(text, "SwapFree", 0);
	line(text, "Dirty", cache.nr_dirty);
	line(text, "Writeback", 0);
	line(text, "AnonPages", by_kind[PK_ANON]);
	line(text, "Slab", by_kind[PK_SLAB]);
	line(text, "SReclaimable", 0);
	line(text, "SUnreclaim", by_kind[PK_SLAB]);
	line(text, "KernelStack", by_kind[PK_KSTACK]);
	line(text, "PageTables", by_kind[PK_PAGETABLE]);
	line(text, "Percpu", by_kind[PK_PCP]);
	return 0;
}

static int vmstat_show(struct proc_file *file, struct text *text)
{
	struct page_totals totals;
	struct pagecache_totals cache;
	const struct block_device *device = block_root();
	const u64 *by_kind = totals.nr_by_kind;

	page_totals(&totals);
	pagecache_totals(&cache);
	text_printf(text, "nr_free_pages %lu\n", totals.nr_free + by_kind[PK_PCP]);
	text_printf(text, "nr_anon_pages %lu\n", by_kind[PK_ANON]);
	text_printf(text, "nr_file_pages %lu\n", by_kind[PK_PAGECACHE]);
	text_printf(text, "nr_dirty %lu\n", cache.nr_dirty);
	text_printf(text, "nr_slab_unreclaimable %lu\n", by_kind[PK_SLAB]);
	text_printf(text, "nr_page_table_pages %lu\n", by_kind[PK_PAGETABLE]);
	text_printf(text, "nr_kernel_stack %lu\n", by_kind[PK_KSTACK] * KIB_PER_PAGE);
	text_printf(text, "pgalloc_normal %lu\n", totals.nr_allocs);
	text_printf(text, "pgfree %lu\n", totals.nr_frees);
	text_printf(text, "pgalloc_failed %lu\n", totals.nr_failed);
	text_printf(text, "pagecache_hits %lu\n", cache.nr_hits);
	text_printf(text, "pagecache_misses %lu\n", cache.nr_misses);
	text_printf(text, "pagecache_evicted %lu\n", cache.nr_evicted);
	text_printf(text, "pagecache_written %lu\n", cache.nr_written);
	text_printf(text, "readahead_pages %lu\n", cache.nr_ahead);
	text_printf(text, "readahead_used %lu\n", cache.nr_ahead_used);
	if (device) {
		text_printf(text, "disk_reads %lu\n", __atomic_load_n(&device->nr_reads, __ATOMIC_RELAXED));
		text_printf(text, "disk_writes %lu\n", __atomic_load_n(&device->nr_writes, __ATOMIC_RELAXED));
	}
	return 0;
}

const struct proc_node meminfo_node = {.name = "meminfo", .mode = 0444, .show = meminfo_show};
const struct proc_node vmstat_node = {.name = "vmstat", .mode = 0444, .show = vmstat_show};
