/* SPDX-License-Identifier: MIT */
/*
 * html: one HTML file that says of a run what the other commands say, with pictures.
 *
 * It opens from the disk and asks nothing of the network: styles and pictures are in it, and there is no script.
 * What can be folded is <details>, which the keyboard opens; wide things scroll in boxes that take the focus.
 */
#include "html.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/outfile.h"
#include "base/text.h"
#include "base/util.h"

#define CURVE_STEPS 1000
#define MAP_INSTANTS 600
#define GROUPS_MAX 200
#define GROUPS_OPEN 1
#define GROUPS_WITH_SOURCE 20
#define SITES_MAX 20

const char *html_number(int64_t number, char buf[32])
{
	char digits[24];
	int nr = snprintf(digits, sizeof(digits), "%" PRId64, number), at = 0;

	for (int i = 0; i < nr; i++) {
		if (i > (number < 0) && (nr - i) % 3 == 0)
			buf[at++] = ',';
		buf[at++] = digits[i];
	}
	buf[at] = 0;
	return buf;
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

/* The lines as they are; nothing when there is none. label: what it is, for screen readers. */
static void put_part(FILE *out, const struct leaks *leaks, enum leaks_part part, size_t group,
		     const char *label)
{
	char *text = part_text(leaks, part, group);

	/* The headline of that part is the heading here. */
	const char *from = text + (part == PART_MISSING ? strcspn(text, "\n") : 0);

	if (*from) {
		fprintf(out, "<pre class=\"wrap\" tabindex=\"0\" aria-label=\"%s\">", label);
		markup_text(out, from);
		fputs("</pre>\n", out);
	}
	free(text);
}

/* It leaked pages or has findings, or nothing is known because it never ended. */
static bool test_leaked(const struct model *model, const struct test_mark *test)
{
	return !test->end ||
	       (!model_run(model)->watched && (test->net_begin > test->net_after || test->nr_findings));
}

/* ---- verdict and groups ---- */

static void put_page_head(FILE *out, const char *name)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>",
	      out);
	markup_text(out, name);
	fprintf(out, ": Pagetrail report</title>\n<style>\n%s</style>\n</head>\n<body>\n<h1>Pagetrail: ",
		report_style);
	markup_text(out, name);
	fputs("</h1>\n<nav aria-label=\"Sections\"><a href=\"#verdict\">Verdict</a> "
	      "<a href=\"#free\">Free pages</a> <a href=\"#groups\">Leaks</a> "
	      "<a href=\"#map\">Map</a> <a href=\"#kinds\">Kinds</a> <a href=\"#tests\">Tests</a> "
	      "<a href=\"#sites\">Call sites</a> <a href=\"#run\">The run</a></nav>\n<main>\n",
	      out);
}

static void put_fact(FILE *out, const char *what, int64_t number)
{
	char text[32];

	fprintf(out, "<div><dt>%s</dt><dd>%s</dd></div>\n", what, html_number(number, text));
}

static void put_facts(FILE *out, const struct run *run, const struct leaks *leaks)
{
	const struct model *model = leaks->model;
	int64_t failed = 0;

	size_t nr_tests;
	const struct test_mark *tests = model_tests(model, &nr_tests);
	for (size_t i = 0; i < nr_tests; i++)
		failed += test_leaked(model, &tests[i]);
	fputs("<dl class=\"facts\">\n", out);
	put_fact(out, "pages leaked", (int64_t)leaks->nr_pages);
	put_fact(out, "objects leaked", (int64_t)leaks->nr_objects);
	put_fact(out, "tests", (int64_t)nr_tests);
	if (!run->watched)
		put_fact(out, "tests that leaked", failed);
	put_fact(out, "free at the end", model_free_pages(model));
	put_fact(out, "harts in the trace", run->nr_streams);
	put_fact(out, "events", (int64_t)model_totals(model)->nr_events);
	fprintf(out, "<div><dt>duration</dt><dd>%.1f s</dd></div>\n</dl>\n",
		time_seconds(model_totals(model)->last_time - model_totals(model)->first_time));
}

