/* SPDX-License-Identifier: MIT */
/* /proc/buddyinfo and /proc/slabinfo (version 2.1), in Linux's formats (proc(5), slabinfo(5)). */
#include "procfs_priv.h"
#include <kernel/slab.h>

static int buddyinfo_show(struct proc_file *file, struct text *text)
{
	struct page_totals totals;

	page_totals(&totals);
	text_printf(text, "Node 0, zone   Normal ");
	for (u32 order = 0; order <= PAGE_MAX_ORDER; order++)
		text_printf(text, "%6lu ", totals.nr_by_order[order]);
	text_printf(text, "\n");
	return 0;
}

static int slabinfo_show(struct proc_file *file, struct text *text)
{
	text_printf(text, "slabinfo - version: 2.1\n");
	text_printf(
	    text,
	    "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables "
	    "<limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n");
	for (u32 id = 0; id < kmem_nr_caches(); id++) {
		struct kmem_cache_stats stats;

		kmem_cache_stats(id, &stats);
		text_printf(text, "%-17s %6u %6u %6u %4u %4u : tunables %4u %4u %4u : slabdata %6u %6u %6u\n",
			    stats.name, stats.nr_live, stats.nr_slabs * stats.per_slab, stats.object_bytes,
			    stats.per_slab, 1U, 0U, 0U, 0U, stats.nr_slabs, stats.nr_slabs, 0U);
	}
	return 0;
}

const struct proc_node buddyinfo_node = {.name = "buddyinfo", .mode = 0444, .show = buddyinfo_show};
const struct proc_node slabinfo_node = {.name = "slabinfo", .mode = 0444, .show = slabinfo_show};
