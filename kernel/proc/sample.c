/* SPDX-License-Identifier: MIT */
/* The points of the free-page curve. */
#include "proc_priv.h"

void proc_sample(void)
{
	struct pagecache_totals cache;

	if (!trace_on(TRACE_CATEGORY_sample))
		return;
	pagecache_totals(&cache);
	TRACE_BARE(sample, 0, 0, .free_pages = page_nr_free(), .pcp_pages = page_nr_parked(),
		   .cache_pages = (u32)cache.nr_pages, .dirty_pages = (u32)cache.nr_dirty);
}
