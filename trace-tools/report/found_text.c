/* SPDX-License-Identifier: MIT */
/*
 * found_text: findings as compilers print theirs, and as Markdown.
 *
 *     kernel/fs/cached_io.c:30: warning: inode_read_cached() acquires a page-cache reference ...: 320 pages leaked [leaked]
 *     kernel/fs/cached_io.c:30: note: 627 of 627 other references acquired by lookup() were released by pagecache_release()
 *     kernel/cache/pagecache.c:158: note: acquired here
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "found.h"
#include "leaks_text.h"
#include "print.h"

/* ---- as a compiler does ---- */

static void print_gcc_place(const struct found_place *place, FILE *out)
{
	if (place->file)
		found_print_place(place, out);
	else
		fputs("pagetrail", out);
	fputs(": ", out);
}

static void print_gcc_found(const struct found *found, FILE *out)
{
	print_gcc_place(&found->place, out);
	fprintf(out, "warning: %s", found->sentence);
	found_print_ways(found, out);
	fprintf(out, " [%s]\n", found->rule);
	if (found->evidence) {
		print_gcc_place(&found->place, out);
		fprintf(out, "note: %s\n", found->evidence);
	}
	if (found->acquired.file) {
		print_gcc_place(&found->acquired, out);
		fprintf(out, "note: acquired here\n");
	}
}

void found_print_gcc(const struct leaks *leaks, FILE *out)
{
	struct found_list list = found_list_make(leaks);

	if (leaks->status == STATUS_CANNOT_TELL)
		fprintf(out, "pagetrail: warning: cannot tell: %s\n", leaks_uncertain(leaks));
	char *left_out = leaks_left_out_text(leaks), *rest = left_out, *line;
	while ((line = strsep(&rest, "\n"))) {
		if (*line)
			fprintf(out, "pagetrail: note: %s\n", line);
	}
	free(left_out);
	for (size_t i = 0; i < list.nr; i++)
		print_gcc_found(&list.all[i], out);
	found_list_free(&list);
}

/* ---- Markdown ---- */

/* Text of a table's cell: nothing in it is markup. */
static void markdown_cell(const char *text, FILE *out)
{
	for (; *text; text++) {
		if (*text == '<')
			fputs("&lt;", out);
		else if (*text == '|' || *text == '*' || *text == '`' || *text == '[' || *text == '\\')
			fprintf(out, "\\%c", *text);
		else
			fputc((unsigned char)*text < 32 ? ' ' : *text, out);
	}
}

static void markdown_row(size_t number, const struct found *found, FILE *out)
{
	fprintf(out, "| %zu | ", number);
	markdown_cell(found->sentence, out);
	found_print_ways(found, out);
	fprintf(out, " | ");
	if (found->place.file) {
		markdown_cell(found->place.file, out);
		if (found->place.line)
			fprintf(out, ":%" PRIu32, found->place.line);
	}
	fprintf(out, " | ");
	markdown_cell(found->evidence ? found->evidence : "", out);
	fprintf(out, " |\n");
}

static void markdown_stack(const struct leaks *leaks, size_t number, const struct found *found, FILE *out)
{
	fprintf(out, "\n<details><summary>%zu: call stack of the %s</summary>\n\n```\n", number,
		found->nr_groups ? "get that was never released" : "finding");
	stack_table_print(leaks->stacks, found->stack, "", out);
	fprintf(out, "```\n\n</details>\n");
}

static void markdown_verdict(const struct leaks *leaks, FILE *out)
{
	char bytes[24];

	fprintf(out, "### Pagetrail: %s", leaks_verdict(leaks->status));
	if (leaks->nr_items)
		fprintf(out, ": %" PRIu64 " page%s, %" PRIu64 " object%s (%s)", leaks->nr_pages,
			plural_s(leaks->nr_pages), leaks->nr_objects, plural_s(leaks->nr_objects),
			bytes_text(leaks->bytes, bytes));
	else if (leaks->status == STATUS_OK)
		fputs(leaks_verdict_scope(leaks), out);
	fprintf(out, "\n\n");
	char *left_out = leaks_left_out_text(leaks), *rest = left_out, *line;
	while ((line = strsep(&rest, "\n"))) {
		if (!*line)
			continue;
		markdown_cell(line, out);
		fprintf(out, "\n\n");
	}
	free(left_out);
	if (leaks->status == STATUS_CANNOT_TELL) {
		fprintf(out, "What is missing for a verdict: ");
		markdown_cell(leaks_uncertain(leaks), out);
		fprintf(out, "\n\n");
	}
}

void found_print_markdown(const struct leaks *leaks, FILE *out)
{
	struct found_list list = found_list_make(leaks);

	markdown_verdict(leaks, out);
	if (list.nr)
		fprintf(out, "| | What | Where | Evidence |\n|---|---|---|---|\n");
	for (size_t i = 0; i < list.nr; i++)
		markdown_row(i + 1, &list.all[i], out);
	for (size_t i = 0; i < list.nr; i++) {
		if (list.all[i].stack)
			markdown_stack(leaks, i + 1, &list.all[i], out);
	}
	found_list_free(&list);
}
