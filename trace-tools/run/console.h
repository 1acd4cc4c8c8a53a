/* SPDX-License-Identifier: MIT */
/*
 * console: what the guest says, on its way to the log and to the user.
 *
 * The log gets every byte. The user sees everything (CONSOLE_ALL), or one line that shows which test is running
 * (CONSOLE_PROGRESS: lines of the form "[ 3/70] test NAME ..." are progress, lines of a panic are shown), or nothing.
 */
#ifndef TOOLS_RUN_CONSOLE_H
#define TOOLS_RUN_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum console_view { CONSOLE_ALL, CONSOLE_PROGRESS, CONSOLE_NOTHING };

#define CONSOLE_LINE_MAX 512
#define CONSOLE_TAIL 24

struct console {
	FILE *log;
	enum console_view view;
	bool terminal;
	char line[CONSOLE_LINE_MAX];
	size_t line_bytes;
	char tail[CONSOLE_TAIL][CONSOLE_LINE_MAX]; /* the last lines, to show when the guest fails */
	unsigned nr_lines;
	bool panic_seen;
	unsigned nr_tests, nr_failed;
	bool progress_open; /* a progress line stands on the terminal */
};

void console_take(struct console *console, const char *bytes, size_t nr);
/* Ends an open progress line. */
void console_end(struct console *console);
void console_print_tail(const struct console *console, FILE *out);

#endif
