/* SPDX-License-Identifier: MIT */
/*
 * suppress: losses that are known and not to be told again, from a file in the syntax of LeakSanitizer.
 *
 *   # a comment
 *   leak:PATTERN
 *
 * PATTERN is sought in the function and in the file of every frame of a loss: `*` stands for any characters, `^` at its
 * beginning and `$` at its end tie it to the beginning and the end of the name; else it may lie anywhere in it.
 * Each loss counts for the first pattern that fits.
 */
#ifndef TOOLS_ANALYSIS_SUPPRESS_H
#define TOOLS_ANALYSIS_SUPPRESS_H

#include "target/stack_table.h"

struct suppression {
	char *pattern;
	uint32_t line;                  /* of the file */
	uint64_t pages, objects, bytes; /* suppressed by it */
};

struct suppressions {
	char *path;
	struct suppression *list;
	size_t nr, capacity;
};

/* NULL with *error ("FILE:3: ..."; caller frees) when it cannot be read or a line is no suppression. */
struct suppressions *suppressions_read(const char *path, char **error);
void suppressions_free(struct suppressions *suppressions);
/* The first pattern that fits a frame of the stack, or NULL. */
struct suppression *suppressions_find(struct suppressions *suppressions, const struct stack_view *view);
bool suppression_fits(const char *pattern, const char *name);

#endif
