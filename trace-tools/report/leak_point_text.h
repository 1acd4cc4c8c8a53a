/* SPDX-License-Identifier: MIT */
/* leak_point_text: where the last pointers died, in words and as JSON. */
#ifndef TOOLS_REPORT_LEAK_POINT_TEXT_H
#define TOOLS_REPORT_LEAK_POINT_TEXT_H

#include <stdio.h>

#include "analysis/leak_point.h"
#include "base/json.h"
#include "sources.h"

/* One group, g counted from 0; what was said of a group from `first` on is not said again. */
void leak_point_print(const struct leaks *leaks, struct sources *sources, const struct leak_points *points,
		      size_t first, size_t g, FILE *out);
/*
 * Before the groups from `first` up to `last`: who is to blame, each function once, and for how many of them. That is the suspect of
 * `pagetrail leaks`; a leak point names somebody only where the rules together name nobody, and then only "may be".
 */
void leak_points_print_head(const struct leaks *leaks, const struct leak_points *points, size_t first,
			    size_t last, FILE *out);
/* Is a function named for this group, by the rules or by its leak point? */
bool leak_point_names(const struct leaks *leaks, const struct leak_points *points, size_t g);
/* A group as an object of an array. */
void leak_point_json(const struct leaks *leaks, struct stack_table *stacks, const struct leak_points *points,
		     size_t g, struct json *json);
/* Return addresses as lines, and as the elements of an array. */
void leak_point_print_frames(const uint64_t *stack, uint32_t nr_stack, struct stack_table *stacks, FILE *out);
void leak_point_json_frames(const uint64_t *stack, uint32_t nr_stack, struct stack_table *stacks,
			    struct json *json);

#endif
