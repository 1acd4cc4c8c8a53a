/* SPDX-License-Identifier: MIT */
/*
 * ram_audit_counts: the kernel's reference counts against the mappings that were found. See ram_audit.h.
 *
 * What a count counts differs: one more than the others' mappings, one for the kernel's own pointer, nothing for pages
 * that are not mapped. So the rule is learned: among pages that user programs map, the difference of count and leaves that
 * most pages have. It must hold for nearly all, and for several, before the others are called wrong.
 *
 * Before that, what stands in RAM is compared with what the trace says of each live page: where the two differ, a change was
 * not seen. Example: a count of 3 in RAM, whose page had events "alloc, 1" and "get, 2": some code took one unseen.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/util.h"
#include "ram_audit_priv.h"

#define DIFFERENCE_MAX 2 /* of count and leaves, in a rule */
#define PAGES_NEEDED 4
#define WRONG_IN_RULE 8 /* at most one of so many may differ */

struct counts {
	const struct kd_item *item;
	uint64_t address, stride, offset, bytes, nr;
	int64_t *by_page; /* -1: no count */
};

static uint64_t number_of(struct ram_audit *audit, const struct kd_item *item, const char *key,
			  uint64_t otherwise)
{
	uint64_t value;

	return kd_get(item, key) && memory_value(audit, kd_get(item, key), 0, 0, &value) ? value : otherwise;
}

static bool open_counts(struct ram_audit *audit, const struct kd_item *item, struct counts *counts)
{
	struct place place;
	char *error;

	*counts = (struct counts){.item = item};
	if (kd_get(item, "in")) {
		counts->offset = number_of(audit, item, "off", 0);
		counts->bytes = number_of(audit, item, "elem", 4);
		counts->address = audit->inside->frames;
		counts->stride = audit->inside->frame_bytes;
		counts->nr = audit->inside->nr_frames;
		return counts->stride && counts->bytes <= 8;
	}
	if (!kd_get(item, "page"))
		return false;
	if (!place_find(audit->inside->types, item->subject, &place, &error)) {
		ram_audit_reason(audit, "%s", error);
		free(error);
		return false;
	}
	if (type_kind(place.type) == TYPE_ARRAY && place.nr == 1) {
		place.nr = type_count(place.type);
		place.type = type_target(place.type);
		place.stride = type_size(place.type);
	}
	counts->address = place.address;
	counts->bytes = number_of(audit, item, "elem", type_size(place.type));
	counts->offset = number_of(audit, item, "off", 0);
	counts->stride = number_of(audit, item, "stride", place.type ? place.stride : counts->bytes);
	uint64_t size = number_of(audit, item, "size", place.type ? place.nr * counts->stride : place.bytes);
	counts->nr = counts->stride ? size / counts->stride : 0;
	return counts->nr && counts->nr <= 16ULL * audit->nr_pages && counts->bytes <= 8;
}

/* Most descriptions go up by the same for each element: then two of them tell all. */
static bool page_of_element(struct ram_audit *audit, const struct counts *counts, uint64_t i, uint64_t *value)
{
	if (kd_get(counts->item, "in")) {
		*value = audit->inside->frames_pa + (i << PAGE_SHIFT);
		return true;
	}
	return memory_value(audit, kd_get(counts->item, "page"), i, 0, value);
}

static bool read_counts(struct ram_audit *audit, struct counts *counts)
{
	uint64_t first, second, third, value, step = 0;
	const char *form = kd_get(counts->item, "value");

	if (!page_of_element(audit, counts, 0, &first) || !page_of_element(audit, counts, 1, &second) ||
	    !page_of_element(audit, counts, 2, &third))
		return false;
	bool even = third - second == second - first;
	step = second - first;
	counts->by_page = xcalloc(audit->nr_pages, sizeof(*counts->by_page));
	for (uint32_t i = 0; i < audit->nr_pages; i++)
		counts->by_page[i] = -1;
	for (uint64_t i = 0; i < counts->nr; i++) {
		uint64_t page_value = first + i * step;
		if (!even && !page_of_element(audit, counts, i, &page_value))
			return false;
		uint32_t page = memory_typed_page(audit, kd_get(counts->item, "type"), "pa", page_value);
		if (page == NO_PAGE ||
		    !memory_load(audit, counts->address + i * counts->stride + counts->offset, counts->bytes,
				 &value))
			continue;
		if (form && !memory_value(audit, form, i, value, &value))
			return false;
		counts->by_page[page] = (int64_t)(value & 0x7fffffff);
	}
	return true;
}

