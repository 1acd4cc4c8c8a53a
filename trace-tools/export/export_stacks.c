/* SPDX-License-Identifier: MIT */
/* export_stacks: allocation stacks by weight, as collapsed lines and for speedscope. See export.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/util.h"
#include "export.h"

static uint64_t weight_of(const struct site *site, enum export_weight weight)
{
	return weight == WEIGHT_LIVE   ? site->pages_live
	       : weight == WEIGHT_PEAK ? site->pages_peak
				       : site->allocs;
}

static const char no_stack[] = "(no stack)";

void export_collapsed(const struct model *model, struct stack_table *stacks, enum export_weight weight,
		      FILE *out)
{
	uint32_t nr_sites;
	const struct site *sites = model_sites(model, &nr_sites);
	for (uint32_t id = 0; id < nr_sites; id++) {
		uint64_t pages = weight_of(&sites[id], weight);
		const struct stack_view *view = stack_table_get(stacks, id);
		if (!pages)
			continue;
		if (!view->nr)
			fputs(no_stack, out);
		for (uint32_t i = view->nr; i-- > 0;)
			fprintf(out, "%s%s", view->frames[i].function, i ? ";" : "");
		fprintf(out, " %" PRIu64 "\n", pages);
	}
}

/* ---- speedscope ---- */

/* Frames are numbered as they are met; equal ones (function, file, line) share a number. */
struct frame_table {
	struct symbol_frame *frames;
	size_t nr, capacity;
	size_t *slots; /* position + 1; 0: empty */
	size_t mask;
};

static bool text_equal(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static uint64_t text_hash(const char *text)
{
	uint64_t hash = 0;

	for (; text && *text; text++)
		hash = hash_mix(hash + (uint8_t)*text + 1);
	return hash;
}

static void frames_rehash(struct frame_table *frames)
{
	free(frames->slots);
	frames->mask = frames->mask ? frames->mask * 2 + 1 : 1023;
	frames->slots = xcalloc(frames->mask + 1, sizeof(*frames->slots));
	for (size_t i = 0; i < frames->nr; i++) {
		size_t at = (text_hash(frames->frames[i].function) + frames->frames[i].line) & frames->mask;
		while (frames->slots[at])
			at = (at + 1) & frames->mask;
		frames->slots[at] = i + 1;
	}
}

static size_t frame_number(struct frame_table *frames, const struct symbol_frame *frame)
{
	if (2 * frames->nr >= frames->mask)
		frames_rehash(frames);
	size_t at = (text_hash(frame->function) + frame->line) & frames->mask;
	for (; frames->slots[at]; at = (at + 1) & frames->mask) {
		const struct symbol_frame *known = &frames->frames[frames->slots[at] - 1];
		if (known->line == frame->line && text_equal(known->function, frame->function) &&
		    text_equal(known->file, frame->file))
			return frames->slots[at] - 1;
	}
	ARRAY_PUSH(frames->frames, frames->nr, frames->capacity) = *frame;
	frames->slots[at] = frames->nr;
	return frames->nr - 1;
}

/* Calls once per stack with weight: numbers of its frames, outermost first. */
static void write_samples(struct json *json, struct frame_table *frames, const struct model *model,
			  struct stack_table *stacks, enum export_weight weight)
{
	static const struct symbol_frame unknown = {.function = no_stack};

	json_open(json, "samples", '[');
	uint32_t nr_sites;
	const struct site *sites = model_sites(model, &nr_sites);
	for (uint32_t id = 0; id < nr_sites; id++) {
		const struct stack_view *view = stack_table_get(stacks, id);
		if (!weight_of(&sites[id], weight))
			continue;
		json_open(json, NULL, '[');
		if (!view->nr)
			json_int(json, NULL, (int64_t)frame_number(frames, &unknown));
		for (uint32_t i = view->nr; i-- > 0;)
			json_int(json, NULL, (int64_t)frame_number(frames, &view->frames[i]));
		json_close(json, ']');
	}
	json_close(json, ']');
}

static void write_profile(struct json *json, struct frame_table *frames, const struct model *model,
			  struct stack_table *stacks, enum export_weight weight)
{
	static const char *const names[WEIGHT_NR] = {"live pages at the end", "peak pages", "allocations"};
	int64_t factor = weight == WEIGHT_TOTAL ? 1 : PAGE_BYTES, sum = 0;

	json_open(json, NULL, '{');
	json_string(json, "type", "sampled");
	json_string(json, "name", names[weight]);
	json_string(json, "unit", weight == WEIGHT_TOTAL ? "none" : "bytes");
	write_samples(json, frames, model, stacks, weight);
	json_open(json, "weights", '[');
	uint32_t nr_sites;
	const struct site *sites = model_sites(model, &nr_sites);
	for (uint32_t id = 0; id < nr_sites; id++) {
		int64_t pages = (int64_t)weight_of(&sites[id], weight);
		if (pages)
			json_int(json, NULL, pages * factor);
		sum += pages * factor;
	}
	json_close(json, ']');
	json_int(json, "startValue", 0);
	json_int(json, "endValue", sum);
	json_close(json, '}');
}

void export_speedscope(const struct model *model, struct stack_table *stacks, const char *name, FILE *out)
{
	struct frame_table frames = {0};
	struct json json;

	json_begin(&json, out);
	json_string(&json, "$schema", "https://www.speedscope.app/file-format-schema.json");
	json_string(&json, "name", name);
	json_string(&json, "exporter", "pagetrail");
	json_int(&json, "activeProfileIndex", 0);
	json_open(&json, "profiles", '[');
	for (enum export_weight weight = 0; weight < WEIGHT_NR; weight++)
		write_profile(&json, &frames, model, stacks, weight);
	json_close(&json, ']');
	json_open(&json, "shared", '{');
	json_open(&json, "frames", '[');
	for (size_t i = 0; i < frames.nr; i++) {
		json_open(&json, NULL, '{');
		json_string(&json, "name", frames.frames[i].function);
		if (frames.frames[i].file)
			json_string(&json, "file", frames.frames[i].file);
		if (frames.frames[i].line)
			json_int(&json, "line", frames.frames[i].line);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
	json_end(&json);
	free(frames.frames);
	free(frames.slots);
}
