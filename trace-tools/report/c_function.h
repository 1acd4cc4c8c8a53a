/* SPDX-License-Identifier: MIT */
/*
 * c_function: a function in the text of a C source, and the places in it that matter where a release is missing.
 *
 * Debug information says on which line the reference was acquired. The rest is read from the text, as a person would: where the
 * function begins and ends, what the reference is called, where it is used last, which returns come before any release.
 *
 *     31  page = pagecache_get(mapping, index);   acquired
 *     32  if (IS_ERR(page))
 *     33          return PTR_ERR(page);           nothing is held here: it is the failure that line 32 asks for
 *     36  if (bad)
 *     37          return -EIO;                    no call of pagecache_release() between line 31 and here
 *     40  copy(page, to);                         the last use of `page`
 *     41  return 0;                               no call of pagecache_release() between line 31 and here
 *
 * It reads words, not the language: what it marks are places to look at, and its marks say what they rest on.
 *
 * FUNC-1  Comments, strings and characters hold no braces, names or returns.
 */
#ifndef TOOLS_REPORT_C_FUNCTION_H
#define TOOLS_REPORT_C_FUNCTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct c_function {
	char *code;           /* the file's text with comments, strings and characters blanked; same lines */
	uint32_t first, last; /* lines, from 1 */
};

/* The function of that name around a line; false: there is none. c_function_free after true. */
bool c_function_find(struct c_function *function, const char *text, const char *name, uint32_t line);
void c_function_free(struct c_function *function);

enum c_mark_kind { C_MARK_NONE, C_MARK_ACQUIRED, C_MARK_RELEASED, C_MARK_MISSING, C_MARK_LAST_USE };

struct c_mark {
	uint32_t line;
	enum c_mark_kind kind;
};

struct c_marks {
	struct c_mark *all; /* by line, one a line at most */
	size_t nr, capacity;
	char *variable; /* what holds the reference; NULL: not known */
};

/*
 * What follows an acquisition on `line` by a call of `getter`, in the order of the lines. putter NULL: which function would release
 * it is not known, so no return is marked.
 */
void c_marks_find(struct c_marks *marks, const struct c_function *function, uint32_t line, const char *getter,
		  const char *putter);
void c_marks_add(struct c_marks *marks, uint32_t line, enum c_mark_kind kind);
enum c_mark_kind c_marks_at(const struct c_marks *marks, uint32_t line);
void c_marks_free(struct c_marks *marks);

#endif
