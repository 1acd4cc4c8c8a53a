/* SPDX-License-Identifier: MIT */
/* console: see console.h. */
#include "console.h"

#include <string.h>

/* "[ 3/70] test NAME ......" -> true with the two numbers and the name. */
static bool parse_test(const char *line, unsigned *number, unsigned *total, char name[64])
{
	return sscanf(line, "[%u/%u] test %63s", number, total, name) == 3;
}

void console_end(struct console *console)
{
	if (console->progress_open)
		fputc('\n', stderr);
	console->progress_open = false;
}

static void show_line(struct console *console, const char *line)
{
	unsigned number, total;
	char name[64];

	if (strstr(line, "panic"))
		console->panic_seen = true;
	if (parse_test(line, &number, &total, name)) {
		bool failed = strstr(line, "FAILED") != NULL;
		console->nr_tests++;
		console->nr_failed += failed;
		if (console->view != CONSOLE_PROGRESS)
			return;
		if (console->terminal) {
			fprintf(stderr, "\r\033[K[%u/%u] %s%s", number, total, name,
				failed ? " FAILED\n" : "");
			console->progress_open = !failed;
			fflush(stderr);
		} else if (failed) {
			fprintf(stderr, "%s\n", line);
		}
		return;
	}
	if (console->view == CONSOLE_PROGRESS && console->panic_seen) {
		console_end(console);
		fprintf(stderr, "%s\n", line);
	}
}

static void end_line(struct console *console)
{
	console->line[console->line_bytes] = 0;
	memcpy(console->tail[console->nr_lines++ % CONSOLE_TAIL], console->line, console->line_bytes + 1);
	show_line(console, console->line);
	console->line_bytes = 0;
}

void console_take(struct console *console, const char *bytes, size_t nr)
{
	if (console->log) {
		fwrite(bytes, 1, nr, console->log);
		fflush(console->log);
	}
	if (console->view == CONSOLE_ALL) {
		fwrite(bytes, 1, nr, stdout);
		fflush(stdout);
	}
	for (size_t i = 0; i < nr; i++) {
		if (bytes[i] == '\n')
			end_line(console);
		else if (bytes[i] != '\r' && console->line_bytes < CONSOLE_LINE_MAX - 1)
			console->line[console->line_bytes++] = bytes[i];
	}
}

void console_print_tail(const struct console *console, FILE *out)
{
	unsigned nr = console->nr_lines < CONSOLE_TAIL ? console->nr_lines : CONSOLE_TAIL;

	for (unsigned i = console->nr_lines - nr; i < console->nr_lines; i++)
		fprintf(out, "  | %s\n", console->tail[i % CONSOLE_TAIL]);
	if (console->line_bytes)
		fprintf(out, "  | %.*s\n", (int)console->line_bytes, console->line);
}
