/* SPDX-License-Identifier: MIT */
/* c_function: see c_function.h. */
#include "c_function.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* A statement may begin so many lines above the call in it; a condition so many above its return. */
#define LINES_ABOVE 3

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* Blanks what is no code, in place; newlines stay. */
static void blank_text(char *text)
{
	char inside = 0; /* '*' and '/': comments; '"' and '\'': literals */

	for (char *c = text; *c; c++) {
		char now = *c, next = c[1];
		if (now == '\n') {
			inside = inside == '*' ? inside : 0;
			continue;
		}
		if (!inside && now == '/' && (next == '*' || next == '/'))
			inside = next;
		else if (!inside && (now == '"' || now == '\''))
			inside = now;
		else if (!inside)
			continue;
		else if (inside == '*' && now == '*' && next == '/')
			inside = 0, *c = ' ', c++;
		else if ((inside == '"' || inside == '\'') && now == '\\' && next && next != '\n')
			*c = ' ', c++;
		else if (now == inside && inside != '*' && inside != '/')
			inside = 0;
		*c = ' ';
	}
}

static const char *line_at(const char *text, uint32_t line)
{
	for (uint32_t i = 1; text && i < line; i++) {
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return text;
}

static size_t line_bytes(const char *line)
{
	return strcspn(line, "\n");
}

/* Where the word is in a line; NULL: nowhere. */
static const char *word_in(const char *line, const char *word)
{
	size_t bytes = strlen(word), end = line_bytes(line);

	for (size_t i = 0; bytes && i + bytes <= end; i++) {
		if (!strncmp(line + i, word, bytes) && (i == 0 || !is_word(line[i - 1])) &&
		    !is_word(line[i + bytes]))
			return line + i;
	}
	return NULL;
}

/* A call of it, or its definition. */
static bool calls(const char *line, const char *function)
{
	const char *at = word_in(line, function);

	return at && at[strlen(function) + strspn(at + strlen(function), " \t")] == '(';
}

/* The line of the brace that ends the first block from a line on; 0: it does not end, or a `;` comes before it. */
static uint32_t block_end(const char *code, uint32_t line)
{
	uint32_t depth = 0;

	for (const char *c = line_at(code, line); c && *c; c++) {
		if (*c == '\n')
			line++;
		else if (*c == '{')
			depth++;
		else if (*c == ';' && !depth)
			return 0;
		else if (*c == '}' && depth && !--depth)
			return line;
	}
	return 0;
}

bool c_function_find(struct c_function *function, const char *text, const char *name, uint32_t line)
{
	*function = (struct c_function){.code = xstrdup(text)};
	blank_text(function->code);
	for (uint32_t at = line; at > 0 && line_at(function->code, line); at--) {
		const char *begin = line_at(function->code, at);
		uint32_t end;
		if (isspace((unsigned char)*begin) || !calls(begin, name) ||
		    !(end = block_end(function->code, at)) || end < line)
			continue;
		/* Its type may be on the line above. */
		const char *above = at > 1 ? line_at(function->code, at - 1) : NULL;
		bool bare =
		    above && is_word(*begin) && !strncmp(begin, name, strlen(name)) && is_word(*above);
		function->first = bare ? at - 1 : at;
		function->last = end;
		return true;
	}
	c_function_free(function);
	return false;
}

void c_function_free(struct c_function *function)
{
	free(function->code);
	function->code = NULL;
}

/* ---- marks ---- */

static int compare_lines(const void *a, const void *b)
{
	const struct c_mark *left = a, *right = b;

	return left->line < right->line ? -1 : left->line > right->line;
}

void c_marks_add(struct c_marks *marks, uint32_t line, enum c_mark_kind kind)
{
	if (c_marks_at(marks, line) != C_MARK_NONE)
		return;
	ARRAY_PUSH(marks->all, marks->nr, marks->capacity) = (struct c_mark){line, kind};
	qsort(marks->all, marks->nr, sizeof(*marks->all), compare_lines);
}

enum c_mark_kind c_marks_at(const struct c_marks *marks, uint32_t line)
{
	for (size_t i = 0; i < marks->nr; i++) {
		if (marks->all[i].line == line)
			return marks->all[i].kind;
	}
	return C_MARK_NONE;
}

void c_marks_free(struct c_marks *marks)
{
	free(marks->all);
	free(marks->variable);
	*marks = (struct c_marks){0};
}

/* "page" of "struct page *page = get(...)"; NULL: the result goes into no plain variable. Caller frees. */
static char *assigned(const struct c_function *function, uint32_t line, const char *getter)
{
	const char *start = line_at(function->code, line), *call = getter ? word_in(start, getter) : NULL;
	const char *at = call ? call : start + line_bytes(start);

	while (at > function->code && strchr(" \t\n(", at[-1]))
		at--;
	/* Without the call's name, the first assignment of the line counts. */
	const char *equal = call ? at - 1 : memchr(start, '=', line_bytes(start));
	if (!equal || equal <= function->code || *equal != '=' || strchr("=!<>+-|&", equal[-1]) ||
	    equal[1] == '=')
		return NULL;
	const char *end = equal;
	while (end > function->code && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	const char *begin = end;
	while (begin > function->code && is_word(begin[-1]))
		begin--;
	const char *before = begin;
	while (before > function->code && (before[-1] == ' ' || before[-1] == '\t'))
		before--;
	bool member =
	    before > function->code &&
	    (before[-1] == '.' || (before[-1] == '>' && before - 1 > function->code && before[-2] == '-'));
	if (begin == end || member || isdigit((unsigned char)*begin))
		return NULL;
	return xasprintf("%.*s", (int)(end - begin), begin);
}

/* The return is one for which the get itself failed: a condition just above it asks the variable for that. */
static bool is_failure(const struct c_function *function, uint32_t line, uint32_t acquired,
		       const char *variable)
{
	static const char *const questions[] = {"!", "IS_ERR", "NULL", "< 0", "<= 0", "== 0"};

	for (uint32_t at = line; at > acquired && at + LINES_ABOVE > line; at--) {
		const char *text = line_at(function->code, at);
		if (!word_in(text, "if") || !word_in(text, variable))
			continue;
		for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
			if (memmem(text, line_bytes(text), questions[i], strlen(questions[i])))
				return true;
		}
	}
	return false;
}

void c_marks_find(struct c_marks *marks, const struct c_function *function, uint32_t line, const char *getter,
		  const char *putter)
{
	uint32_t last_use = 0, released = 0;

	c_marks_add(marks, line, C_MARK_ACQUIRED);
	marks->variable = assigned(function, line, getter);
	for (uint32_t at = line + 1; at <= function->last; at++) {
		const char *text = line_at(function->code, at);
		if (putter && calls(text, putter)) {
			released = at;
			c_marks_add(marks, at, C_MARK_RELEASED);
			continue;
		}
		/* It goes to the caller, who owns it then. */
		bool returns = word_in(text, "return") != NULL;
		bool given = returns && marks->variable && word_in(text, marks->variable);
		if (returns && putter && !released && !given &&
		    !(marks->variable && is_failure(function, at, line, marks->variable)))
			c_marks_add(marks, at, C_MARK_MISSING);
		if (marks->variable && word_in(text, marks->variable) && !given)
			last_use = at;
	}
	/* A function that ends without a return ends at its brace. */
	const char *before = line_at(function->code, function->last - 1);
	if (putter && !released && function->last > line + 1 && !word_in(before, "return"))
		c_marks_add(marks, function->last, C_MARK_MISSING);
	if (last_use > released)
		c_marks_add(marks, last_use, C_MARK_LAST_USE);
}
