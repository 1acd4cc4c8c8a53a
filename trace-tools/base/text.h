/* SPDX-License-Identifier: MIT */
/* text: characters as files want them that other programs read: names come from guests, and may be any bytes. */
#ifndef TOOLS_BASE_TEXT_H
#define TOOLS_BASE_TEXT_H

#include <regex.h>
#include <stddef.h>
#include <stdio.h>

/*
 * Text that is printed into memory:
 *
 *     struct text_buffer buffer;
 *     FILE *out = text_begin(&buffer);
 *     fprintf(out, ...);
 *     char *text = text_end(&buffer);      the caller frees it; buffer.bytes is its length
 *
 * Both die when memory is out.
 */
struct text_buffer {
	FILE *out;
	char *text;
	size_t bytes;
};
FILE *text_begin(struct text_buffer *buffer);
char *text_end(struct text_buffer *buffer);

/* Bytes of the UTF-8 character at `text` (RFC 3629), 1 to 4; 0 when what is there is none, or is the end. */
size_t utf8_bytes(const char *text);
/*
 * Text as HTML or XML, also within attributes. Control characters but tab and newline are left out; what is no UTF-8
 * becomes U+FFFD.
 */
void markup_text(FILE *out, const char *text);
/* Text for one line of a terminal: a control character becomes \x1b or the like, what is no UTF-8 U+FFFD. Caller frees. */
char *line_text(const char *text);
/*
 * The words of a line that was meant for a terminal: escape sequences (ECMA-48: colours, moves) and control characters are left out, and
 * blanks at its ends. Caller frees.
 */
char *words_text(const char *line);
/* The last line of `text` that is not blank, as its words; NULL: all are. Caller frees. */
char *last_line_text(const char *text);
/* Columns of the terminal that `out` is; 0: it is none. */
size_t terminal_columns(FILE *out);
/* An extended regular expression without groups; dies with the name of the option that gave it. flags: REG_NEWLINE. */
void pattern_compile(regex_t *regex, const char *pattern, const char *option, int flags);
/* What is no UTF-8 becomes U+FFFD, as JSON has it. Caller frees. */
char *utf8_text(const char *text);
/* A path as a URI (RFC 3986): an absolute one begins with file://. Caller frees. */
char *uri_text(const char *path);
/* Text as a field of CSV (RFC 4180): quoted where it must be. NULL: an empty field. */
void csv_text(FILE *out, const char *text);
/* A name as such a field: a quote goes before what a spreadsheet would take for a formula. */
void csv_name(FILE *out, const char *name);

#endif
