/* SPDX-License-Identifier: MIT */
/*
 * trace: event records in per-hart rings whose bytes are CTF 1.8 packets, and the stack depot.
 *
 * Problem: to say which call of which function lost a page, each alloc, get, put and free must be kept with its stack, millions of them,
 * without the kernel stopping for it, and so that a machine that dies leaves a readable trace. Idea: a record is 32 bytes in a ring of its
 * own hart, written without a lock; a stack is stored once and named by a number; and the ring's bytes are already the file format, so that
 * the host copies memory and nothing is converted.
 *
 *     time 4711  page_alloc pagecache pfn 0x80412 cache inode 12 index 3 pid 4 count 0 -> 1  stack 113
 *     stack 113: pagecache_get, inode_read_cached, file_read, sys_read, upcall_syscall, ...
 *
 * Why one event for each act and not counters per call site: counters tell how much is live, never which get had no put.
 *
 * Below mm: recording never allocates, never sleeps and takes no lock but `depot`, and that only when a
 * stack is seen for the first time. Callable from any context with any lock held.
 *
 * TRACE-1  a packet is valid at every instant: record, then packet end time, then content size (release).
 * TRACE-2  packets of a hart have consecutive sequence numbers; discards are counted in each header.
 * TRACE-3  a stack is in the depot before the first record that names it is published.
 * TRACE-4  times within one hart's stream and within the depot do not go backwards.
 *
 * All memory that the host reads (`struct trace_desc`, rings, depot) is described in uapi/trace_format.h.
 */
#ifndef KERNEL_TRACE_H
#define KERNEL_TRACE_H

#include <kernel/arch.h>
#include <kernel/types.h>
#include <uapi/trace_format.h>

/* An event's holder: who the reference belongs to. Meaning of id and index by ref kind: ref_kinds.def. */
struct holder {
	u32 id; /* 16 bits; a whole half, so that a holder is one register and moves as one */
	u32 index;
};
#define HOLDER(id_, index_) ((struct holder){(u16)(id_), (u32)(index_)})
#define HOLDER_NONE HOLDER(0, 0)

/* Bit (1 << category) set: events of the category are recorded. One load and one branch when off. */
extern u32 trace_mask;
static inline bool trace_on(u32 category) /* enum trace_category */
{
	return trace_mask & (1U << category);
}

/*
 * Gives trace its memory, before mm exists. memory is page aligned and zeroed. Mode and sizes from
 * bootargs: trace=stream|flight|off (default flight), trace.mask=HEX, trace.rings=KIB per hart.
 */
size_t trace_memory_wanted(u64 ram_bytes, u32 nr_harts); /* bytes, page multiple */
void trace_init(void *memory, size_t size_bytes, u32 nr_harts);

