/* SPDX-License-Identifier: MIT */
/*
 * export_perfetto: counters of free pages and pages by kind, one slice a test, an instant for what was lost.
 *
 * Field numbers are those of Perfetto's protos (trace_packet.proto, track_event.proto, track_descriptor.proto,
 * counter_descriptor.proto, debug_annotation.proto), given beside each name below. Times are nanoseconds.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/protobuf.h"
#include "base/text.h"
#include "base/util.h"
#include "export.h"

#define TICK_NS 100ULL
#define SEQUENCE 1U
/* What is lost shows as points; more of them than this say nothing more. */
#define INSTANTS_MAX 20000U

enum { TRACE_PACKET = 1 };
enum { /* TracePacket */
       PACKET_TIMESTAMP = 8,
       PACKET_SEQUENCE_ID = 10,
       PACKET_TRACK_EVENT = 11,
       PACKET_SEQUENCE_FLAGS = 13,
       PACKET_TRACK_DESCRIPTOR = 60,
};
enum { TRACK_UUID = 1, TRACK_NAME = 2, TRACK_PARENT = 5, TRACK_COUNTER = 8 };
enum { COUNTER_UNIT_NAME = 6 };
enum { /* TrackEvent */
       EVENT_ANNOTATIONS = 4,
       EVENT_TYPE = 9,
       EVENT_TRACK = 11,
       EVENT_CATEGORIES = 22,
       EVENT_NAME = 23,
       EVENT_COUNTER_VALUE = 30,
};
enum { TYPE_SLICE_BEGIN = 1, TYPE_SLICE_END = 2, TYPE_INSTANT = 3, TYPE_COUNTER = 4 };
enum { ANNOTATION_UINT = 3, ANNOTATION_STRING = 6, ANNOTATION_NAME = 10 };
enum { SEQUENCE_STATE_CLEARED = 1 };

/* uuids of our tracks */
enum { UUID_ROOT = 1, UUID_TESTS, UUID_LOST, UUID_FREE, UUID_KIND_0 = 16 };

struct perfetto {
	FILE *out;
	struct protobuf packet, body, part; /* part: within body */
	bool begun;
};

static void packet_end(struct perfetto *perfetto, uint32_t field)
{
	protobuf_message(&perfetto->packet, field, &perfetto->body);
	protobuf_int(&perfetto->packet, PACKET_SEQUENCE_ID, SEQUENCE);
	if (!perfetto->begun)
		protobuf_int(&perfetto->packet, PACKET_SEQUENCE_FLAGS, SEQUENCE_STATE_CLEARED);
	perfetto->begun = true;
	protobuf_write(&perfetto->packet, TRACE_PACKET, perfetto->out);
}

/* unit NULL: no counter */
static void put_track(struct perfetto *perfetto, uint64_t uuid, const char *name, const char *unit)
{
	protobuf_int(&perfetto->body, TRACK_UUID, uuid);
	protobuf_string(&perfetto->body, TRACK_NAME, name);
	if (uuid != UUID_ROOT)
		protobuf_int(&perfetto->body, TRACK_PARENT, UUID_ROOT);
	if (unit) {
		protobuf_string(&perfetto->part, COUNTER_UNIT_NAME, unit);
		protobuf_message(&perfetto->body, TRACK_COUNTER, &perfetto->part);
	}
	packet_end(perfetto, PACKET_TRACK_DESCRIPTOR);
}

static void event_begin(struct perfetto *perfetto, uint64_t time, uint64_t track, uint32_t type)
{
	protobuf_int(&perfetto->packet, PACKET_TIMESTAMP, time * TICK_NS);
	protobuf_int(&perfetto->body, EVENT_TRACK, track);
	protobuf_int(&perfetto->body, EVENT_TYPE, type);
}

static void put_counter(struct perfetto *perfetto, uint64_t time, uint64_t track, int64_t value)
{
	event_begin(perfetto, time, track, TYPE_COUNTER);
	protobuf_int(&perfetto->body, EVENT_COUNTER_VALUE, (uint64_t)value);
	packet_end(perfetto, PACKET_TRACK_EVENT);
}

static void annotate_text(struct perfetto *perfetto, const char *name, const char *value)
{
	protobuf_string(&perfetto->part, ANNOTATION_NAME, name);
	protobuf_string(&perfetto->part, ANNOTATION_STRING, value);
	protobuf_message(&perfetto->body, EVENT_ANNOTATIONS, &perfetto->part);
}

static void annotate_number(struct perfetto *perfetto, const char *name, uint64_t value)
{
	protobuf_string(&perfetto->part, ANNOTATION_NAME, name);
	protobuf_int(&perfetto->part, ANNOTATION_UINT, value);
	protobuf_message(&perfetto->body, EVENT_ANNOTATIONS, &perfetto->part);
}

