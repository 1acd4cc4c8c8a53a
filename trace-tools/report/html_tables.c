/* SPDX-License-Identifier: MIT */
/* html_tables: call sites, tests and processes in the HTML report, as they are without scripts. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/text.h"
#include "base/util.h"
#include "html.h"
#include "print.h"
#include "replay/live_set.h"

#define SITES_MAX 20
#define PROCESSES_SHOWN 30

bool html_test_leaked(const struct model *model, const struct test_mark *test)
{
	return test->end && !model_run(model)->watched && run_complete(model_run(model)) &&
	       (test->net_begin > test->net_after || test_mark_findings(test));
}

static bool is_notable(const struct model *model, const struct test_mark *test)
{
	return !test->end || test_mark_findings(test) || html_test_leaked(model, test);
}

/* ---- tests ---- */

static void put_test(FILE *out, const struct model *model, const struct test_mark *test)
{
	int64_t offset = model_free_offset(model), leaked = test->net_begin - test->net_after;
	bool complete = run_complete(model_run(model)), known = complete && test->end;
	char before[32], after[32], gone[32], audit[40];

	fputs("<tr><td>", out);
	markup_text(out, test->name);
	if (test->end)
		fprintf(out, "</td><td class=\"n\">%.3f</td>", time_seconds(test->end - test->begin));
	else
		fputs("</td><td class=\"n bad\">never ended</td>", out);
	fprintf(out, "<td class=\"n\">%s</td><td class=\"n\">%s</td><td class=\"n%s\">%s</td><td>",
		complete ? html_number(test->net_begin + offset, before) : "-",
		known ? html_number(test->net_after + offset, after) : "-",
		known && leaked > 0 && !model_run(model)->watched ? " bad" : "",
		known ? html_number(leaked, gone) : "-");
	fprintf(out, "<span%s>%s</span>", test_mark_findings(test) ? " class=\"bad\"" : "",
		test_audit_text(test, audit));
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
		if (is_notable(model, &tests[i]) == leaked)
			put_test(out, model, &tests[i]);
	}
	fputs("</tbody></table></div>\n", out);
}

void html_tests(FILE *out, const struct model *model)
{
	size_t nr_leaked = 0, nr_kept;

	fputs("<section id=\"tests\">\n<h2>Tests</h2>\n<div class=\"static\">\n", out);
	size_t nr_tests;
	const struct test_mark *tests = model_tests(model, &nr_tests);
	if (!nr_tests) {
		fputs("<p>There are no marks of tests in the trace.</p>\n</div>\n</section>\n", out);
		return;
	}
	for (size_t i = 0; i < nr_tests; i++)
		nr_leaked += is_notable(model, &tests[i]);
	nr_kept = nr_tests - nr_leaked;
	if (nr_leaked)
		put_test_table(out, model, true);
	if (nr_kept) {
		fprintf(out, "<details><summary>%zu test%s%s</summary>\n", nr_kept, plural_s(nr_kept),
			model_run(model)->watched || !run_complete(model_run(model)) ? "" : " without leaks");
		put_test_table(out, model, false);
		fputs("</details>\n", out);
	}
	fputs("</div>\n</section>\n", out);
}

/* ---- call sites ---- */

static int compare_sites(const void *a, const void *b, void *arg)
{
	const struct site *sites = arg, *left = &sites[*(const uint32_t *)a],
			  *right = &sites[*(const uint32_t *)b];

	if (left->pages_live != right->pages_live)
		return left->pages_live < right->pages_live ? 1 : -1;
	return left->pages_peak < right->pages_peak ? 1 : left->pages_peak > right->pages_peak ? -1 : 0;
}