/* What a page's count is above its leaves; INT64_MAX: it has none, or user programs do not map it. */
static int64_t difference(const struct ram_audit *audit, const struct counts *counts, uint32_t i)
{
	const struct audited_page *page = &audit->pages[i];

	if (counts->by_page[i] < 0 || !page->user_leaves || !page->managed || page->listed)
		return INT64_MAX;
	return counts->by_page[i] - (int64_t)page->user_leaves - (int64_t)page->kernel_leaves;
}

/* False: no rule holds. */
static bool learn_rule(const struct ram_audit *audit, const struct counts *counts, int64_t *rule)
{
	uint64_t nr[2 * DIFFERENCE_MAX + 1] = {0}, total = 0, best = 0;

	for (uint32_t i = 0; i < audit->nr_pages; i++) {
		int64_t found = difference(audit, counts, i);
		total += found != INT64_MAX;
		if (found >= -DIFFERENCE_MAX && found <= DIFFERENCE_MAX)
			nr[found + DIFFERENCE_MAX]++;
	}
	for (uint64_t i = 1; i < 2 * DIFFERENCE_MAX + 1; i++)
		best = nr[i] > nr[best] ? i : best;
	*rule = (int64_t)best - DIFFERENCE_MAX;
	return total >= PAGES_NEEDED && (total - nr[best]) * WRONG_IN_RULE <= total;
}

static void compare(struct ram_audit *audit, const struct counts *counts)
{
	char text[96];
	int64_t rule;

	if (!learn_rule(audit, counts, &rule)) {
		ram_audit_reason(
		    audit, "the counts %s follow no rule that the mappings show, so they were not compared",
		    counts->item->subject);
		return;
	}
	for (uint32_t i = 0; i < audit->nr_pages; i++) {
		int64_t found = difference(audit, counts, i);
		const struct audited_page *page = &audit->pages[i];
		if (found == INT64_MAX || found == rule)
			continue;
		audit_note(audit, found > rule ? FAULT_OVER : FAULT_UNDER, ram_audit_pa(audit, i),
			   "%s says %" PRId64 ", %" PRId64 " would fit its %u mapping%s, one of which is %s",
			   counts->item->subject, counts->by_page[i], counts->by_page[i] - found + rule,
			   page->user_leaves + page->kernel_leaves,
			   plural_s(page->user_leaves + page->kernel_leaves),
			   ram_audit_holder(&page->holder, text, sizeof(text)));
	}
}

/* ---- against the trace ---- */

#define COUNT_IN_RECORD UINT16_MAX /* a record's count is no larger */

static bool is_count_of_trace(int32_t told, int64_t there)
{
	if (there > COUNT_IN_RECORD)
		there = COUNT_IN_RECORD;
	return told == there || (told == COUNT_FIRST && (there == 0 || there == 1));
}

static void compare_with_trace(struct ram_audit *audit, const struct counts *counts)
{
	const struct page_life_map *map = &audit->inside->trace;
	uint64_t first = 0;

	audit->counts_checked = true;
	for (uint32_t i = 0; i < audit->nr_pages; i++) {
		if (counts->by_page[i] < 0 || map->life[i] != LIFE_LIVE || audit->pages[i].listed)
			continue;
		if (is_count_of_trace(map->count[i], counts->by_page[i]))
			audit->nr_counts_equal++;
		else if (map->count[i] == COUNT_UNTOLD)
			audit->nr_counts_untold += counts->by_page[i] != 0;
		else if (audit->nr_counts_differ++ == 0)
			first = ram_audit_pa(audit, i);
	}
	if (audit->nr_counts_differ)
		ram_audit_reason(audit,
				 "the count %s of %" PRIu64
				 " live pages is another in RAM than in the trace, that of 0x%" PRIx64
				 " for one",
				 counts->item->subject, audit->nr_counts_differ, first);
}

/* The trace has one count for a page: where several things tell of it, none of them is it. */
static bool is_told_by_one(const struct ram_audit *audit)
{
	const struct kd *kd = audit->kernel->kd;

	return audit->inside->trace.life && !kd_item(kd, KD_COUNT, 1) && !kd_item(kd, KD_GET, 0) &&
	       !kd_item(kd, KD_PUT, 0);
}

void counts_compare(struct ram_audit *audit)
{
	const struct kd_item *item;
	struct counts counts;

	for (size_t n = 0; (item = kd_item(audit->kernel->kd, KD_COUNT, n)); n++) {
		if (!open_counts(audit, item, &counts) || !read_counts(audit, &counts)) {
			free(counts.by_page);
			continue;
		}
		if (is_told_by_one(audit))
			compare_with_trace(audit, &counts);
		if (!kd_get(item, "in"))
			compare(audit, &counts);
		free(counts.by_page);
	}
}
