/* SPDX-License-Identifier: MIT */
/*
 * free: where the machine's memory is, by what it holds and by size of free blocks, and whether the parts add up.
 * Status 1 when they do not.
 */
#include "ulib.h"

static const char *const kind_names[16] = {
#define KIND(ev_kind, ev_value, ev_text) [ev_value] = ev_text,
#include <kernel/page_kinds.def>
#undef KIND
};

static void print_meminfo(void)
{
	char *text = read_file("/proc/meminfo", NULL);

	if (text)
		printf("\n/proc/meminfo:\n%s", text);
	free(text);
}

int main(int argc, char **argv)
{
	struct freemem info;
	uint64_t sum = 0, on_lists = 0;

	int err = freemem_read(&info);
	if (err < 0)
		die("free: %s", error_text(err));
	printf("pages of 4096 bytes; %lu harts\n\n%-12s %8lu\n", info.nr_harts, "managed", info.total);
	for (size_t kind = 0; kind < ARRAY_SIZE(kind_names); kind++) {
		sum += info.by_kind[kind];
		if (info.by_kind[kind])
			printf("  %-10s %8lu\n", kind_names[kind] ? kind_names[kind] : "?",
			       info.by_kind[kind]);
	}
	bool adds_up = sum == info.total;
	printf("%-12s %8lu  %s\n", "sum", sum, adds_up ? "OK" : "DIFFERS");
	printf("%-12s %8lu  (buddy and per-hart caches)\n", "free", info.free);
	printf("%-12s %8lu  dirty pages of files\n", "dirty", info.cached_dirty);
	printf("%-12s %8lu  bytes in struct page: %lu\n", "tracker", info.tracker_pages,
	       info.struct_page_bytes);

	printf("\norder ");
	for (size_t order = 0; order < ARRAY_SIZE(info.by_order); order++)
		printf("%7lu", order);
	printf("\nblocks");
	for (size_t order = 0; order < ARRAY_SIZE(info.by_order); order++) {
		printf("%7lu", info.by_order[order]);
		on_lists += info.by_order[order] << order;
	}
	printf("\nin blocks: %lu pages, %s\n", on_lists, on_lists == info.by_kind[0] ? "OK" : "DIFFERS");
	printf("\ntrace: %lu events, %lu discarded, %lu overwritten, %lu stacks; incidents: %lu\n",
	       info.trace_recorded, info.trace_discarded, info.trace_overwritten, info.trace_stacks,
	       info.incidents);
	if (argc < 2 || strcmp(argv[1], "-s") != 0)
		print_meminfo();
	return !adds_up;
}