static void put_head(FILE *out, const struct run *run, const struct leaks *leaks)
{
	static const char *const verdicts[] = {"No leaks", "Leaked", "Cannot tell"};
	const struct model *model = leaks->model;
	const char *slash = strrchr(run->folder, '/');
	char bytes[24], pages[32], objects[32];

	put_page_head(out, slash && slash[1] ? slash + 1 : run->folder);
	fprintf(out, "<h2 id=\"verdict\">Verdict</h2>\n<p class=\"verdict v%d\">%s", leaks->status,
		verdicts[leaks->status]);
	if (leaks->nr_items)
		fprintf(out, ": %s pages, %s objects (%s) in %zu group%s",
			html_number((int64_t)leaks->nr_pages, pages),
			html_number((int64_t)leaks->nr_objects, objects), bytes_text(leaks->bytes, bytes),
			leaks->nr_groups, leaks->nr_groups == 1 ? "" : "s");
	fputs("</p>\n", out);
	if (model_totals(model)->panic_time) {
		fputs("<p class=\"bad\">The kernel panicked: ", out);
		markup_text(out, model_totals(model)->panic);
		fputs("</p>\n", out);
	}
	put_facts(out, run, leaks);
	put_part(out, leaks, PART_HEAD, 0, "The verdict in words");
}

static void put_stack(FILE *out, const struct leaks *leaks, const char *title, uint32_t id,
		      struct sources *sources)
{
	fprintf(out, "<div><h3>%s</h3>\n", title);
	html_stack(out, leaks->stacks, id, sources);
	fputs("</div>\n", out);
}

/* The lines around the suspect's call, from whichever of the group's stacks has it. */
static void put_suspect(FILE *out, const struct leaks *leaks, const struct leak_group *group,
			struct sources *sources)
{
	const struct missing_release *missing = &group->missing;
	const struct leak_item *first = &leaks->items[group->items[0]];
	const uint32_t stacks[] = {first->get_stack, missing->later_put, missing->end_stack,
				   first->alloc_stack};

	fputs("<h3>The missing release</h3>\n", out);
	if (missing->suspect) {
		fputs("<p>Suspect: <code>", out);
		markup_text(out, missing->suspect);
		fputs("</code>", out);
		if (missing->suspect_place && missing->suspect_place[0]) {
			fputs(" at <code>", out);
			markup_text(out, missing->suspect_place);
			fputs("</code>", out);
		}
		fputs("</p>\n", out);
	}
	for (size_t i = 0; missing->suspect_place && i < sizeof(stacks) / sizeof(stacks[0]); i++) {
		if (html_source(out, leaks->stacks, stacks[i], missing->suspect_place, sources))
			break;
	}
}

static void put_group(FILE *out, const struct leaks *leaks, size_t number, struct sources *sources)
{
	const struct leak_group *group = &leaks->groups[number];
	const struct leak_item *first = &leaks->items[group->items[0]];
	struct sources *its = number < GROUPS_WITH_SOURCE ? sources : NULL;
	char *what = part_text(leaks, PART_WHAT, number);

	fprintf(out, "<details id=\"group%zu\"%s><summary>%zu. ", number + 1,
		number < GROUPS_OPEN ? " open" : "", number + 1);
	what[strcspn(what, "\n")] = 0;
	markup_text(out, what);
	fputs("</summary>\n", out);
	put_part(out, leaks, PART_FACTS, number, "Facts");
	if (its)
		put_suspect(out, leaks, group, its);
	put_part(out, leaks, PART_MISSING, number, "The missing release");
	fputs("<div class=\"stacks\">\n", out);
	if (!leak_is_object(first) && first->get_stack != first->alloc_stack)
		put_stack(out, leaks, "Unmatched get by", first->get_stack, its);
	put_stack(out, leaks, "Allocated by", first->alloc_stack, its);
	fputs("</div>\n", out);
	if (group->history.nr) {
		fputs("<details><summary>The life of the oldest page</summary>\n", out);
		put_part(out, leaks, PART_LIFE, number, "The life of the oldest page");
		fputs("</details>\n", out);
	}
	fputs("</details>\n", out);
	free(what);
}

