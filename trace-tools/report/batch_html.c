/* SPDX-License-Identifier: MIT */
/* batch_html: the table of many trees as one HTML file. See batch_table.h; it looks like the report of a run. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "batch_table.h"
#include "html.h"

/* Beyond the style of a report. On a narrow screen a row is a box, its cells one below the other, and each says what it is. */
static const char batch_style[] =
    "th,td{vertical-align:top}tbody th{font-weight:400;border-bottom:1px solid var(--rule)}tbody "
    "tr:last-child "
    "th{border-bottom:0}td.state{font-weight:600;white-space:nowrap}td.s0{color:var(--good)}"
    "td.s1{color:var(--bad)}td.s2{color:var(--unsure)}"
    "td.tests{white-space:nowrap}td.t1{color:var(--good)}td.t2{color:var(--bad);font-weight:600}"
    "@media(max-width:50rem){thead{position:absolute;left:-9999px}tr,tbody th,td{display:block;border:0}"
    "tbody tr{padding:.5rem 0;border-bottom:1px solid var(--rule)}tbody "
    "th{font-weight:600;overflow-wrap:anywhere}"
    "td:empty{display:none}tbody tr:last-child{border-bottom:0}"
    "td.leaked::before{content:\"leaked: \"}td.tests::before{content:\"tests: \"}"
    "td.leaked::before,td.tests::before{color:var(--dim);font-weight:400}}";

/* A link to a file below the batch's folder, which may be moved with all that is in it. */
static void put_link(const struct batch_table *table, const char *path, const char *text, FILE *out)
{
	size_t bytes = strlen(table->folder);
	bool below = path && !strncmp(path, table->folder, bytes) && path[bytes] == '/';

	if (below) {
		char *uri = uri_text(path + bytes + 1);
		fprintf(out, "<a href=\"%s\">", uri);
		free(uri);
	}
	markup_text(out, text);
	if (below)
		fputs("</a>", out);
}

static void put_cell(FILE *out, const char *attributes, char *text)
{
	fprintf(out, "<td%s>", attributes);
	markup_text(out, text);
	fputs("</td>", out);
	free(text);
}

static void put_files(const struct batch_table *table, const struct batch_row *row, FILE *out)
{
	fputs("<td>", out);
	for (size_t i = 0; i < row->nr_reports; i++) {
		char *name = i ? xasprintf("report %zu", i + 1) : xstrdup("report");
		put_link(table, row->reports[i], name, out);
		fputs(" ", out);
		free(name);
	}
	if (row->output)
		put_link(table, row->output, "output", out);
	fputs("</td>", out);
}

static void put_row(const struct batch_table *table, const struct batch_row *row, FILE *out)
{
	char *state = xasprintf(" class=\"state s%d\"", batch_row_status(row)),
	     *tests = xasprintf(" class=\"tests t%d\"", (int)row->tests.end);

	fputs("<tr><th scope=\"row\">", out);
	put_link(table, row->nr_reports ? row->reports[0] : NULL, row->tree, out);
	fputs("</th>", out);
	put_cell(out, state, xstrdup(batch_state_text(row->state)));
	put_cell(out, " class=\"leaked\"", batch_amount_text(row));
	put_cell(out, tests, xstrdup(guest_tests_text(row->tests.end)));
	put_cell(out, "", batch_details_text(row));
	put_files(table, row, out);
	fputs("</tr>\n", out);
	free(state);
	free(tests);
}

void batch_print_html(const struct batch_table *table, FILE *out)
{
	char *summary = batch_summary_text(table), *tests = batch_tests_text(table);
	bool suppresses = false;

	fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>Pagetrail: ",
	      out);
	markup_text(out, summary);
	fprintf(out,
		"</title>\n<style>%s%s</style></head>\n<body>\n<main class=\"page\">\n<h1>Pagetrail: many "
		"trees</h1>\n",
		report_style, batch_style);
	fprintf(out, "<p class=\"verdict v%d\">", batch_table_status(table));
	markup_text(out, summary);
	fputs("</p>\n<p>", out);
	markup_text(out, tests);
	fputs("</p>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
	      "aria-label=\"trees\"><table>\n<thead><tr>"
	      "<th scope=\"col\">tree</th><th scope=\"col\">status</th><th scope=\"col\">leaked</th>"
	      "<th scope=\"col\">tests</th>"
	      "<th scope=\"col\">suspect, or what is missing for a verdict</th><th "
	      "scope=\"col\">files</th></tr></thead>\n"
	      "<tbody>\n",
	      out);
	for (size_t i = 0; i < table->nr; i++) {
		put_row(table, &table->rows[i], out);
		suppresses = suppresses || batch_row_suppresses(&table->rows[i]);
	}
	fputs("</tbody></table></div>\n", out);
	if (suppresses)
		fputs("<p>The reports say what was suppressed, and by which line of --suppressions.</p>\n",
		      out);
	fputs("</main>\n</body></html>\n", out);
	free(summary);
	free(tests);
}
