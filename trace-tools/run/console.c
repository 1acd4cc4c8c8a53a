/* SPDX-License-Identifier: MIT */
/* console: see console.h. */
#include "console.h"

#include <ctype.h>
#include <string.h>

#include "base/util.h"
#include "ctf/format.h"

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

/* ---- the tail ---- */

/* "Platform Name             : riscv-virtio,qemu" */
static bool is_firmware_fact(const char *line)
{
	size_t bytes = strcspn(line, ":");

	return isupper((unsigned char)line[0]) && line[bytes] == ':' && bytes && line[bytes - 1] == ' ' &&
	       strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 /-_") >= bytes;
}

/* Is it the firmware that says this line? */
static bool is_firmware(struct console *console, const char *line)
{
	if (console->speaker == CONSOLE_NOBODY)
		console->speaker = !strncmp(line, "OpenSBI", 7) ? CONSOLE_FIRMWARE
				   : *line                      ? CONSOLE_GUEST
								: CONSOLE_NOBODY;
	if (console->speaker == CONSOLE_FIRMWARE && is_firmware_fact(line))
		console->speaker = CONSOLE_FIRMWARE_FACTS;
	else if (console->speaker == CONSOLE_FIRMWARE_FACTS && *line && !is_firmware_fact(line))
		console->speaker = CONSOLE_GUEST;
	return console->speaker != CONSOLE_GUEST;
}

/* "UNREACH pfn ...", "OBJ object ...", and the stacks below: "  from 80206692 ...", "  now 8020a414 ...". */
static bool is_finding(const char *line)
{
	if (!strncmp(line, "  from ", 7) || !strncmp(line, "  now ", 6))
		return true;
	for (uint32_t kind = 0; kind < VERDICT_NR; kind++) {
		const char *tag = verdict_text(kind);
		size_t bytes = strlen(tag);
		if (bytes && !strncmp(line, tag, bytes) &&
		    (!strncmp(line + bytes, " pfn ", 5) || !strncmp(line + bytes, " object ", 8)))
			return true;
	}
	return false;
}

static void put_into_tail(struct console *console, const char *line)
{
	snprintf(console->tail[console->nr_lines++ % CONSOLE_TAIL], CONSOLE_LINE_MAX, "%s", line);
}

/* The findings that were left out are counted, in one line. */
static void end_findings(struct console *console)
{
	unsigned nr = console->nr_findings > CONSOLE_FINDINGS ? console->nr_findings - CONSOLE_FINDINGS : 0;
	char text[64];

	snprintf(text, sizeof(text), "... %u more line%s of findings", nr, plural_s(nr));
	if (nr)
		put_into_tail(console, text);
	console->nr_findings = 0;
}

static void keep_line(struct console *console, const char *line)
{
	if (is_firmware(console, line))
		return;
	if (is_finding(line)) {
		if (console->nr_findings++ < CONSOLE_FINDINGS)
			put_into_tail(console, line);
		return;
	}
	end_findings(console);
	put_into_tail(console, line);
}

static void end_line(struct console *console)
{
	console->line[console->line_bytes] = 0;
	keep_line(console, console->line);
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

	if (!nr && !console->line_bytes)
		fprintf(out, "  (the kernel said nothing%s)\n",
			console->speaker == CONSOLE_NOBODY ? "" : "; the firmware did, before it");
	for (unsigned i = console->nr_lines - nr; i < console->nr_lines; i++)
		fprintf(out, "  | %s\n", console->tail[i % CONSOLE_TAIL]);
	if (console->nr_findings > CONSOLE_FINDINGS)
		fprintf(out, "  | ... %u more line%s of findings\n", console->nr_findings - CONSOLE_FINDINGS,
			plural_s(console->nr_findings - CONSOLE_FINDINGS));
	if (console->line_bytes)
		fprintf(out, "  | %.*s\n", (int)console->line_bytes, console->line);
}
