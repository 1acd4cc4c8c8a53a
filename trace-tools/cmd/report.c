/*
 * pagetrail report: one HTML file that says of a run what the other commands say, with pictures.
 *
 * It opens from the disk and asks nothing of the network: styles and pictures are in it, and there is no script.
 * What can be folded is <details>, which the keyboard opens; wide things scroll in boxes that take the focus.
 */
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CURVE_STEPS 1000
#define GROUPS_MAX 200
#define GROUPS_OPEN 3
#define SITES_MAX 30

static const char style[] =
    ":root{--ink:#1c2330;--dim:#5b6472;--paper:#fff;--box:#f4f6f8;--rule:#d5dae0;--bad:#b3261e;--good:#"
    "1b6b3a;"
    "--unsure:#8a5a00;--line:#1f5fa8;--band:#9cc3ea}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e4e8ee;--dim:#a2abb8;--paper:#15191f;--box:#1e242c;"
    "--rule:#3a424d;--bad:#ff8a80;--good:#7fd6a0;--unsure:#f0c060;--line:#7db8f5;--band:#2f557d}}\n"
    "body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:66rem;"
    "margin:0 auto;padding:1rem 1.2rem 4rem}\n"
    "h1{font-size:1.6rem;margin:.5rem 0}h2{font-size:1.2rem;margin:2.2rem 0 .6rem;border-bottom:1px solid "
    "var(--rule)}h3{font-size:1rem;margin:1rem 0 .2rem}\n"
    "nav a{margin-right:1rem}a{color:var(--line)}\n"
    ".verdict{font-size:1.25rem;font-weight:600;padding:.6rem .9rem;border-left:.4rem "
    "solid;background:var(--box)}\n"
    ".v0{border-color:var(--good);color:var(--good)}.v1{border-color:var(--bad);color:var(--bad)}"
    ".v2{border-color:var(--unsure);color:var(--unsure)}\n"
    "pre,.scroll{overflow:auto;background:var(--box);padding:.6rem .8rem;font-size:.85rem;line-height:1.4}\n"
    "pre,code,td.n,th.n{font-family:ui-monospace,monospace}\n"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.15rem .6rem;border-bottom:1px "
    "solid "
    "var(--rule)}td.n,th.n{text-align:right}\n"
    "details{border:1px solid var(--rule);margin:.5rem 0;padding:.4rem "
    ".8rem}summary{cursor:pointer;font-weight:600}\n"
    "summary:focus-visible,.scroll:focus-visible,a:focus-visible,pre:focus-visible{outline:3px solid "
    "var(--line)}\n"
    "ol.stack{font:.85rem/1.5 ui-monospace,monospace;margin:.2rem 0;padding-left:2rem}ol.stack "
    "span{color:var(--dim)}\n"
    ".machinery{opacity:.7}.bad{color:var(--bad);fill:var(--bad)}\n"
    "svg{width:100%;height:auto;background:var(--paper)}svg text{font:12px "
    "system-ui,sans-serif;fill:var(--ink)}"
    "svg text.bad{fill:var(--bad);font-weight:600}.end{text-anchor:end}.middle{text-anchor:middle}\n"
    ".grid{stroke:var(--rule)}.line{fill:none;stroke:var(--line);stroke-width:1.5}.band{fill:var(--band);"
    "opacity:.6}"
    ".area{stroke:#0005;stroke-width:.3}\n"
    "rect.even{fill:var(--box)}rect.odd{fill:var(--rule);opacity:.45}rect.lost{fill:var(--bad);opacity:.25}\n"
    ".map{background:#eef1f4;border:1px solid var(--rule)}.gone{fill:#d00000;background:#d00000}\n"
    ".legend{font-size:.85rem}.legend span{margin-right:1rem;white-space:nowrap}.legend "
    "i{display:inline-block;width:.8em;height:.8em;margin-right:.35em;border:1px solid #0006}\n"
    "@media print{details{break-inside:avoid}}\n";

void html_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			if ((unsigned char)*text >= 32 || *text == '\n' || *text == '\t')
				fputc(*text, out);
		}
	}
}

/* ---- the text of the leak report ---- */

static char *part_text(const struct leaks *leaks, enum leaks_part part, size_t group)
{
	char *text;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		die("out of memory");
	leaks_print_part(leaks, part, group, out);
	fclose(out);
	return text;
}

