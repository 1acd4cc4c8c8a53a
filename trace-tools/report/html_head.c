/* SPDX-License-Identifier: MIT */
/*
 * html_head: the head of the HTML report. A reader who sees nothing else must not be misled, so what is missing for a verdict comes
 * right behind it, and a number that is not known is "-".
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "html.h"

/* ---- what is missing ---- */

static void put_line(FILE *out, const char *class, const char *side, const char *text)
{
	fprintf(out, "<p class=\"%s\">%s", class, side);
	markup_text(out, text);
	fputs("</p>\n", out);
}

/* Each line; the text is cut up. */
static void put_lines(FILE *out, const char *class, const char *side, char *text)
{
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n"))) {
		if (*line)
			put_line(out, class, side, line);
	}
}

void html_doubts(FILE *out, const struct leaks *leaks, const char *side)
{
	const char *uncertain = leaks_uncertain(leaks), *stopped = model_stopped_early(leaks->model);
	struct text_buffer buffer;
	FILE *losses = text_begin(&buffer);

	run_print_losses(model_run(leaks->model), losses);
	char *text = text_end(&buffer);
	put_lines(out, "bad", side, text);
	free(text);
	if (stopped && stopped != uncertain)
		put_line(out, "doubt", side, stopped);
	if (!uncertain)
		return;
	char *reason = xasprintf("not certain: %s", uncertain);
	put_line(out, "doubt", side, reason);
	free(reason);
}

/* ---- numbers ---- */

const char *html_leaked_number(const struct leaks *leaks, uint64_t number, char buf[32])
{
	return number || leaks->status != STATUS_CANNOT_TELL ? html_number((int64_t)number, buf) : "-";
}

static void put_fact(FILE *out, const char *what, const char *text)
{
	fprintf(out, "<div><dt>%s</dt><dd>%s</dd></div>\n", what, text);
}

static void put_number(FILE *out, const char *what, int64_t number)
{
	char text[32];

	put_fact(out, what, html_number(number, text));
}

static void put_test_facts(FILE *out, const struct model *model)
{
	int64_t leaked = 0, open = 0;
	size_t nr;
	const struct test_mark *tests = model_tests(model, &nr);

	for (size_t i = 0; i < nr; i++) {
		leaked += html_test_leaked(model, &tests[i]);
		open += !tests[i].end;
	}
	put_number(out, "tests", (int64_t)nr);
	if (open)
		put_number(out, "tests that never ended", open);
	if (run_complete(model_run(model)) && !model_run(model)->watched)
		put_number(out, "tests that leaked", leaked);
}

static void put_facts(FILE *out, const struct leaks *leaks)
{
	const struct model *model = leaks->model;
	const struct run *run = model_run(model);
	const char *leaked = leaks->status == STATUS_CANNOT_TELL ? "possibly leaked" : "leaked";
	char number[32], text[64];

	fputs("<dl class=\"facts\">\n", out);
	snprintf(text, sizeof(text), "pages %s", leaked);
	put_fact(out, text, html_leaked_number(leaks, leaks->nr_pages, number));
	snprintf(text, sizeof(text), "objects %s", leaked);
	put_fact(out, text, html_leaked_number(leaks, leaks->nr_objects, number));
	put_test_facts(out, model);
	if (model_knows_free(model))
		put_fact(out, "free at the end",
			 run_complete(run) ? html_number(model_free_pages(model), number) : "-");
	put_number(out, "harts in the trace", run->nr_streams);
	put_number(out, "events", (int64_t)model_totals(model)->nr_events);
	snprintf(text, sizeof(text), "%.1f s",
		 time_seconds(model_totals(model)->last_time - model_totals(model)->first_time));
	put_fact(out, "duration", text);
	fputs("</dl>\n", out);
}

/* ---- the verdict ---- */

static void put_verdict(FILE *out, const struct leaks *leaks)
{
	char bytes[24], pages[32], objects[32];

	fprintf(out, "<h2 id=\"verdict\">Verdict</h2>\n<p class=\"verdict v%d\">", leaks->status);
	if (leaks->nr_items)
		fprintf(out, "%s: %s page%s, %s object%s (%s) in %zu group%s",
			leaks->status == STATUS_CANNOT_TELL ? "Cannot tell; possibly leaked" : "Leaked",
			html_number((int64_t)leaks->nr_pages, pages), plural_s(leaks->nr_pages),
			html_number((int64_t)leaks->nr_objects, objects), plural_s(leaks->nr_objects),
			bytes_text(leaks->bytes, bytes), leaks->nr_groups, plural_s(leaks->nr_groups));
	else if (leaks->status == STATUS_LEAKED)
		fputs(leaks->nr_incidents || (leaks->ram_audit && leaks->ram_audit->faulty)
			  ? "Broken: what was found is no leak"
			  : "Leaked",
		      out);
	else
		fprintf(out, "%s", leaks->status == STATUS_OK ? "No leaks" : "Cannot tell");
	if (leaks->status == STATUS_OK)
		fputs(leaks_verdict_scope(leaks), out);
	fputs("</p>\n", out);
}

void html_head(FILE *out, const struct leaks *leaks, const struct found_list *list)
{
	const struct model *model = leaks->model;
	const char *folder = model_run(model)->folder, *slash = strrchr(folder, '/');

	html_page_begin(
	    out, slash && slash[1] ? slash + 1 : folder,
	    "<a href=\"#verdict\">Verdict</a> <a href=\"#groups\">Findings</a> "
	    "<a href=\"#time\">Time</a> <a href=\"#flame\">Flame graph</a> <a href=\"#map\">Map</a> "
	    "<a href=\"#sites\">Call sites</a> <a href=\"#tests\">Tests</a> "
	    "<a href=\"#processes\">Processes</a> <a href=\"#run\">The run</a>");
	put_verdict(out, leaks);
	html_doubts(out, leaks, "");
	char *left_out = leaks_left_out_text(leaks);
	put_lines(out, "doubt", "", left_out);
	free(left_out);
	if (model_totals(model)->panic_time) {
		fputs("<p class=\"bad\">The kernel panicked: ", out);
		markup_text(out, model_totals(model)->panic);
		fputs("</p>\n", out);
	}
	html_found_list(out, leaks, list);
	put_facts(out, leaks);
	fputs("<details><summary>The verdict as <code>pagetrail leaks</code> prints it</summary>\n", out);
	html_part(out, leaks, PART_HEAD, 0, "The verdict in words");
	fputs("</details>\n", out);
}
