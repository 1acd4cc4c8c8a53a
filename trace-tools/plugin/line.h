/* SPDX-License-Identifier: MIT
 *
 * line: one line of the hooks file, cut into `key=value` pairs. An item takes out the pairs it knows; what is left over is
 * an error, for a misspelt key must not pass in silence. The first error of a line counts, and later calls are harmless.
 */
#ifndef PLUGIN_LINE_H
#define PLUGIN_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "hooks.h"

#define PAIRS_MAX 32

struct line {
	uint32_t nr;
	char *keys[PAIRS_MAX], *values[PAIRS_MAX];
	char error[256]; /* "": none */
};

/* Cuts the text, which is changed. A regular expression runs to the end of the line, all other values to a blank. */
void line_cut(struct line *line, char *text, bool to_the_end);
void line_fail(struct line *line, const char *what, const char *which);
/* The value of a key, taken out of the line; NULL when it is not given. */
char *line_take(struct line *line, const char *key);
uint64_t line_number(struct line *line, const char *key, uint64_t otherwise);
uint64_t line_needed(struct line *line, const char *key);
/* `otherwise` NULL: no formula unless it is given. */
void line_formula(struct line *line, const char *key, struct expr *expr, const char *otherwise);
/* "LO-HI,LO-HI" or, for single addresses, "N,N". */
void line_ranges(struct line *line, const char *key, struct ranges *ranges);

#endif
