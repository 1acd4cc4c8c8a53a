/* SPDX-License-Identifier: MIT */
/*
 * batch_text: the table of many trees as text. See batch_table.h.
 *
 * A tree's name may be as long as a path. One that is longer than NAME_MOST gets a line of its own, and its cells the next one: so one
 * long name does not push the columns of all others to the right. On a terminal the last column goes on under itself.
 *
 *     tree            status    leaked     tests   suspect, or what is missing for a verdict
 *     alice           leaked    320 pages  passed  uvmcopy() at kernel/vm.c:312
 *     submissions/2026-11-28/group-17-a-name-without-end/xv6-riscv
 *                     no leaks  0          failed  tests failed: test copyout: FAILED
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "batch_table.h"

#define NR_COLUMNS 5
#define GAP 2
#define NAME_MOST 28
#define LAST_LEAST 24 /* with less room than that for the last column, lines are the terminal's business */

/* As wide as it is on a terminal: bytes that continue a character take no place. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += (*text & 0xc0) != 0x80;
	return width;
}

static void pad(FILE *out, size_t nr)
{
	fprintf(out, "%*s", (int)nr, "");
}

/* The words of `text` from column `at` on, further lines under it. columns 0: all on one line. */
static void put_last(FILE *out, const char *text, size_t at, size_t columns)
{
	size_t column = at;

	if (columns < at + LAST_LEAST) {
		fputs(text, out);
		return;
	}
	while (*text) {
		size_t bytes = strcspn(text, " ");
		char *word = xasprintf("%.*s", (int)bytes, text);
		size_t width = width_of(word);
		if (column > at && column + 1 + width > columns) {
			fputc('\n', out);
			pad(out, at);
			column = at;
		}
		column += (size_t)fprintf(out, "%s", column > at ? " " : "") + width;
		fputs(word, out);
		free(word);
		text += bytes + (text[bytes] == ' ');
	}
}

static void put_line(char *const cells[NR_COLUMNS], const size_t widths[NR_COLUMNS], size_t columns,
		     FILE *out)
{
	size_t last = NR_COLUMNS - 1, at = 0;

	while (last && !cells[last][0])
		last--;
	for (size_t i = 0; i <= last; i++) {
		size_t width = width_of(cells[i]);
		if (i == NR_COLUMNS - 1)
			put_last(out, cells[i], at, columns);
		else
			fputs(cells[i], out);
		if (width > widths[i] && i < last) {
			fputc('\n', out);
			width = 0;
		}
		if (i < last)
			pad(out, widths[i] - width + GAP);
		at += widths[i] + GAP;
	}
	fputc('\n', out);
}

/* Caller frees each. */
static void make_cells(char *cells[NR_COLUMNS], const struct batch_row *row)
{
	char *details = batch_details_text(row);

	cells[0] = line_text(row->tree);
	cells[1] = xstrdup(batch_state_text(row->state));
	cells[2] = batch_amount_text(row);
	cells[3] = xstrdup(guest_tests_text(row->tests.end));
	cells[4] = line_text(details);
	free(details);
}

static void put_rows(char *(*lines)[NR_COLUMNS], size_t nr, FILE *out)
{
	size_t widths[NR_COLUMNS] = {0}, columns = terminal_columns(out);

	for (size_t i = 0; i < nr; i++) {
		for (size_t c = 0; c < NR_COLUMNS; c++) {
			size_t width = width_of(lines[i][c]);
			if (width > widths[c] && (c || width <= NAME_MOST))
				widths[c] = width;
		}
	}
	for (size_t i = 0; i < nr; i++)
		put_line(lines[i], widths, columns, out);
}

void batch_print_text(const struct batch_table *table, FILE *out)
{
	static const char *const heads[NR_COLUMNS] = {"tree", "status", "leaked", "tests",
						      "suspect, or what is missing for a verdict"};
	char *(*lines)[NR_COLUMNS] = xcalloc(table->nr + 1, sizeof(*lines));

	for (size_t c = 0; c < NR_COLUMNS; c++)
		lines[0][c] = xstrdup(heads[c]);
	for (size_t i = 0; i < table->nr; i++)
		make_cells(lines[i + 1], &table->rows[i]);
	put_rows(lines, table->nr + 1, out);
	for (size_t i = 0; i <= table->nr; i++) {
		for (size_t c = 0; c < NR_COLUMNS; c++)
			free(lines[i][c]);
	}
	free(lines);
	char *summary = batch_summary_text(table), *tests = batch_tests_text(table);
	fprintf(out, "\n%s\n%s\n", summary, tests);
	free(summary);
	free(tests);
}