static void put_groups(FILE *out, const struct leaks *leaks, struct sources *sources)
{
	fputs("<h2 id=\"groups\">Leaks</h2>\n", out);
	if (!leaks->nr_groups)
		fputs("<p>No leak was found.</p>\n", out);
	for (size_t i = 0; i < leaks->nr_groups && i < GROUPS_MAX; i++)
		put_group(out, leaks, i, sources);
	if (leaks->nr_groups > GROUPS_MAX)
		fprintf(out,
			"<p>And %zu smaller groups: <code>pagetrail leaks --all</code> prints them.</p>\n",
			leaks->nr_groups - GROUPS_MAX);
	if (sources->nr_shown)
		fputs("<p>A frame opens to its lines of source.</p>\n", out);
	else if (sources->nr_newer)
		fputs("<p>The sources are newer than the kernel that ran, so they are not shown; "
		      "<code>--source FOLDER</code> names others.</p>\n",
		      out);
	put_part(out, leaks, PART_REST, 0, "Other findings");
}

/* ---- tests ---- */

static void put_test(FILE *out, const struct model *model, const struct test_mark *test)
{
	int64_t offset = model_totals(model)->sampled ? model_totals(model)->sample_offset : 0,
		leaked = test->net_begin - test->net_after;
	char before[32], after[32], gone[32];

	fputs("<tr><td>", out);
	markup_text(out, test->name);
	if (test->end)
		fprintf(out, "</td><td class=\"n\">%.3f</td>", time_seconds(test->end - test->begin));
	else
		fputs("</td><td class=\"n bad\">never ended</td>", out);
	fprintf(out, "<td class=\"n\">%s</td><td class=\"n\">%s</td><td class=\"n%s\">%s</td><td>",
		html_number(test->net_begin + offset, before), html_number(test->net_after + offset, after),
		leaked > 0 && !model_run(model)->watched ? " bad" : "", html_number(leaked, gone));
	if (!test->nr_audits)
		fputs("not audited", out);
	else if (test->nr_findings)
		fprintf(out, "<span class=\"bad\">%u findings</span>", test->nr_findings);
	else
		fputs(test->quiescent ? "clean" : "clean (not quiescent)", out);
	fputs("</td></tr>\n", out);
}

/* Those that leaked, or those that did not. */
static void put_test_table(FILE *out, const struct model *model, bool leaked)
{
	fprintf(out,
		"<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
		"aria-label=\"Tests\"><table><thead><tr><th>Test</th>"
		"<th class=\"n\">Seconds</th><th class=\"n\">Free before</th><th class=\"n\">Free after</th>"
		"<th class=\"n\">%s</th><th>Audit</th></tr></thead><tbody>\n",
		model_run(model)->watched ? "Fewer" : "Leaked");
	size_t nr_tests;
	const struct test_mark *tests = model_tests(model, &nr_tests);
	for (size_t i = 0; i < nr_tests; i++) {
		if (test_leaked(model, &tests[i]) == leaked)
			put_test(out, model, &tests[i]);
	}
	fputs("</tbody></table></div>\n", out);
}

static void put_tests(FILE *out, const struct model *model)
{
	size_t nr_leaked = 0, nr_kept;

	fputs("<h2 id=\"tests\">Tests</h2>\n", out);
	size_t nr_tests;
	const struct test_mark *tests = model_tests(model, &nr_tests);
	if (!nr_tests) {
		fputs("<p>There are no marks of tests in the trace.</p>\n", out);
		return;
	}
	for (size_t i = 0; i < nr_tests; i++)
		nr_leaked += test_leaked(model, &tests[i]);
	nr_kept = nr_tests - nr_leaked;
	if (nr_leaked)
		put_test_table(out, model, true);
	if (nr_kept) {
		fprintf(out, "<details><summary>%zu test%s%s</summary>\n", nr_kept, nr_kept == 1 ? "" : "s",
			model_run(model)->watched ? "" : " without leaks");
		put_test_table(out, model, false);
		fputs("</details>\n", out);
	}
}

/* ---- call sites, the run ---- */

static int compare_sites(const void *a, const void *b, void *arg)
{
	const struct site *sites = arg, *left = &sites[*(const uint32_t *)a],
			  *right = &sites[*(const uint32_t *)b];

	if (left->pages_live != right->pages_live)
		return left->pages_live < right->pages_live ? 1 : -1;
	return left->pages_peak < right->pages_peak ? 1 : left->pages_peak > right->pages_peak ? -1 : 0;
}