/* The lines as they are; nothing when there is none. label: what it is, for those who cannot see it. */
static void put_part(FILE *out, const struct leaks *leaks, enum leaks_part part, size_t group,
		     const char *label)
{
	char *text = part_text(leaks, part, group);

	/* The headline of that part is the heading here. */
	const char *from = text + (part == PART_MISSING ? strcspn(text, "\n") : 0);

	if (*from) {
		fprintf(out, "<pre tabindex=\"0\" aria-label=\"%s\">", label);
		html_text(out, from);
		fputs("</pre>\n", out);
	}
	free(text);
}

static void put_stack(FILE *out, struct stackbook *book, uint32_t id)
{
	const struct stack_view *view = stackbook_get(book, id);
	char place[256];

	if (!view->nr) {
		fputs("<p>(no stack)</p>\n", out);
		return;
	}
	fputs("<ol class=\"stack\">\n", out);
	for (uint32_t i = 0; i < view->nr; i++) {
		fputs(i < view->site ? "<li class=\"machinery\">" : "<li>", out);
		html_text(out, view->frames[i].function);
		if (frame_place(&view->frames[i], place, sizeof(place))[0]) {
			fputs(" <span>", out);
			html_text(out, place);
			fputs(view->frames[i].inlined ? ", inlined</span>" : "</span>", out);
		}
		fputs("</li>\n", out);
	}
	fputs("</ol>\n", out);
}

/* ---- sections ---- */

static void put_head(FILE *out, const struct run *run, const struct leaks *leaks)
{
	static const char *const verdicts[] = {"Nothing lost", "Lost", "No verdict"};
	const struct model *model = leaks->model;
	const char *slash = strrchr(run->folder, '/');
	const char *name = slash && slash[1] ? slash + 1 : run->folder;
	char bytes[24];

	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
	      out);
	html_text(out, name);
	fprintf(out,
		": Pagetrail report</title>\n<style>\n%s</style>\n</head>\n<body>\n<h1>Pagetrail: ", style);
	html_text(out, name);
	fputs(
	    "</h1>\n<nav aria-label=\"Sections\"><a href=\"#verdict\">Verdict</a> <a href=\"#free\">Free "
	    "pages</a> "
	    "<a href=\"#groups\">What was lost</a> <a href=\"#kinds\">Kinds</a> <a href=\"#map\">Map</a> <a "
	    "href=\"#tests\">Tests</a> <a href=\"#sites\">Call sites</a> <a href=\"#run\">The "
	    "run</a></nav>\n<main>\n",
	    out);
	fprintf(out, "<h2 id=\"verdict\">Verdict</h2>\n<p class=\"verdict v%d\">%s", leaks->status,
		verdicts[leaks->status]);
	if (leaks->nr_items)
		fprintf(out, ": %" PRIu64 " pages, %" PRIu64 " objects (%s) in %zu group%s", leaks->nr_pages,
			leaks->nr_objects, bytes_text(leaks->bytes, bytes), leaks->nr_groups,
			leaks->nr_groups == 1 ? "" : "s");
	fputs("</p>\n", out);
	if (model->panic_time) {
		fputs("<p class=\"bad\">The kernel panicked: ", out);
		html_text(out, model->panic);
		fputs("</p>\n", out);
	}
	put_part(out, leaks, PART_HEAD, 0, "The verdict in words");
}

static void put_group(FILE *out, const struct leaks *leaks, size_t number)
{
	const struct leak_group *group = &leaks->groups[number];
	const struct leak_item *first = &leaks->items[group->items[0]];
	char *what = part_text(leaks, PART_WHAT, number);

	fprintf(out, "<details id=\"group%zu\"%s><summary>%zu. ", number + 1,
		number < GROUPS_OPEN ? " open" : "", number + 1);
	what[strcspn(what, "\n")] = 0;
	html_text(out, what);
	if (group->missing.suspect) {
		fputs(" &mdash; suspect: <code>", out);
		html_text(out, group->missing.suspect);
		fputs("</code>", out);
	}
	fputs("</summary>\n", out);
	put_part(out, leaks, PART_FACTS, number, "Facts");
	fputs("<h3>The act that is missing</h3>\n", out);
	put_part(out, leaks, PART_MISSING, number, "The act that is missing");
	fputs("<h3>Allocated by</h3>\n", out);
	put_stack(out, leaks->book, first->alloc_stack);
	if (!first->object && first->get_stack != first->alloc_stack) {
		fputs("<h3>Unmatched get by</h3>\n", out);
		put_stack(out, leaks->book, first->get_stack);
	}
	if (group->history.nr) {
		fputs("<details><summary>The life of the oldest page</summary>\n", out);
		put_part(out, leaks, PART_LIFE, number, "The life of the oldest page");
		fputs("</details>\n", out);
	}
	fputs("</details>\n", out);
	free(what);
}

