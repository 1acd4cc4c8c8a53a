/* SPDX-License-Identifier: MIT */
/* instant: see instant.h. */
#include "instant.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"

/* So many names of marks are listed where one is not found. */
#define NAMES_SHOWN 12

/* ---- timelines ---- */

void timeline_of_model(struct timeline *timeline, const struct model *model)
{
	size_t nr_tests;
	const struct test_mark *tests = model_tests(model, &nr_tests);
	*timeline = (struct timeline){.tests = tests,
				      .nr_tests = nr_tests,
				      .first = model_totals(model)->first_time,
				      .last = model_totals(model)->last_time};
}

/* Its tests, while they are being found, and the one that has not ended. */
struct timeline_reader {
	struct timeline *timeline;
	struct test_mark *tests, *open;
};

static void read_marks(void *arg, const struct trace_record *records, size_t nr, uint32_t hart)
{
	struct timeline_reader *reader = arg;
	struct timeline *timeline = reader->timeline;

	if (timeline->first == UINT64_MAX)
		timeline->first = records[0].time;
	timeline->last = records[nr - 1].time;
	for (size_t i = 0; i < nr; i++) {
		const struct trace_record *record = &records[i];
		if (record->event != EV_mark)
			continue;
		if (record->kind == 0) {
			reader->open = &ARRAY_PUSH(reader->tests, timeline->nr_tests, timeline->capacity);
			*reader->open = test_mark_begin(record);
		} else if (reader->open) {
			reader->open->end = record->time;
			reader->open = NULL;
		}
	}
}

void timeline_read(struct timeline *timeline, struct run *run)
{
	struct timeline_reader reader = {.timeline = timeline};

	*timeline = (struct timeline){.first = UINT64_MAX, .owned = true};
	merge_visit(run, NULL, read_marks, &reader);
	if (timeline->first == UINT64_MAX)
		timeline->first = 0;
	timeline->tests = reader.tests;
}

void timeline_free(struct timeline *timeline)
{
	if (timeline->owned)
		free((void *)timeline->tests);
	*timeline = (struct timeline){0};
}

/* ---- instants ---- */

char *instant_unknown_mark(const struct timeline *timeline, const char *text)
{
	size_t shown = 0;
	struct text_buffer buffer;
	FILE *out = text_begin(&buffer);

	fprintf(out, "no mark %s: ", text);
	if (!timeline->nr_tests)
		fputs("this trace has no marks", out);
	for (size_t i = 0; i < timeline->nr_tests; i++) {
		bool seen = false;
		for (size_t k = 0; k < i && !seen; k++)
			seen = !strcmp(timeline->tests[i].name, timeline->tests[k].name);
		if (seen)
			continue;
		if (shown == NAMES_SHOWN) {
			fputs(", ...", out);
			break;
		}
		fprintf(out, "%s%s", shown++ ? ", " : "the marks are ", timeline->tests[i].name);
	}
	return text_end(&buffer);
}

/* NAME, NAME#N, with :begin or :end or without; NULL: there is none. */
static const struct test_mark *find_mark(const struct timeline *timeline, const char *text,
					 enum instant_edge *edge)
{
	static const struct {
		const char *text;
		enum instant_edge edge;
	} suffixes[] = {{":begin", EDGE_BEGIN}, {":end", EDGE_END}};
	size_t bytes = strlen(text), number = 1;

	for (size_t i = 0; i < timeline->nr_tests; i++) {
		if (!strcmp(timeline->tests[i].name, text))
			return &timeline->tests[i];
	}
	for (size_t i = 0; i < 2; i++) {
		size_t suffix = strlen(suffixes[i].text);
		if (bytes > suffix && !strcmp(text + bytes - suffix, suffixes[i].text)) {
			bytes -= suffix;
			*edge = suffixes[i].edge;
			break;
		}
	}
	const char *hash = memrchr(text, '#', bytes);
	if (hash && hash > text) {
		char *end;
		number = strtoul(hash + 1, &end, 10);
		if (end == text + bytes && end > hash + 1)
			bytes = (size_t)(hash - text);
		else
			number = 1;
	}
	for (size_t i = 0; i < timeline->nr_tests; i++) {
		const char *name = timeline->tests[i].name;
		if (strlen(name) == bytes && !memcmp(name, text, bytes) && --number == 0)
			return &timeline->tests[i];
	}
	return NULL;
}

/* "1.25" or "1.25s" in ticks. */
static bool parse_seconds(const char *text, uint64_t *time)
{
	char *end;

	if (strspn(text, "0123456789.") == 0)
		return false;
	double seconds = strtod(text, &end);
	if ((*end && strcmp(end, "s")) || strspn(text, "0123456789.") != (size_t)(end - text) ||
	    seconds >= 1e9)
		return false;
	*time = (uint64_t)(seconds * TIME_HZ + 0.5);
	return true;
}

bool instant_find(const struct timeline *timeline, const char *text, enum instant_edge edge, uint64_t *time,
		  char **error)
{
	const struct test_mark *mark = find_mark(timeline, text, &edge);

	*error = NULL;
	if (mark) {
		*time = edge == EDGE_BEGIN ? mark->begin : mark->end;
		if (!*time)
			*error = xasprintf("%s began at %.7f s and never ended", mark->name,
					   time_seconds(mark->begin));
	} else if (!strcmp(text, "start")) {
		*time = timeline->first;
	} else if (!strcmp(text, "end")) {
		*time = timeline->last;
	} else if (!parse_seconds(text, time)) {
		*error = instant_unknown_mark(timeline, text);
	} else if (*time > timeline->last) {
		*error = xasprintf("%s is after the end: the trace goes from %.7f to %.7f s", text,
				   time_seconds(timeline->first), time_seconds(timeline->last));
	}
	return !*error;
}
