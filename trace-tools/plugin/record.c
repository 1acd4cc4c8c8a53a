/* SPDX-License-Identifier: MIT
 *
 * record: see record.h.
 */
#include "record.h"

#include <string.h>

#include "bounds.h"
#include "writer.h"

static uint16_t clamp(uint64_t value)
{
	return value < UINT16_MAX ? (uint16_t)value : UINT16_MAX;
}

void record_page(const struct act *act, enum trace_event event, uint64_t pa, unsigned order, uint32_t index,
		 uint64_t before, uint64_t after, uint16_t holder)
{
	struct trace_record record = {
	    .time = writer_clock(),
	    .event = (uint16_t)event,
	    .flags = (uint8_t)(PK_KERNEL << 4 | order),
	    .stack = act->stack,
	};
	struct trace_payload_page page = {
	    .pfn = (uint32_t)(pa >> PAGE_SHIFT),
	    .index = index,
	    .before = clamp(before),
	    .after = clamp(after),
	    .pid = act->pid,
	    .holder = holder,
	};

	memcpy(&record.payload, &page, sizeof(page));
	writer_record(act->hart, &record);
}

void record_name(unsigned hart, enum trace_event event, uint8_t kind, const char *text)
{
	struct trace_record record = {.time = writer_clock(), .event = (uint16_t)event, .kind = kind};

	memcpy(record.payload.bytes, text, strnlen(text, sizeof(record.payload.bytes)));
	writer_record(hart, &record);
}

void record_oom(const struct act *act, uint64_t pages)
{
	struct trace_record record = {.time = writer_clock(), .event = EV_oom, .stack = act->stack};
	struct trace_payload_task task = {.pid = act->pid, .value = (uint32_t)pages};

	memcpy(task.name, act->hook, strnlen(act->hook, sizeof(task.name)));
	memcpy(&record.payload, &task, sizeof(task));
	writer_record(act->hart, &record);
}
