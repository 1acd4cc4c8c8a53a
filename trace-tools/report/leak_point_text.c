/* SPDX-License-Identifier: MIT */
/* leak_point_text: see leak_point_text.h. */
#include "leak_point_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "leaks_text.h"
#include "print.h"

#define LINES_AROUND 2
#define NAME_WIDTH 28

/* ---- the source ---- */

static void print_source(const struct symbol_frame *frame, struct sources *sources, FILE *out)
{
	const char *line = sources_text(sources, frame);

	for (uint32_t number = 1; line && *line && number <= frame->line + LINES_AROUND; number++) {
		int bytes = (int)strcspn(line, "\n");
		if (number + LINES_AROUND >= frame->line)
			fprintf(out, "    %s%6u  %.*s\n", number == frame->line ? ">" : " ", number, bytes,
				line);
		line += bytes + (line[bytes] == '\n');
	}
}

/* ---- text ---- */

/* The frame of the place where most were lost: that of the last location, if it says the line. */
static bool lost_frame(const struct leak_point *point, struct stack_table *stacks, struct symbol_frame *frame)
{
	const struct life *life = point->example;
	const struct life_end *ends[] = {&life->location, &life->frame};
	char place[128];

	for (size_t i = 0; i < 2; i++) {
		if (ends[i]->by && leak_point_frame(stacks, life, ends[i]->pc, frame) &&
		    !strcmp(frame_place(frame, place, sizeof(place)), point->lost.place))
			return true;
	}
	return false;
}

void leak_point_print_frames(const uint64_t *stack, uint32_t nr_stack, struct stack_table *stacks, FILE *out)
{
	const struct symbol_frame *frames;
	char place[256];

	for (uint32_t i = 0; i < nr_stack; i++) {
		uint64_t offset = stack[i] - stacks->run->stack_base;
		size_t nr =
		    offset <= UINT32_MAX ? symbols_find(stacks->symbols, (uint32_t)offset, &frames) : 0;
		for (size_t k = 0; k < nr; k++)
			fprintf(out, "      %-*s %s%s\n", NAME_WIDTH, frames[k].function,
				frame_place(&frames[k], place, sizeof(place)),
				frames[k].inlined ? " (inlined)" : "");
	}
}

static const struct life_end *last_end(const struct life *life)
{
	return life->frame.by && life->frame.when >= life->location.when ? &life->frame : &life->location;
}

static void print_vote(const char *what, const struct leak_vote *vote, size_t of, FILE *out)
{
	if (!vote->function)
		return;
	fprintf(out, "  %-13s %s%s%s%s, %zu of %zu\n", what, vote->function, vote->place[0] ? " (" : "",
		vote->place, vote->place[0] ? ")" : "", vote->nr, of);
}

static void print_held(const struct leak_point *point, struct stack_table *stacks, FILE *out)
{
	const struct life *life = point->held;
	struct symbol_frame frame;
	char place[128];

	fprintf(out, "  held still    %zu of %zu: something points to them\n", point->nr_held,
		point->nr_asked);
	if (!life || !life->nr_held || !leak_point_frame(stacks, NULL, life->held[0].by, &frame))
		return;
	fprintf(out, "      one at 0x%" PRIx64 ", stored by %s (%s)\n", life->held[0].va, frame.function,
		frame_place(&frame, place, sizeof(place)));
}

/* Whom a group's verdict names: the suspect of all rules together, and where they name nobody, the leak point alone. */
struct named {
	const char *function, *place; /* function NULL: nobody */
	bool by_rules;
};

static struct named who_is_named(const struct leaks *leaks, const struct leak_points *points, size_t g)
{
	const struct missing_release *missing = &leaks->groups[g].missing;
	const struct leak_vote *blamed = &points->list[g].blamed;

	if (missing->suspect)
		return (struct named){missing->suspect, missing->suspect_place ? missing->suspect_place : "",
				      true};
	return (struct named){blamed->function, blamed->place, false};
}

static bool same_named(const struct named *a, const struct named *b)
{
	return a->function && b->function && a->by_rules == b->by_rules &&
	       !strcmp(a->function, b->function) && !strcmp(a->place, b->place);
}

bool leak_point_names(const struct leaks *leaks, const struct leak_points *points, size_t g)
{
	return who_is_named(leaks, points, g).function != NULL;
}

