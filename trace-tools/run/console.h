/* SPDX-License-Identifier: MIT */
/*
 * console: what the guest says, on its way to the log and to the user.
 *
 * The log gets every byte. The user sees everything (CONSOLE_ALL), or one line that shows which test is running
 * (CONSOLE_PROGRESS: lines of the form "[ 3/70] test NAME ..." are progress, lines of a panic are shown), or nothing.
 *
 * Who did not see the console is shown its last lines when the guest fails. These are to say why, so two kinds of lines have no place
 * among them: what the firmware says before the kernel begins, and all but the first findings of an audit, of which there may be
 * hundreds:
 *
 *     | [2/3] test seek .................. FAILED before 27421 after 27418 leaked 3 audit 3 findings (1053 ms)
 *     | UNREACH pfn 0x804f3 pagecache count 1 claims 0 was cache inode 55 page index 0 pid 10
 *     |   from 80206692 8020a414 8020d8e6 8021f69e 80220424 802025f8 8020231a
 *     | ... 38 more lines of findings
 *     | verdict: 320 findings
 */
#ifndef TOOLS_RUN_CONSOLE_H
#define TOOLS_RUN_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum console_view { CONSOLE_ALL, CONSOLE_PROGRESS, CONSOLE_NOTHING };

#define CONSOLE_LINE_MAX 512
#define CONSOLE_TAIL 24
#define CONSOLE_FINDINGS 4 /* lines of an audit's findings that stay in the tail: of two of them */

/* Whose lines come now: OpenSBI's begin with "OpenSBI", then its picture, then "Platform Name : ..." and others like that. */
enum console_speaker { CONSOLE_NOBODY, CONSOLE_FIRMWARE, CONSOLE_FIRMWARE_FACTS, CONSOLE_GUEST };

struct console {
	FILE *log;
	enum console_view view;
	bool terminal;
	char line[CONSOLE_LINE_MAX];
	size_t line_bytes;
	char tail[CONSOLE_TAIL][CONSOLE_LINE_MAX]; /* the last lines, to show when the guest fails */
	unsigned nr_lines;                         /* that went into it */
	enum console_speaker speaker;
	unsigned nr_findings; /* lines of the audit's findings without another line between them */
	bool panic_seen;
	unsigned nr_tests, nr_failed;
	bool progress_open; /* a progress line stands on the terminal */
};

void console_take(struct console *console, const char *bytes, size_t nr);
/* Ends an open progress line. */
void console_end(struct console *console);
/* "  | LINE" for each; of a kernel that said nothing, that it said nothing. */
void console_print_tail(const struct console *console, FILE *out);

#endif
