/* SPDX-License-Identifier: MIT */
/* freed_early_text: pages and objects that were freed too early, in words and as JSON. */
#ifndef TOOLS_REPORT_FREED_EARLY_TEXT_H
#define TOOLS_REPORT_FREED_EARLY_TEXT_H

#include <stdio.h>

#include "analysis/freed_early.h"
#include "base/json.h"

/* Those of the findings that are of this kind, one after the other; lives: of the repeated run. */
void freed_early_print(const struct leaks *leaks, struct stack_table *stacks, const struct lives *lives,
		       FILE *out);
/* The same as the elements of an array. */
void freed_early_json(const struct leaks *leaks, struct stack_table *stacks, const struct lives *lives,
		      struct json *json);

#endif
