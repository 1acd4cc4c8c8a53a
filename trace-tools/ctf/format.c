/* SPDX-License-Identifier: MIT */
/* format: the tables themselves. See format.h. */
#include "format.h"

#include <string.h>

/* ---- layouts: one table of fields each ---- */

enum layout {
#define LAYOUT(ev_layout, fields) LAYOUT_##ev_layout,
#include <kernel/events.def>
	LAYOUT_NR,
};

struct layout_info {
	const char *name;
	struct field_info fields[FIELDS_MAX];
};

#define F_U16(ev_field) {#ev_field, 0, 2, false},
#define F_U32(ev_field) {#ev_field, 0, 4, false},
#define F_TEXT(ev_field, ev_bytes) {#ev_field, 0, ev_bytes, true},
static const struct layout_info layouts[LAYOUT_NR] = {
#define LAYOUT(ev_layout, ev_fields) {#ev_layout, {ev_fields}},
#include <kernel/events.def>
};
#undef F_U16
#undef F_U32
#undef F_TEXT

/* ---- events ---- */

static struct event_info events[EVENT_ID_MAX] = {
#define EVENT(ev_name, ev_id, ev_layout, ev_category, ev_help)                                               \
	[ev_id] = {.name = #ev_name, .help = ev_help, .layout = #ev_layout, .nr_fields = LAYOUT_##ev_layout},
#include <kernel/events.def>
};

#define EVENT(ev_name, ev_id, ev_layout, ev_category, ev_help)                                               \
	_Static_assert((ev_id) > 0 && (ev_id) < EVENT_ID_MAX, "EVENT_ID_MAX is too small");
#include <kernel/events.def>

static enum kind_meaning kind_of_event(uint32_t id)
{
	switch (id) {
	case EV_page_kind:
		return KIND_IS_PAGE_KIND;
	case EV_page_alloc:
	case EV_page_get:
	case EV_page_put:
	case EV_page_free:
	case EV_obj_get:
	case EV_obj_put:
		return KIND_IS_REF;
	case EV_finding:
		return KIND_IS_VERDICT;
	case EV_mark:
		return KIND_IS_EDGE;
	case EV_panic:
		return KIND_IS_PART;
	default:
		return KIND_NOTHING;
	}
}

/* nr_fields holds the layout's number until here: a static initialiser cannot count the fields itself. */
__attribute__((constructor)) static void events_init(void)
{
	for (uint32_t id = 0; id < EVENT_ID_MAX; id++) {
		struct event_info *event = &events[id];
		if (!event->name)
			continue;
		const struct layout_info *layout = &layouts[event->nr_fields];
		uint32_t offset = 0, nr = 0;
		for (; nr < FIELDS_MAX && layout->fields[nr].name; nr++) {
			event->fields[nr] = layout->fields[nr];
			event->fields[nr].offset = (uint8_t)offset;
			offset += layout->fields[nr].bytes;
		}
		event->nr_fields = nr;
		event->kind = kind_of_event(id);
		event->flags = event_is_page(id)  ? FLAGS_PAGE
			       : id == EV_finding ? FLAGS_SUBJECT
						  : FLAGS_NOTHING;
	}
}

const struct event_info *event_info(uint32_t id)
{
	return id < EVENT_ID_MAX && events[id].name ? &events[id] : NULL;
}

uint32_t event_id(const char *name)
{
	for (uint32_t id = 0; id < EVENT_ID_MAX; id++) {
		if (events[id].name && !strcmp(events[id].name, name))
			return id;
	}
	return 0;
}

/* ---- names ---- */

static const char *const page_kinds[PK_NR] = {
#define KIND(ev_kind, ev_value, ev_text) [ev_value] = ev_text,
#include <kernel/page_kinds.def>
#undef KIND
};

static const struct {
	const char *name, *holder, *index;
} refs[REF_NR] = {
#define REF(ev_ref, ev_value, ev_text, ev_id, ev_index, ev_many) [ev_value] = {ev_text, ev_id, ev_index},
#include <kernel/ref_kinds.def>
#undef REF
};

static const struct {
	const char *name, *help;
	bool leak;
} verdicts[VERDICT_NR] = {
#define VERDICT(ev_verdict, ev_value, ev_leak, ev_text) [ev_value] = {#ev_verdict, ev_text, ev_leak},
#include <kernel/verdicts.def>
#undef VERDICT
};

void panic_text_add(char text[PANIC_TEXT_BYTES], const struct trace_record *record)
{
	const char *part = record->payload.ev_payload_panic.name;
	size_t bytes = sizeof(record->payload.ev_payload_panic.name), at = record->kind * bytes;

	if (at + bytes >= PANIC_TEXT_BYTES)
		return;
	memset(text + at, 0, PANIC_TEXT_BYTES - at);
	for (size_t i = 0; i < bytes && part[i]; i++)
		text[at + i] = part[i] >= 32 && part[i] < 127 ? part[i] : '?';
}

static bool kinds_unknown;

void page_kinds_are_unknown(void)
{
	kinds_unknown = true;
}

const char *page_kind_text(uint32_t kind)
{
	if (kinds_unknown && kind == PK_KERNEL)
		return "page";
	return kind < PK_NR && page_kinds[kind] ? page_kinds[kind] : "?";
}

const char *ref_kind_text(uint32_t ref)
{
	if (kinds_unknown && ref == REF_NONE)
		return "";
	return ref < REF_NR && refs[ref].name ? refs[ref].name : "?";
}

const char *ref_holder_text(uint32_t ref)
{
	return ref < REF_NR && refs[ref].holder ? refs[ref].holder : "";
}

const char *ref_index_text(uint32_t ref)
{
	return ref < REF_NR && refs[ref].index ? refs[ref].index : "";
}

const char *verdict_text(uint32_t verdict)
{
	return verdict < VERDICT_NR && verdicts[verdict].name ? verdicts[verdict].name : "?";
}

const char *verdict_help(uint32_t verdict)
{
	return verdict < VERDICT_NR && verdicts[verdict].help ? verdicts[verdict].help : "";
}

bool verdict_is_leak(uint32_t verdict)
{
	return verdict < VERDICT_NR && verdicts[verdict].leak;
}

const char *event_kind_text(const struct event_info *event, uint32_t kind)
{
	switch (event->kind) {
	case KIND_IS_PAGE_KIND:
		return page_kind_text(kind);
	case KIND_IS_REF:
		return ref_kind_text(kind);
	case KIND_IS_VERDICT:
		return verdict_text(kind);
	case KIND_IS_EDGE:
		return kind ? "end" : "begin";
	default:
		return NULL;
	}
}
