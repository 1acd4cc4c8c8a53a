/* SPDX-License-Identifier: MIT
 *
 * line: see line.h.
 */
#include "line.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"

void line_fail(struct line *line, const char *what, const char *which)
{
	if (!line->error[0])
		snprintf(line->error, sizeof(line->error), "%s%s%s", what, *which ? ": " : "", which);
}

char *line_take(struct line *line, const char *key)
{
	for (uint32_t i = 0; i < line->nr; i++) {
		if (line->keys[i] && !strcmp(line->keys[i], key)) {
			line->keys[i] = NULL;
			return line->values[i];
		}
	}
	return NULL;
}

uint64_t line_number(struct line *line, const char *key, uint64_t otherwise)
{
	char *text = line_take(line, key), *end;

	if (!text)
		return otherwise;
	uint64_t value = strtoull(text, &end, 0);
	if (!isdigit((unsigned char)*text) || *end)
		line_fail(line, "not a number", key);
	return value;
}

uint64_t line_needed(struct line *line, const char *key)
{
	uint64_t value = line_number(line, key, NONE);

	if (value == NONE)
		line_fail(line, "missing", key);
	return value;
}

void line_formula(struct line *line, const char *key, struct expr *expr, const char *otherwise)
{
	const char *text = line_take(line, key);
	const char *error = text || otherwise ? expr_read(expr, text ? text : otherwise) : NULL;

	if (error)
		line_fail(line, error, key);
}

void line_ranges(struct line *line, const char *key, struct ranges *ranges)
{
	char *text = line_take(line, key), *end = text;

	while (text && *text) {
		uint64_t lo = strtoull(text, &end, 0), hi = lo + 1;
		if (end != text && *end == '-') {
			text = end + 1;
			hi = strtoull(text, &end, 0);
		}
		if (end == text || (*end && *end != ',') || hi <= lo || ranges->nr == RANGES_MAX) {
			line_fail(line, "not a list of LO-HI", key);
			return;
		}
		if (!ranges->at)
			ranges->at = calloc(RANGES_MAX, sizeof(*ranges->at));
		if (!ranges->at) {
			line_fail(line, "out of memory", "");
			return;
		}
		ranges->at[ranges->nr++] = (struct range){lo, hi};
		text = *end ? end + 1 : end;
	}
}

void line_cut(struct line *line, char *text, bool to_the_end)
{
	while (*(text += strspn(text, " \t"))) {
		if (line->nr == PAIRS_MAX) {
			line_fail(line, "too many values", "");
			return;
		}
		char *end = text + (to_the_end ? strlen(text) : strcspn(text, " \t"));
		char *equals = memchr(text, '=', (size_t)(end - text));
		line->keys[line->nr] = text;
		line->values[line->nr++] = equals ? equals + 1 : end;
		text = *end ? end + 1 : end;
		*end = 0;
		if (equals)
			*equals = 0;
	}
}
