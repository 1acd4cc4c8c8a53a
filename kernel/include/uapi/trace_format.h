/* SPDX-License-Identifier: MIT */
/*
 * The trace as bytes: shared by the kernel, the host tools and the tests (all little endian).
 * The words are explained in docs/TRACE-FORMAT.md. Source for the packet layout: CTF 1.8.3.
 */
#ifndef UAPI_TRACE_FORMAT_H
#define UAPI_TRACE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

enum trace_category {
	TRACE_CATEGORY_PAGE,   /* page life: alloc, free, kind */
	TRACE_CATEGORY_REF,    /* get, put */
	TRACE_CATEGORY_OBJECT, /* slab objects */
	TRACE_CATEGORY_TASK,   /* processes, address spaces, inodes */
	TRACE_CATEGORY_ALWAYS, /* marks, samples, findings, the end */
	TRACE_CATEGORY_NR,
};
#define TRACE_MASK_ALL ((1U << TRACE_CATEGORY_NR) - 1)

enum trace_mode { TRACE_OFF, TRACE_STREAM, TRACE_FLIGHT };

/* ---- generated from events.def: ids, categories, payload structs ---- */

#define F_U16(ev_field) uint16_t ev_field;
#define F_U32(ev_field) uint32_t ev_field;
#define F_TEXT(ev_field, ev_bytes) char ev_field[ev_bytes];
#define LAYOUT(ev_layout, fields)                                                                            \
	struct trace_payload_##ev_layout {                                                                   \
		fields                                                                                       \
	};                                                                                                   \
	_Static_assert(sizeof(struct trace_payload_##ev_layout) == 16, "payload of 16 bytes");
#include <kernel/events.def>

enum trace_event {
#define EVENT(ev_name, ev_id, ev_layout, ev_category, ev_help) EV_##ev_name = ev_id,
#include <kernel/events.def>
};

enum {
#define EVENT(ev_name, ev_id, ev_layout, ev_category, ev_help)                                               \
	TRACE_CATEGORY_##ev_name = TRACE_CATEGORY_##ev_category,
#include <kernel/events.def>
};

/* One member per event, so that TRACE() can name fields of any of them. */
union trace_payload {
#define EVENT(ev_name, ev_id, ev_layout, ev_category, ev_help)                                               \
	struct trace_payload_##ev_layout ev_payload_##ev_name;
#include <kernel/events.def>
	uint8_t bytes[16];
	uint64_t words[2]; /* also gives the union its alignment */
};
#undef F_U16
#undef F_U32
#undef F_TEXT

enum page_kind {
#define KIND(ev_kind, ev_value, ev_text) PK_##ev_kind = ev_value,
#include <kernel/page_kinds.def>
#undef KIND
	PK_NR = 16,
};
enum ref_kind {
#define REF(ev_ref, ev_value, ev_text, ev_id, ev_index, ev_many) REF_##ev_ref = ev_value,
#include <kernel/ref_kinds.def>
#undef REF
	REF_NR,
};
enum verdict {
	VERDICT_NONE,
#define VERDICT(ev_verdict, ev_value, ev_leak, ev_text) VERDICT_##ev_verdict = ev_value,
#include <kernel/verdicts.def>
#undef VERDICT
	VERDICT_NR,
};

/* ---- records ---- */

struct trace_record {
	uint64_t time; /* `time` CSR, 10 MHz */
	uint16_t event;
	uint8_t flags;
	uint8_t kind;
	uint32_t stack; /* depot id, 0: none */
	union trace_payload payload;
};
_Static_assert(sizeof(struct trace_record) == 32, "record of 32 bytes");

#define TRACE_STACK_FRAMES 12
#define TRACE_STACK_EVENT 1 /* event id within the stack stream */

/* The depot is an array of these behind one packet header; the id of a stack is its position, from 1. */
struct trace_stack {
	uint64_t time;  /* when first seen */
	uint16_t event; /* TRACE_STACK_EVENT */
	uint8_t nr_frames;
	uint8_t zero;
	uint32_t stack;
	uint32_t frames[TRACE_STACK_FRAMES]; /* return address - PHYS_OFFSET, innermost first; unused: 0 */
};
_Static_assert(sizeof(struct trace_stack) == 64, "stack of 64 bytes");

#define TRACE_MAGIC 0xC1FC1FC1U
#define TRACE_STREAM_EVENTS 0
#define TRACE_STREAM_STACKS 1

struct trace_packet_header {
	uint32_t magic;
	uint16_t stream;   /* TRACE_STREAM_* */
	uint16_t instance; /* hart index; 0 for the depot */
	uint64_t packet_size_bits;
	uint64_t content_size_bits; /* header included; stored last, with release */
	uint64_t begin_time;
	uint64_t end_time;
	uint64_t sequence;         /* of this packet in its stream instance, from 0 */
	uint64_t events_discarded; /* so far, in this stream instance */
	uint32_t cpu;
	uint32_t boot_id; /* time of boot, low half: the same in every packet of one boot */
};
_Static_assert(sizeof(struct trace_packet_header) == 64, "packet header of 64 bytes");

/*
 * What the host looks for in guest RAM: symbol `trace_desc` of the kernel ELF, or the magic at a page
 * boundary plus 0. Physical addresses. Guest and host both write; who writes what is said per field.
 */
#define TRACE_DESC_MAGIC 0x314C494152544750ULL /* "PGTRAIL1" */
#define TRACE_DESC_VERSION 2
#define TRACE_BUILD_ID_BYTES 20 /* a SHA-1, by which the linker names what it linked */

struct trace_ring_desc {
	uint64_t base_pa; /* guest; nr_packets packets, back to back */
	uint64_t
	    opened; /* guest: packets ever opened; the current one is number opened - 1 (mod nr_packets) */
	uint64_t consumed;  /* host (or /proc reader in stream mode): packets done with; only closed ones */
	uint64_t discarded; /* guest: events */
	uint64_t recorded;  /* guest: events */
	uint64_t pad[3];    /* a cache line of its own */
};

struct trace_desc {
	uint64_t magic;   /* guest, last */
	uint32_t version; /* TRACE_DESC_VERSION */
	uint32_t nr_rings;
	uint32_t packet_bytes;
	uint32_t nr_packets; /* in each ring */
	uint64_t depot_pa;   /* packet header, then stacks */
	uint64_t depot_bytes;
	uint32_t mode; /* enum trace_mode, guest */
	uint32_t
	    consumer; /* host: 1 attached, 0 gone. Stream mode waits for the consumer only while this is 1 */
	uint64_t ram_start, ram_end;
	uint64_t image_start, image_end;
	uint64_t ramdisk_start, ramdisk_end;
	uint64_t panic_pa; /* struct panic_info, or 0 while all is well */
	uint64_t boot_time;
	uint64_t page_array_pa; /* struct page[], first is ram_start's */
	uint64_t nr_pages;
	uint64_t exit_status; /* guest: what it gives the finisher, + 1; 0 while running */
	/* Guest: the build id of its own ELF. Symbols of an ELF with another one are those of another kernel. */
	uint8_t build_id[TRACE_BUILD_ID_BYTES];
	uint8_t pad[36];
	struct trace_ring_desc rings[8];
};
_Static_assert(offsetof(struct trace_desc, rings) % 64 == 0, "each ring has a cache line of its own");

#endif
