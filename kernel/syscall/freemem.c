/* SPDX-License-Identifier: MIT */
/*
 * freemem: what the machine's memory is used for, and the newest events. The bracket for any test.
 *
 * by_kind[] adds up to total exactly, at any moment: page_totals reads them all under all locks.
 */
#include "syscall_priv.h"
#include <kernel/audit.h>
#include <uapi/freemem.h>

#define EVENTS_ORDER 2 /* of the bounce buffer: that many events at most are given */

static void __attribute__((noinline)) fill_pages(struct freemem *info)
{
	struct page_totals totals;
	u64 array_bytes = (u64)nr_pages * sizeof(struct page);

	page_totals(&totals);
	info->total = totals.nr_managed;
	info->firmware = totals.nr_firmware;
	info->free = totals.nr_free + totals.nr_by_kind[PK_PCP];
	STATIC_ASSERT(sizeof(info->by_kind) == sizeof(totals.nr_by_kind), "one number a kind");
	STATIC_ASSERT(sizeof(info->by_order) == sizeof(totals.nr_by_order), "one number an order");
	STATIC_ASSERT(sizeof(info->per_hart) == sizeof(totals.nr_pcp), "one number a hart");
	memcpy(info->by_kind, totals.nr_by_kind, sizeof(info->by_kind));
	memcpy(info->by_order, totals.nr_by_order, sizeof(info->by_order));
	memcpy(info->per_hart, totals.nr_pcp, sizeof(info->per_hart));
	info->struct_page_bytes = sizeof(struct page);
	info->tracker_pages = totals.nr_by_kind[PK_TRACE] + PAGE_ALIGN_UP(array_bytes) / PAGE_SIZE;
}

static void __attribute__((noinline)) fill_rest(struct freemem *info)
{
	struct pagecache_totals cache;
	struct trace_totals trace;

	pagecache_totals(&cache);
	trace_totals(&trace);
	info->version = FREEMEM_VERSION;
	info->cached_dirty = cache.nr_dirty;
	info->trace_recorded = trace.recorded;
	info->trace_discarded = trace.discarded;
	info->trace_overwritten = trace.overwritten;
	info->trace_stacks = trace_nr_stacks();
	info->incidents = audit_nr_incidents();
	info->nr_harts = nr_harts;
	info->time = arch_time();
}

static s64 copy_events(uaddr_t dst, u64 size_bytes)
{
	struct holder holder = HOLDER(current_task()->pid, 0);
	size_t size = MIN(size_bytes, PAGE_SIZE << EVENTS_ORDER);
	struct page *block;
	s64 result;

	block = page_alloc(size > PAGE_SIZE ? EVENTS_ORDER : 0, PK_KERNEL, REF_OWNER, holder, 0);
	if (!block)
		return -ENOMEM;
	size = trace_newest(page_to_va(block), size);
	result = copy_to_user(dst, page_to_va(block), size) ? -EFAULT : (s64)size;
	page_put(block, REF_OWNER, holder);
	return result;
}

s64 sys_freemem(const u64 *arg)
{
	struct freemem info;
	u32 size;
	s64 result = 0;

	if (copy_from_user(&size, arg[0], sizeof(size)))
		return -EFAULT;
	if (size < sizeof(info.size) + sizeof(info.version))
		return -EINVAL;
	if (arg[1]) {
		result = check_user_range(arg[1], arg[2]);
		if (result == 0)
			result = copy_events(arg[1], arg[2]);
		if (result < 0)
			return result;
	}
	/* After the events: their buffer is not to be counted. */
	memset(&info, 0, sizeof(info));
	fill_pages(&info);
	fill_rest(&info);
	info.size = MIN(size, (u32)sizeof(info));
	if (copy_to_user(arg[0], &info, info.size))
		return -EFAULT;
	return result;
}