static void print_named(const char *function, const char *place, const char *call, FILE *out)
{
	fprintf(out, "%s%s%s%s%s", function, call, *place ? " (" : "", place, *place ? ")" : "");
}

/* Blame is the verdict's word: a leak point that names another function than the suspect is evidence, and no more. */
static void print_leak_point(const struct leak_group *group, const struct leak_point *point, size_t said,
			     bool is_said, FILE *out)
{
	const char *suspect = group->missing.suspect;
	bool agrees = suspect && !strcmp(suspect, point->blamed.function);

	fprintf(out, "  %-13s ", agrees ? "to blame" : suspect ? "last pointer" : "perhaps");
	print_named(point->blamed.function, point->blamed.place, "", out);
	if (is_said)
		fprintf(out, ": as in [%zu], %zu of %zu", said + 1, point->blamed.nr, point->nr_lost);
	else
		fprintf(out, ": %s", leak_point_rule_text(point->rule));
	fprintf(out, "%s\n",
		agrees    ? ""
		: suspect ? "; that is not the suspect, and only evidence"
			  : "; no rule names a suspect");
}

/* An earlier group of which the same is said; points->nr: none. */
static size_t said_before(const struct leak_points *points, size_t first, size_t g)
{
	const struct leak_vote *blamed = &points->list[g].blamed;

	for (size_t i = first; i < g; i++) {
		const struct leak_point *other = &points->list[i];
		if (blamed->function && other->blamed.function && other->rule == points->list[g].rule &&
		    !strcmp(other->blamed.function, blamed->function) &&
		    !strcmp(other->blamed.place, blamed->place))
			return i;
	}
	return points->nr;
}

static void print_rest(const struct leak_point *point, const struct leaks *leaks, size_t nr_items, FILE *out)
{
	/* Where all is followed, only what no pointer is left to is told of. */
	const char *why = leaks->nr_followed ? "pointers to them were left at the end, or they did not begin "
					       "where the plugin looks"
					     : "they did not begin where the plugin looks";

	if (point->nr_within)
		fprintf(
		    out,
		    "  went with     %zu of %zu are pointed to by others that leaked, and went with them\n",
		    point->nr_within, point->nr_asked);
	if (point->nr_held)
		print_held(point, leaks->stacks, out);
	if (point->nr_ended)
		fprintf(out, "  not known     of %zu of %zu: %s\n", point->nr_ended, point->nr_asked, why);
	if (point->nr_asked < nr_items)
		fprintf(out, "  followed      the first %zu of %zu\n", point->nr_asked, nr_items);
}

/* What all rules say together, the leak point among them: one name, one confidence. What follows is its evidence. */
static void print_verdict(const struct leak_group *group, FILE *out)
{
	const struct missing_release *missing = &group->missing;

	if (!missing->suspect)
		return;
	fprintf(out, "  suspect       ");
	print_named(missing->suspect, missing->suspect_place ? missing->suspect_place : "", "", out);
	fprintf(out, ", ");
	leaks_confidence(missing, out);
	fputc('\n', out);
}

void leak_point_print(const struct leaks *leaks, struct sources *sources, const struct leak_points *points,
		      size_t first, size_t g, FILE *out)
{
	const struct leak_point *point = &points->list[g];
	size_t before = said_before(points, first, g);
	struct stack_table *stacks = leaks->stacks;
	struct symbol_frame frame;

	fprintf(out, "[%zu] ", g + 1);
	leaks_print_part(leaks, PART_WHAT, g, out);
	print_verdict(&leaks->groups[g], out);
	if (point->blamed.function)
		print_leak_point(&leaks->groups[g], point, before, before < points->nr, out);
	if (before == points->nr) {
		print_vote("lost in", &point->lost, point->nr_lost, out);
		if (point->example && lost_frame(point, stacks, &frame))
			print_source(&frame, sources, out);
		if (point->example)
			leak_point_print_frames(last_end(point->example)->stack, last_end(point->example)->nr,
						stacks, out);
		print_vote("last given to", &point->given, point->nr_lost, out);
	}
	print_rest(point, leaks, leaks->groups[g].nr_items, out);
	fputc('\n', out);
}

