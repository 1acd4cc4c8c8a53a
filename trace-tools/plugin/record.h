/* SPDX-License-Identifier: MIT
 *
 * record: fills in the records of the trace (kernel/include/kernel/events.def) and hands them to the writer.
 *
 * Kind and holder of a stranger's page are unknown: page events carry kind "kernel" (15), ref kind and holder 0; the
 * metadata's `kinds = 0` tells readers not to print them.
 */
#ifndef PLUGIN_RECORD_H
#define PLUGIN_RECORD_H

#include <stdint.h>
#include <uapi/trace_format.h>

#include "pages.h"

void record_page(const struct act *act, enum trace_event event, uint64_t pa, unsigned order, uint32_t index,
		 uint64_t before, uint64_t after, uint16_t holder);
/* mark and panic; at most 16 bytes of the text. */
void record_name(unsigned hart, enum trace_event event, uint8_t kind, const char *text);
void record_oom(const struct act *act, uint64_t pages);

#endif
