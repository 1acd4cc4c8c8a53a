/* SPDX-License-Identifier: MIT
 *
 * writer: the events of each hart as CTF packets in a file of their own (RUN/trace/hartN).
 *
 * Problem: QEMU may be killed at any instant, and what was recorded until then must be readable. Idea: the files are mapped
 * memory, so what is stored is in the file, whoever dies. Each packet is opened by a write of its header (an empty packet,
 * cut off behind the header), then the file grows by the rest of the packet, then records are stored, each followed by the end time
 * and, with release, the content size: the same order as in the kernel's own rings (docs/TRACE-FORMAT.md).
 *
 * WRITER-1  At every instant the file is a sequence of whole packets with at most the last one partly filled: no tail of
 *           zeros that a reader would have to know about.
 * WRITER-2  The file of a hart is written by that hart's thread alone. writer_close may run beside it: `closing` and
 *           `busy` are each stored before the other is loaded, so that nobody writes behind the trimmed end.
 * WRITER-3  Times are unique over all harts and grow: writer_clock() gives max(now, last + 1). Within a hart records are
 *           written in the order of their times.
 * WRITER-4  A full disk ends the recording of that hart; what is lost is counted in the packet's header, never silent.
 */
#ifndef PLUGIN_WRITER_H
#define PLUGIN_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <uapi/trace_format.h>

/* Takes RUN/trace as the folder; it exists. */
void writer_open(const char *folder, uint32_t boot_id); /* 0: one is chosen */
/* In units of 100 ns since the machine began. */
uint64_t writer_clock(void);
uint64_t writer_last_time(void); /* what the clock gave last, to anyone */
void writer_record(unsigned hart, const struct trace_record *record);
void writer_close(void);
uint64_t writer_recorded(void);
uint64_t writer_discarded(void);
uint32_t writer_boot_id(void);

/* Shared with the depot: makes the file `bytes` long with room on the disk; false: there is none. */
bool writer_grow(int fd, uint64_t bytes);

#endif