static void put_groups(FILE *out, const struct leaks *leaks)
{
	fputs("<h2 id=\"groups\">What was lost</h2>\n", out);
	if (!leaks->nr_groups)
		fputs("<p>Nothing was found to be lost.</p>\n", out);
	for (size_t i = 0; i < leaks->nr_groups && i < GROUPS_MAX; i++)
		put_group(out, leaks, i);
	if (leaks->nr_groups > GROUPS_MAX)
		fprintf(out,
			"<p>And %zu smaller groups: <code>pagetrail leaks --all</code> tells them.</p>\n",
			leaks->nr_groups - GROUPS_MAX);
	put_part(out, leaks, PART_REST, 0, "Other findings");
}

static void put_tests(FILE *out, const struct model *model)
{
	int64_t offset = model->sampled ? model->sample_offset : 0;

	fputs("<h2 id=\"tests\">Tests</h2>\n", out);
	if (!model->nr_tests) {
		fputs("<p>The trace has no marks of tests.</p>\n", out);
		return;
	}
	fputs("<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
	      "aria-label=\"Tests\"><table><thead><tr><th>Test</th>"
	      "<th class=\"n\">Seconds</th><th class=\"n\">Free before</th><th class=\"n\">Free after</th>"
	      "<th class=\"n\">Lost</th><th>Audit</th></tr></thead><tbody>\n",
	      out);
	for (size_t i = 0; i < model->nr_tests; i++) {
		const struct test_mark *test = &model->tests[i];
		int64_t lost = test->net_begin - test->net_after;
		fputs("<tr><td>", out);
		html_text(out, test->name);
		if (test->end)
			fprintf(out, "</td><td class=\"n\">%.3f</td>", time_seconds(test->end - test->begin));
		else
			fputs("</td><td class=\"n bad\">never ended</td>", out);
		fprintf(out,
			"<td class=\"n\">%" PRId64 "</td><td class=\"n\">%" PRId64
			"</td><td class=\"n%s\">%" PRId64 "</td><td>",
			test->net_begin + offset, test->net_after + offset, lost > 0 ? " bad" : "", lost);
		if (!test->nr_audits)
			fputs("not audited", out);
		else if (test->nr_findings)
			fprintf(out, "<span class=\"bad\">%u findings</span>", test->nr_findings);
		else
			fputs(test->quiet ? "clean" : "clean (not quiet)", out);
		fputs("</td></tr>\n", out);
	}
	fputs("</tbody></table></div>\n", out);
}

static int compare_sites(const void *a, const void *b, void *arg)
{
	const struct site *sites = arg, *left = &sites[*(const uint32_t *)a],
			  *right = &sites[*(const uint32_t *)b];

	if (left->pages_live != right->pages_live)
		return left->pages_live < right->pages_live ? 1 : -1;
	return left->pages_peak < right->pages_peak ? 1 : left->pages_peak > right->pages_peak ? -1 : 0;
}

static void put_sites(FILE *out, struct model *model, struct stackbook *book)
{
	uint32_t *order = xcalloc(model->nr_sites, sizeof(*order)), nr = 0;

	for (uint32_t i = 1; i < model->nr_sites; i++) {
		if (model->sites[i].allocs)
			order[nr++] = i;
	}
	qsort_r(order, nr, sizeof(*order), compare_sites, model->sites);
	fprintf(out,
		"<h2 id=\"sites\">Call sites</h2>\n<p>The %u that hold most pages at the end, of %u.</p>\n",
		nr < SITES_MAX ? nr : SITES_MAX, nr);
	for (uint32_t i = 0; i < nr && i < SITES_MAX; i++) {
		const struct site *site = &model->sites[order[i]];
		fputs("<details><summary><code>", out);
		html_text(out, stackbook_function(book, order[i]));
		fprintf(out,
			"</code>: %" PRIu64 " pages live, at most %" PRIu64 ", taken %" PRIu64
			" times, given back %" PRIu64 "</summary>\n",
			site->pages_live, site->pages_peak, site->allocs, site->frees);
		put_stack(out, book, order[i]);
		fputs("</details>\n", out);
	}
	free(order);
}