void html_sites(FILE *out, struct model *model, struct stack_table *stacks)
{
	uint32_t nr_sites;
	const struct site *sites = model_sites(model, &nr_sites);
	uint32_t *order = xcalloc(nr_sites, sizeof(*order)), nr = 0;
	uint64_t nr_booted = 0;
	char booted[32], live[32], peak[32], allocs[32], frees[32];

	for (uint32_t i = 0; i < nr_sites; i++) {
		if (i && sites[i].allocs)
			order[nr++] = i;
		nr_booted += sites[i].allocs ? 0 : sites[i].pages_live;
	}
	qsort_r(order, nr, sizeof(*order), compare_sites, (void *)sites);
	fprintf(out, "<section id=\"sites\">\n<h2>Call sites</h2>\n");
	if (nr_booted)
		fprintf(out,
			"<p class=\"hint\">The %s pages that are the kernel's since boot have no call site: "
			"<code>pagetrail live</code> counts them, and no view here but the map does.</p>\n",
			html_number((int64_t)nr_booted, booted));
	fprintf(out,
		"<div class=\"static\">\n<p>The %u that hold "
		"most pages at the end, of %u.</p>\n",
		nr < SITES_MAX ? nr : SITES_MAX, nr);
	for (uint32_t i = 0; i < nr && i < SITES_MAX; i++) {
		const struct site *site = &sites[order[i]];
		fputs("<details><summary><code>", out);
		markup_text(out, stack_table_function(stacks, order[i]));
		fprintf(out,
			"</code> <small>%s live, at most %s; allocated %s time%s, freed %s time%s"
			"</small></summary>\n",
			html_number((int64_t)site->pages_live, live),
			html_number((int64_t)site->pages_peak, peak),
			html_number((int64_t)site->allocs, allocs), plural_s(site->allocs),
			html_number((int64_t)site->frees, frees), plural_s(site->frees));
		html_stack(out, stacks, order[i], NULL);
		fputs("</details>\n", out);
	}
	fputs("</div>\n</section>\n", out);
	free(order);
}

/* ---- processes ---- */

static int compare_processes(const void *a, const void *b)
{
	const struct process_row *left = a, *right = b;

	if (left->leaked != right->leaked)
		return left->leaked < right->leaked ? 1 : -1;
	if (left->allocated != right->allocated)
		return left->allocated < right->allocated ? 1 : -1;
	return left->pid < right->pid ? -1 : left->pid > right->pid;
}

struct process_row *html_process_rows(const struct leaks *leaks, const struct usage *usage, size_t *nr)
{
	uint32_t nr_pids = usage->nr_pids;
	struct live_set set;

	for (size_t i = 0; i < leaks->nr_items; i++)
		nr_pids = leaks->items[i].get_pid < nr_pids ? nr_pids : leaks->items[i].get_pid + 1U;
	struct process_row *rows = xcalloc(nr_pids + 1, sizeof(*rows));
	for (uint32_t pid = 0; pid < nr_pids; pid++) {
		const struct usage_series *series = &usage->pids[pid];
		rows[pid].pid = pid;
		for (size_t i = 0; i < series->nr; i++)
			rows[pid].allocated += series->entries[i].allocated;
	}
	for (size_t i = 0; i < leaks->nr_items; i++)
		rows[leaks->items[i].get_pid].leaked +=
		    leaks->items[i].object ? 0 : 1ULL << leaks->items[i].order;
	live_set_make(&set, leaks->model, BY_PID);
	for (size_t i = 0; i < set.nr; i++) {
		if (set.rows[i].key < nr_pids)
			rows[set.rows[i].key].live = set.rows[i].pages;
	}
	live_set_free(&set);
	*nr = 0;
	for (uint32_t pid = 0; pid < nr_pids; pid++) {
		if (rows[pid].allocated || rows[pid].leaked)
			rows[(*nr)++] = rows[pid];
	}
	qsort(rows, *nr, sizeof(*rows), compare_processes);
	return rows;
}

static void put_process(FILE *out, const struct model *model, const struct process_row *row)
{
	const struct holder_life *life = model_process(model, (uint16_t)row->pid);
	char allocated[32], live[32], leaked[32];

	fprintf(out, "<tr><td class=\"n\">%u</td><td>", row->pid);
	markup_text(out, life->name);
	fprintf(out, "</td><td class=\"n\">%s</td><td class=\"n\">%s</td><td class=\"n%s\">%s</td></tr>\n",
		html_number((int64_t)row->allocated, allocated),
		model_run(model)->watched ? "-" : html_number((int64_t)row->live, live),
		row->leaked ? " bad" : "", html_number((int64_t)row->leaked, leaked));
}

void html_processes(FILE *out, const struct leaks *leaks, const struct usage *usage)
{
	size_t nr;
	struct process_row *rows = html_process_rows(leaks, usage, &nr);

	fprintf(
	    out,
	    "<section id=\"processes\">\n<h2>Processes</h2>\n<div class=\"static\">\n"
	    "<p>%zu allocated pages; those that leaked or allocated most come first.</p>\n"
	    "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Processes\"><table><thead><tr>"
	    "<th class=\"n\">pid</th><th>Name</th><th class=\"n\">Pages allocated</th>"
	    "<th class=\"n\">Held at the end</th><th class=\"n\">Leaked</th></tr></thead><tbody>\n",
	    nr);
	for (size_t i = 0; i < nr && i < PROCESSES_SHOWN; i++)
		put_process(out, leaks->model, &rows[i]);
	fputs("</tbody></table></div>\n</div>\n</section>\n", out);
	free(rows);
}
