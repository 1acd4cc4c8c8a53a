/* SPDX-License-Identifier: MIT */
/*
 * /proc/ktrace: the trace as bytes, whole packets: those of each hart in turn, then the depot's one (docs/
 * TRACE-FORMAT.md), which so has every stack that the others name. In stream mode without a consumer on the host,
 * reading consumes.
 *
 * /proc/ktrace_ctl: reads as mode, mask and counts; takes "mode=stream|flight|off" and "mask=HEX".
 */
#include "procfs_priv.h"
#include <kernel/proc.h>
#include <kernel/trace.h>

/* cursor[0]: i hart i, nr_harts the depot; cursor[1]: trace_read_packet's. */
static ssize_t ktrace_piece(struct proc_file *file, void *buffer, size_t size_bytes)
{
	while (file->cursor[0] <= nr_harts) {
		size_t size = trace_read_packet((u32)file->cursor[0], &file->cursor[1], buffer, size_bytes);

		if (size)
			return (ssize_t)size;
		file->cursor[0]++;
		file->cursor[1] = 0;
	}
	return 0;
}

static const char *const mode_names[] = {
    [TRACE_OFF] = "off", [TRACE_STREAM] = "stream", [TRACE_FLIGHT] = "flight"};

static int ktrace_ctl_show(struct proc_file *file, struct text *text)
{
	struct trace_totals totals;

	trace_totals(&totals);
	text_printf(text, "mode %s\n", mode_names[trace_mode()]);
	text_printf(text, "mask 0x%x\n", trace_mask);
	text_printf(text, "recorded %lu\n", totals.recorded);
	text_printf(text, "discarded %lu\n", totals.discarded);
	text_printf(text, "overwritten %lu\n", totals.overwritten);
	text_printf(text, "stacks %u\n", trace_nr_stacks());
	text_printf(text, "stacks_dropped %lu\n", totals.stacks_dropped);
	text_printf(text, "rings %u\n", trace_desc.nr_rings);
	text_printf(text, "packets %u\n", trace_desc.nr_packets);
	text_printf(text, "packet_bytes %u\n", trace_desc.packet_bytes);
	return 0;
}

static int set_mode(const char *name)
{
	for (u32 mode = 0; mode < ARRAY_SIZE(mode_names); mode++)
		if (strcmp(name, mode_names[mode]) == 0)
			return trace_set_mode((enum trace_mode)mode);
	return -EINVAL;
}

static int set_mask(const char *hex)
{
	u32 mask = 0;

	if (hex[0] == '0' && hex[1] == 'x')
		hex += 2;
	if (!*hex || strlen(hex) > 8)
		return -EINVAL;
	for (; *hex; hex++) {
		const char *digits = "0123456789abcdef";
		const char *digit = strchr(digits, *hex);

		if (!digit)
			return -EINVAL;
		mask = mask << 4 | (u32)(digit - digits);
	}
	if (mask & ~TRACE_MASK_ALL)
		return -EINVAL;
	trace_set_mask(mask);
	return 0;
}

static int ktrace_ctl_write(struct proc_file *file, const char *text)
{
	if (!proc_may_debug())
		return -EPERM;
	if (strncmp(text, "mode=", 5) == 0)
		return set_mode(text + 5);
	if (strncmp(text, "mask=", 5) == 0)
		return set_mask(text + 5);
	return -EINVAL;
}

/* A block takes one packet of at most 64 KiB. */
const struct proc_node ktrace_node = {.name = "ktrace", .mode = 0400, .order = 4, .piece = ktrace_piece};
const struct proc_node ktrace_ctl_node = {
    .name = "ktrace_ctl", .mode = 0644, .show = ktrace_ctl_show, .write = ktrace_ctl_write};
