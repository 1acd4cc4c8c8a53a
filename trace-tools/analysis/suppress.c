/* SPDX-License-Identifier: MIT */
/* suppress: see suppress.h. */
#include "suppress.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define PREFIX "leak:"

/* ---- patterns ---- */

/*
 * Greedy with one place to come back to: where the last star stood. Everything before that star has found its first
 * place, and a later one could not leave more of the name to the rest.
 */
bool suppression_fits(const char *pattern, const char *name)
{
	size_t bytes = strlen(pattern);
	bool tied_end = bytes && pattern[bytes - 1] == '$';
	const char *end = pattern + bytes - tied_end, *at = pattern, *star = NULL, *resume = name;

	if (*pattern == '^')
		at++;
	else
		star = at; /* as if a star stood before it */
	for (;;) {
		if (at < end && *at == '*') {
			star = ++at;
			resume = name;
		} else if (at >= end && (!tied_end || !*name)) {
			return true;
		} else if (at < end && *name && *at == *name) {
			at++;
			name++;
		} else if (star && *resume) {
			at = star;
			name = ++resume;
		} else {
			return false;
		}
	}
}

struct suppression *suppressions_find(struct suppressions *suppressions, const struct stack_view *view)
{
	for (size_t i = 0; i < suppressions->nr; i++) {
		const char *pattern = suppressions->list[i].pattern;
		for (uint32_t k = 0; k < view->nr; k++) {
			const struct symbol_frame *frame = &view->frames[k];
			if (suppression_fits(pattern, frame->function) ||
			    (frame->file && suppression_fits(pattern, frame->file)))
				return &suppressions->list[i];
		}
	}
	return NULL;
}

/* ---- the file ---- */

/* NULL, or why the line is neither empty, a comment nor a suppression. */
static const char *take_line(struct suppressions *suppressions, char *line, uint32_t number)
{
	size_t bytes = strlen(line);

	while (bytes && strchr(" \t\r", line[bytes - 1]))
		line[--bytes] = 0;
	line += strspn(line, " \t");
	if (!*line || *line == '#')
		return NULL;
	if (strncmp(line, PREFIX, strlen(PREFIX)))
		return "not of the form leak:PATTERN";
	if (!line[strlen(PREFIX)])
		return "the pattern is empty: it would suppress everything";
	ARRAY_PUSH(suppressions->list, suppressions->nr, suppressions->capacity) =
	    (struct suppression){.pattern = xstrdup(line + strlen(PREFIX)), .line = number};
	return NULL;
}

struct suppressions *suppressions_read(const char *path, char **error)
{
	char *text = file_read_all(path, NULL), *rest = text, *line;
	struct suppressions *suppressions;
	uint32_t number = 0;

	*error = NULL;
	if (!text) {
		*error = xasprintf("%s: %s", path, strerror(errno));
		return NULL;
	}
	suppressions = xcalloc(1, sizeof(*suppressions));
	suppressions->path = xstrdup(path);
	while (!*error && (line = strsep(&rest, "\n"))) {
		const char *fault = take_line(suppressions, line, ++number);
		if (fault)
			*error = xasprintf("%s:%u: %s", path, number, fault);
	}
	free(text);
	if (!*error)
		return suppressions;
	suppressions_free(suppressions);
	return NULL;
}

void suppressions_free(struct suppressions *suppressions)
{
	for (size_t i = 0; suppressions && i < suppressions->nr; i++)
		free(suppressions->list[i].pattern);
	if (suppressions) {
		free(suppressions->list);
		free(suppressions->path);
	}
	free(suppressions);
}