/* Is the same named for an earlier group from `first` on? */
static bool named_before(const struct leaks *leaks, const struct leak_points *points, size_t first, size_t g)
{
	struct named here = who_is_named(leaks, points, g);

	for (size_t i = first; i < g; i++) {
		struct named other = who_is_named(leaks, points, i);
		if (same_named(&here, &other))
			return true;
	}
	return false;
}

static void print_head_of(const struct leaks *leaks, const struct leak_points *points, size_t g,
			  size_t nr_groups, FILE *out)
{
	struct named named = who_is_named(leaks, points, g);

	print_named(named.function, named.place, "()", out);
	fprintf(out, " %s to blame for %zu group%s", named.by_rules ? "is" : "may be", nr_groups,
		plural_s(nr_groups));
	if (named.by_rules) {
		fprintf(out, ", ");
		leaks_confidence(&leaks->groups[g].missing, out);
	} else {
		fprintf(out, ": %s; no rule names a suspect", leak_point_rule_text(points->list[g].rule));
	}
	fputc('\n', out);
}

/* The suspects of the rules first. Of several groups, it is as sure as of the one that is least sure. */
void leak_points_print_head(const struct leaks *leaks, const struct leak_points *points, size_t first,
			    size_t last, FILE *out)
{
	bool any = false;

	for (int by_rules = 1; by_rules >= 0; by_rules--) {
		for (size_t g = first; g < last; g++) {
			struct named named = who_is_named(leaks, points, g);
			size_t nr_groups = 0, least = g;
			if (!named.function || named.by_rules != by_rules ||
			    named_before(leaks, points, first, g))
				continue;
			for (size_t k = g; k < last; k++) {
				struct named other = who_is_named(leaks, points, k);
				if (!same_named(&named, &other))
					continue;
				nr_groups++;
				if (leaks->groups[k].missing.confidence <
				    leaks->groups[least].missing.confidence)
					least = k;
			}
			print_head_of(leaks, points, least, nr_groups, out);
			any = true;
		}
	}
	fprintf(out, "%s\n", any ? "" : "no function is named: no last pointer was seen to die\n");
}

/* ---- JSON ---- */

static void json_vote(struct json *json, const char *key, const struct leak_vote *vote)
{
	if (!vote->function) {
		json_null(json, key);
		return;
	}
	json_open(json, key, '{');
	json_string(json, "function", vote->function);
	json_string(json, "place", vote->place);
	json_int(json, "agree", (int64_t)vote->nr);
	json_close(json, '}');
}

void leak_point_json_frames(const uint64_t *stack, uint32_t nr_stack, struct stack_table *stacks,
			    struct json *json)
{
	const struct symbol_frame *frames;

	for (uint32_t i = 0; i < nr_stack; i++) {
		uint64_t offset = stack[i] - stacks->run->stack_base;
		size_t nr =
		    offset <= UINT32_MAX ? symbols_find(stacks->symbols, (uint32_t)offset, &frames) : 0;
		for (size_t k = 0; k < nr; k++)
			json_frame(json, &frames[k]);
	}
}

void leak_point_json(const struct leaks *leaks, struct stack_table *stacks, const struct leak_points *points,
		     size_t g, struct json *json)
{
	static const char *const rules[] = {"none",   "given by all", "given releases",
					    "caller", "taken",        "lost"};
	const struct leak_point *point = &points->list[g];

	json_open(json, NULL, '{');
	json_int(json, "group", (int64_t)g + 1);
	json_int(json, "items", (int64_t)leaks->groups[g].nr_items);
	json_int(json, "followed", (int64_t)point->nr_asked);
	json_int(json, "lost", (int64_t)point->nr_lost);
	json_int(json, "within", (int64_t)point->nr_within);
	json_int(json, "held", (int64_t)point->nr_held);
	json_int(json, "ended", (int64_t)point->nr_ended);
	json_string(json, "rule", rules[point->rule]);
	json_vote(json, "to_blame", &point->blamed);
	json_vote(json, "lost_in", &point->lost);
	json_vote(json, "last_given", &point->given);
	json_open(json, "stack", '[');
	if (point->example)
		leak_point_json_frames(last_end(point->example)->stack, last_end(point->example)->nr, stacks,
				       json);
	json_close(json, ']');
	json_close(json, '}');
}
