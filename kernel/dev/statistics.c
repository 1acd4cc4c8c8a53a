/* SPDX-License-Identifier: MIT */
/*
 * The device `statistics` (major 2): what kalloctest-like programs read to learn whether harts wait for each other in
 * the allocators. The first number behind a '=' is the sum of failed test-and-sets on the locks of the page allocator
 * and the page cache; the lines after it say whose they were.
 *
 * The end is an error, not 0: those programs read until -1. A further read begins at the start again, with new
 * numbers.
 */
#include <kernel/dev.h>
#include <kernel/errno.h>
#include <kernel/lib.h>
#include <kernel/spinlock.h>

#define TEXT_BYTES 256

static const enum lock_rank ranks[] = {LOCK_pcp, LOCK_buddy, LOCK_mapping, LOCK_lru};

static void build_text(struct text *text)
{
	u64 total = 0;

	for (u32 i = 0; i < ARRAY_SIZE(ranks); i++)
		total += lock_rank_contended(ranks[i]);
	text_printf(text, "tot= %lu\n", total);
	for (u32 i = 0; i < ARRAY_SIZE(ranks); i++)
		text_printf(text, "%s %lu\n", lock_rank_name(ranks[i]), lock_rank_contended(ranks[i]));
}

static ssize_t statistics_read(uaddr_t dst, size_t size_bytes, u64 *offset)
{
	char buffer[TEXT_BYTES];
	struct text text = {.buf = buffer, .capacity_bytes = sizeof(buffer)};
	/* Once: others may share the file, and nothing guards its position. */
	u64 at = __atomic_load_n(offset, __ATOMIC_RELAXED);
	size_t length, part;

	build_text(&text);
	length = MIN(text.length_bytes, sizeof(buffer) - 1);
	if (at >= length) {
		*offset = 0;
		return -ENXIO;
	}
	part = MIN(size_bytes, length - at);
	if (copy_to_user(dst, buffer + at, part))
		return -EFAULT;
	*offset = at + part;
	return (ssize_t)part;
}

static const struct char_device statistics_device = {.name = "statistics", .read = statistics_read};

void statistics_init(void)
{
	dev_register(DEV_MAJOR_STATISTICS, &statistics_device);
}