static void put_sites(FILE *out, struct model *model, struct stack_table *stacks)
{
	uint32_t nr_sites;
	const struct site *sites = model_sites(model, &nr_sites);
	uint32_t *order = xcalloc(nr_sites, sizeof(*order)), nr = 0;
	char live[32], peak[32], allocs[32], frees[32];

	for (uint32_t i = 1; i < nr_sites; i++) {
		if (sites[i].allocs)
			order[nr++] = i;
	}
	qsort_r(order, nr, sizeof(*order), compare_sites, (void *)sites);
	fprintf(out,
		"<h2 id=\"sites\">Call sites</h2>\n<p>The %u that hold most pages at the end, of %u.</p>\n",
		nr < SITES_MAX ? nr : SITES_MAX, nr);
	for (uint32_t i = 0; i < nr && i < SITES_MAX; i++) {
		const struct site *site = &sites[order[i]];
		fputs("<details><summary><code>", out);
		markup_text(out, stack_table_function(stacks, order[i]));
		fprintf(out,
			"</code> <small>%s live, at most %s; allocated %s times, freed %s times"
			"</small></summary>\n",
			html_number((int64_t)site->pages_live, live),
			html_number((int64_t)site->pages_peak, peak),
			html_number((int64_t)site->allocs, allocs), html_number((int64_t)site->frees, frees));
		html_stack(out, stacks, order[i], NULL);
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
		model_totals(model)->nr_events, run->nr_streams,
		time_seconds(model_totals(model)->last_time - model_totals(model)->first_time),
		run->nr_stacks, run_complete(run) ? "nothing discarded, nothing missing" : "not complete");
	fputs("<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
	      "aria-label=\"Events\"><table><thead><tr><th>Event"
	      "</th><th class=\"n\">Number</th><th>What it is</th></tr></thead><tbody>\n",
	      out);
	for (uint32_t id = 0; id < EVENT_ID_MAX; id++) {
		if (!model_totals(model)->by_event[id])
			continue;
		fprintf(out, "<tr><td>%s</td><td class=\"n\">%" PRIu64 "</td><td>", event_info(id)->name,
			model_totals(model)->by_event[id]);
		markup_text(out, event_info(id)->help);
		fputs("</td></tr>\n", out);
	}
	fputs("</tbody></table></div>\n", out);
	if (text) {
		fputs("<details><summary>run.json</summary><pre tabindex=\"0\" aria-label=\"run.json\">",
		      out);
		markup_text(out, text);
		fputs("</pre></details>\n", out);
	}
	free(text);
	free(path);
}

/* ---- the whole ---- */

void html_pictures_begin(struct html_pictures *pictures, const struct run *run)
{
	curve_begin(&pictures->curve, run, CURVE_STEPS);
	pagelog_begin(&pictures->log, run, MAP_INSTANTS);
}

void html_pictures_event(void *arg, const struct model *model, const struct trace_record *record,
			 uint32_t stream)
{
	struct html_pictures *pictures = arg;

	curve_event(&pictures->curve, model, record, stream);
	pagelog_event(&pictures->log, model, record, stream);
}

void html_pictures_end(struct html_pictures *pictures, const struct model *model)
{
	curve_end(&pictures->curve, model);
	pagelog_end(&pictures->log);
}

void html_pictures_free(struct html_pictures *pictures)
{
	curve_free(&pictures->curve);
	pagelog_free(&pictures->log);
}

void html_write(FILE *out, struct run *run, struct leaks *leaks, const struct html_pictures *pictures,
		struct sources *sources)
{
	put_head(out, run, leaks);
	fputs("<h2 id=\"free\">Free pages</h2>\n", out);
	svg_free_pages(out, leaks, &pictures->curve);
	put_groups(out, leaks, sources);
	fputs("<h2 id=\"map\">RAM over time</h2>\n", out);
	svg_map(out, leaks, &pictures->log);
	fputs("<h2 id=\"kinds\">Pages by kind</h2>\n", out);
	svg_kinds(out, leaks->model, &pictures->curve);
	put_tests(out, leaks->model);
	put_sites(out, leaks->model, leaks->stacks);
	put_run(out, run, leaks->model);
	fputs("</main>\n</body>\n</html>\n", out);
}