/* ---- parts ---- */

static void put_tests(struct perfetto *perfetto, const struct model *model)
{
	size_t nr_tests;
	const struct test_mark *tests = model_tests(model, &nr_tests);
	for (size_t i = 0; i < nr_tests; i++) {
		const struct test_mark *test = &tests[i];
		event_begin(perfetto, test->begin, UUID_TESTS, TYPE_SLICE_BEGIN);
		protobuf_string(&perfetto->body, EVENT_CATEGORIES, "test");
		protobuf_string(&perfetto->body, EVENT_NAME, test->name);
		annotate_number(perfetto, "findings of the audit", test->nr_findings);
		packet_end(perfetto, PACKET_TRACK_EVENT);
		event_begin(perfetto, test->end ? test->end : model_totals(model)->last_time, UUID_TESTS,
			    TYPE_SLICE_END);
		packet_end(perfetto, PACKET_TRACK_EVENT);
	}
}

static void put_counters(struct perfetto *perfetto, const struct curve *curve)
{
	const struct curve_step *before = NULL;

	for (uint32_t i = 0; i < curve->nr; i++) {
		const struct curve_step *step = &curve->steps[i];
		if (!step->any)
			continue;
		/* A dip within the step would vanish with its last value alone. */
		uint64_t begin = curve->begin + (uint64_t)((double)curve->span * i / curve->nr);
		if (step->low != step->last && begin < step->time)
			put_counter(perfetto, begin, UUID_FREE, step->low);
		put_counter(perfetto, step->time, UUID_FREE, step->last);
		for (uint32_t kind = 1; kind < PK_NR; kind++) {
			if (!before || before->kinds[kind] != step->kinds[kind])
				put_counter(perfetto, step->time, UUID_KIND_0 + kind, step->kinds[kind]);
		}
		before = step;
	}
}

static char *stack_text(struct stack_table *stacks, uint32_t id)
{
	struct text_buffer buffer;
	FILE *out = text_begin(&buffer);

	stack_table_print(stacks, id, "", out);
	return text_end(&buffer);
}

static void put_lost(struct perfetto *perfetto, const struct leaks *leaks, const struct leak_group *group,
		     size_t number, const struct leak_item *item)
{
	char *stack = stack_text(leaks->stacks, item->object ? item->alloc_stack : item->get_stack), name[64];

	event_begin(perfetto, item->object ? item->alloc_time : item->get_time, UUID_LOST, TYPE_INSTANT);
	protobuf_string(&perfetto->body, EVENT_CATEGORIES, "lost");
	if (item->object)
		snprintf(name, sizeof(name), "leaked: object of %s",
			 model_cache(leaks->model, item->cache)->name);
	else
		snprintf(name, sizeof(name), "leaked: %s%s", page_kind_text(item->kind),
			 model_run(leaks->model)->watched ? "" : " page");
	protobuf_string(&perfetto->body, EVENT_NAME, name);
	annotate_number(perfetto, "group", number + 1);
	annotate_text(perfetto, "verdict", verdict_text(item->verdict));
	annotate_number(perfetto, item->object ? "physical address" : "page frame",
			item->object ? item->where * 8ULL : item->where);
	annotate_text(perfetto, item->object ? "made by" : "acquired by", stack);
	if (group->missing.suspect)
		annotate_text(perfetto, "suspect", group->missing.suspect);
	packet_end(perfetto, PACKET_TRACK_EVENT);
	free(stack);
}

void export_perfetto(const struct leaks *leaks, const struct curve *curve, FILE *out)
{
	struct perfetto perfetto = {.out = out};
	uint32_t nr = 0;

	put_track(&perfetto, UUID_ROOT, "Pagetrail", NULL);
	put_track(&perfetto, UUID_TESTS, "tests", NULL);
	put_track(&perfetto, UUID_LOST, "lost", NULL);
	put_track(&perfetto, UUID_FREE, "free", "pages");
	for (uint32_t kind = 1; kind < PK_NR; kind++)
		put_track(&perfetto, UUID_KIND_0 + kind, page_kind_text(kind), "pages");
	put_counters(&perfetto, curve);
	put_tests(&perfetto, leaks->model);
	for (size_t g = 0; g < leaks->nr_groups; g++) {
		const struct leak_group *group = &leaks->groups[g];
		for (size_t i = 0; i < group->nr_items && nr++ < INSTANTS_MAX; i++)
			put_lost(&perfetto, leaks, group, g, &leaks->items[group->items[i]]);
	}
	protobuf_free(&perfetto.packet);
	protobuf_free(&perfetto.body);
	protobuf_free(&perfetto.part);
}