static void put_run(FILE *out, const struct run *run, const struct model *model)
{
	char *path = xasprintf("%s/run.json", run->folder), *text = file_read_all(path, NULL);

	fprintf(out,
		"<h2 id=\"run\">The run</h2>\n<p>%" PRIu64
		" events of %u harts in %.3f seconds, %u stacks; %s.</p>\n",
		model->nr_events, run->nr_streams, time_seconds(model->last_time - model->first_time),
		run->nr_stacks, run_complete(run) ? "nothing discarded, nothing missing" : "not complete");
	fputs("<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
	      "aria-label=\"Events\"><table><thead><tr><th>Event"
	      "</th><th class=\"n\">Number</th><th>What it is</th></tr></thead><tbody>\n",
	      out);
	for (uint32_t id = 0; id < EVENT_ID_MAX; id++) {
		if (!model->by_event[id])
			continue;
		fprintf(out, "<tr><td>%s</td><td class=\"n\">%" PRIu64 "</td><td>", event_info(id)->name,
			model->by_event[id]);
		html_text(out, event_info(id)->help);
		fputs("</td></tr>\n", out);
	}
	fputs("</tbody></table></div>\n", out);
	if (text) {
		fputs("<details><summary>run.json</summary><pre tabindex=\"0\" aria-label=\"run.json\">",
		      out);
		html_text(out, text);
		fputs("</pre></details>\n", out);
	}
	free(text);
	free(path);
}

static void write_report(FILE *out, struct run *run, struct leaks *leaks, const struct curve *curve)
{
	put_head(out, run, leaks);
	fputs("<h2 id=\"free\">Free pages</h2>\n", out);
	svg_free_pages(out, leaks, curve);
	put_groups(out, leaks);
	fputs("<h2 id=\"kinds\">Pages by kind</h2>\n", out);
	svg_kinds(out, leaks->model, curve);
	fputs("<h2 id=\"map\">RAM at the end</h2>\n", out);
	svg_map(out, leaks);
	put_tests(out, leaks->model);
	put_sites(out, leaks->model, leaks->book);
	put_run(out, run, leaks->model);
	fputs("</main>\n</body>\n</html>\n", out);
}

static int report_run(const struct arguments *arguments)
{
	const char *to = option(arguments, "out");
	struct run *run = open_run(arguments->operands[0]);
	char *path = to ? xstrdup(to) : xasprintf("%s/report.html", run->folder),
	     *part = xasprintf("%s.part", path);
	struct curve curve;
	struct model_watch watch = {curve_event, &curve};

	FILE *out = fopen(part, "w");
	if (!out)
		die("%s: %s", part, strerror(errno));
	curve_begin(&curve, run, CURVE_STEPS);
	struct model *model = model_replay(run, &watch);
	curve_end(&curve, model);
	struct stackbook *book = stackbook_open(run);
	struct leaks *leaks = leaks_find(model, book, NULL);
	write_report(out, run, leaks, &curve);
	int status = leaks->status;
	if (fflush(out) || ferror(out) || fclose(out) || rename(part, path))
		die("%s: %s", path, strerror(errno));
	fprintf(stderr, "report: %s\n", path);
	leaks_free(leaks);
	stackbook_close(book);
	model_free(model);
	curve_free(&curve);
	run_close(run);
	free(part);
	free(path);
	return status;
}

static const struct option_spec options[] = {
    {"out", "FILE", "write there; -o FILE for short (RUN/report.html)"},
    {NULL, NULL, NULL},
};

const struct command command_report = {
    .name = "report",
    .operands = "RUN",
    .summary = "write one HTML file with verdict, curves, what was lost, tests and call sites",
    .description = "The file needs nothing but a browser: no network, no script; what is folded opens by the "
		   "keyboard, too. The status\n"
		   "is that of `leaks`.\n",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = report_run,
};
