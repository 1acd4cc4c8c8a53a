/* SPDX-License-Identifier: MIT */
/*
 * format: names for the numbers of the trace, from the kernel's own tables (events.def and its fellows).
 *
 * Nothing here knows a number by heart: the enums and structs come from uapi/trace_format.h, the names and the
 * order of fields from the .def files, all by macro, so that a new event needs no change in the tools.
 */
#ifndef TOOLS_CTF_FORMAT_H
#define TOOLS_CTF_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uapi/layout.h>
#include <uapi/trace_format.h>

#define PAGE_BYTES (1U << PAGE_SHIFT)
/* Above this a value is no event id; everything indexed by event is this long. */
#define EVENT_ID_MAX 64

/* What the `kind` byte of a record means. */
enum kind_meaning {
	KIND_NOTHING,
	KIND_IS_PAGE_KIND,
	KIND_IS_REF,
	KIND_IS_VERDICT,
	KIND_IS_EDGE,
	KIND_IS_PART
};
/* What the `flags` byte means. */
enum flags_meaning { FLAGS_NOTHING, FLAGS_PAGE, FLAGS_SUBJECT };

struct field_info {
	const char *name;
	uint8_t offset; /* in the payload */
	uint8_t bytes;
	bool text;
};

#define FIELDS_MAX 8

struct event_info {
	const char *name;
	const char *help;
	const char *layout;
	enum kind_meaning kind;
	enum flags_meaning flags;
	uint32_t nr_fields;
	struct field_info fields[FIELDS_MAX];
};

/* Bit n: n is the id of an event. */
static const uint64_t event_ids = 0
#define EVENT(ev_name, ev_id, ev_layout, ev_category, ev_help) | 1ULL << (ev_id)
#include <kernel/events.def>
    ;
static inline bool event_known(uint32_t id)
{
	return id < EVENT_ID_MAX && event_ids >> id & 1;
}
/* Bit n: a holder may have several references of kind n to one thing. */
static const uint64_t ref_kinds_many = 0
#define REF(ev_ref, ev_value, ev_text, ev_id, ev_index, ev_many) | (uint64_t)(ev_many) << (ev_value)
#include <kernel/ref_kinds.def>
#undef REF
    ;
static inline bool ref_kind_many(uint32_t ref)
{
	return ref >= REF_NR || ref_kinds_many >> ref & 1;
}
/* NULL for an id that is no event. */
const struct event_info *event_info(uint32_t id);
/* 0 when there is no event of that name. */
uint32_t event_id(const char *name);

/*
 * The text of a panic is cut into the records of one or more panic events, 16 bytes each, numbered by their kinds. Adds a
 * part to the text, which begins anew with part 0.
 */
#define PANIC_TEXT_BYTES 129
void panic_text_add(char text[PANIC_TEXT_BYTES], const struct trace_record *record);

/* What a record's kind byte says; NULL when it says nothing. */
const char *event_kind_text(const struct event_info *event, uint32_t kind);

/* Never NULL: an unknown value gives "?". */
const char *page_kind_text(uint32_t kind);
/* From now on pages and references have no kind: those of a watched run, of which only "page" can be said. */
void page_kinds_are_unknown(void);
const char *ref_kind_text(uint32_t ref);
const char *ref_holder_text(uint32_t ref); /* what a holder's id is: "inode", "pid", ... */
const char *ref_index_text(uint32_t ref);
const char *verdict_text(uint32_t verdict); /* "OVER" */
const char *verdict_help(uint32_t verdict);
bool verdict_is_leak(uint32_t verdict);

static inline uint32_t record_page_kind(const struct trace_record *record)
{
	return record->flags >> 4;
}
static inline uint32_t record_order(const struct trace_record *record)
{
	return record->flags & 15;
}
static inline bool event_is_page(uint32_t id)
{
	return id >= EV_page_alloc && id <= EV_page_kind;
}
/* Page-table entries and stray writes: of a page, but no part of its count's story. */
static inline bool event_is_about_page(uint32_t id)
{
	return id >= EV_page_map && id <= EV_page_write;
}
static inline bool event_is_object(uint32_t id)
{
	return id == EV_obj_alloc || id == EV_obj_free;
}
/* References to counted objects. */
static inline bool event_is_objref(uint32_t id)
{
	return id == EV_obj_get || id == EV_obj_put;
}
static inline double time_seconds(uint64_t time)
{
	return (double)time / TIME_HZ;
}

#endif