/* Records one event with the caller's stack. The macro tests the mask before anything is evaluated. */
#define TRACE(ev, kind_, flags_, ...)                                                                        \
	do {                                                                                                 \
		if (trace_on(TRACE_CATEGORY_##ev))                                                           \
			trace_record(EV_##ev, (kind_), (flags_), true,                                       \
				     &(union trace_payload){.ev_payload_##ev = {__VA_ARGS__}});              \
	} while (0)
/* The same without a stack (marks, samples). */
#define TRACE_BARE(ev, kind_, flags_, ...)                                                                   \
	do {                                                                                                 \
		if (trace_on(TRACE_CATEGORY_##ev))                                                           \
			trace_record(EV_##ev, (kind_), (flags_), false,                                      \
				     &(union trace_payload){.ev_payload_##ev = {__VA_ARGS__}});              \
	} while (0)

/* A record as three words, the time left out: what follows it, and the payload. */
void trace_record_words(u64 head, u64 payload0, u64 payload1);
/* The same where interrupts are off by irq_push. */
void trace_record_locked(u64 head, u64 payload0, u64 payload1);
/* Two records, as the former, one behind the other, at one time, with the same first word of payload. */
void trace_record_two(u64 head, u64 next_head, u64 payload0, u64 payload1, u64 next_payload1);
static inline u64 trace_record_head(enum trace_event event, u8 kind, u8 flags, u32 stack)
{
	return (u64)event | (u64)flags << 16 | (u64)kind << 24 | (u64)stack << 32;
}
/* The same where event, flags and kind leave the sign free (TRACE_KIND_MAX): then nothing must be masked. */
#define TRACE_KIND_MAX 127
static inline u64 trace_record_head_signed(s32 event, s32 kind, s32 flags, u32 stack)
{
	return (u64)(event | flags << 16 | kind << 24) | (u64)stack << 32;
}
/* With a stack that the caller has already: one unwind serves several records and the page's owner field. 0: none. */
static inline void trace_record_with(enum trace_event event, u8 kind, u8 flags, u32 stack,
				     const union trace_payload *payload)
{
	trace_record_words(trace_record_head(event, kind, flags, stack), payload->words[0],
			   payload->words[1]);
}

/*
 * Records what later records lean on (the name of a cache), and keeps it: in flight mode it is recorded again each time
 * the boot hart's ring has come round, so that it is never older than the oldest packet. Boot only, at most 32 of them.
 */
void trace_record_fact(enum trace_event event, const union trace_payload *payload);

/*
 * The stack as a depot id (0: none, the depot is full, or the mode is TRACE_OFF). For page_owner's benefit even when
 * the event is masked. skip = 0 begins with the place in the function that calls this, 1 in that function's caller.
 */
extern bool trace_stacks_on; /* the mode is not TRACE_OFF */
/* frame: of the function that calls this. */
u32 trace_stack_find(const void *frame, u32 skip);
static inline __attribute__((always_inline)) u32 trace_stack_here(u32 skip)
{
	return LIKELY(trace_stacks_on) ? trace_stack_find(__builtin_frame_address(0), skip) : 0;
}

/* Inline, so that the stack begins in the function that records. */
static inline __attribute__((always_inline)) void
trace_record(enum trace_event event, u8 kind, u8 flags, bool with_stack, const union trace_payload *payload)
{
	trace_record_with(event, kind, flags, with_stack ? trace_stack_here(0) : 0, payload);
}

/* Frames of a stack, as va - PHYS_OFFSET, innermost first; returns how many (0: unknown id). */
u32 trace_stack_frames(u32 stack, const u32 **frames);
u32 trace_nr_stacks(void);

/* Totals over all rings. */
struct trace_totals {
	u64 recorded;    /* events ever written */
	u64 discarded;   /* events dropped because the consumer did not come (stream) */
	u64 overwritten; /* events lost to age (flight recorder) */
	u64 stacks_dropped;
};
void trace_totals(struct trace_totals *totals);
/* Copies up to len bytes of the newest whole records of all harts (32 bytes each, hart by hart). Returns bytes. */
size_t trace_newest(void *buf, size_t size_bytes);

/*
 * Reading inside the guest (/proc/ktrace): copies the packet at or after *cursor of `hart` (its sequence
 * number), whole, `packet_bytes` long. Returns bytes, 0 when there is none; *cursor moves past it. The open packet
 * comes too, as it is at that moment. In stream mode without a host consumer, reading a closed packet consumes it.
 * hart == nr_harts reads the depot's one packet, piece by piece: there *cursor is a byte offset.
 */
size_t trace_read_packet(u32 hart, u64 *cursor, void *buf, size_t size_bytes);

void trace_set_mask(u32 mask);
enum trace_mode trace_mode(void);
int trace_set_mode(enum trace_mode mode);

extern struct trace_desc trace_desc; /* machine fields are boot's, before trace_init, which sets the rest */

/* pid of the task that acts, for the payload. Set by sched at every switch. 0 before. */
static inline u16 trace_current_pid(void)
{
	return this_hart()->pid;
}

#endif
