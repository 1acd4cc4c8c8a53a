/* SPDX-License-Identifier: MIT */
/* html_compare: see html_compare.h. */
#include "html_compare.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "html_data.h"

#define SITES_SHOWN 40

enum amount { AMOUNT_LEAKED, AMOUNT_LIVE, AMOUNT_MOST, AMOUNT_ALLOCATED, AMOUNT_OBJECTS, NR_AMOUNTS };

/* A call site of both runs: the node of its functions, and what it did on each side. */
struct site_row {
	uint32_t node;
	int64_t amounts[NR_AMOUNTS][NR_SIDES];
};

struct test_row {
	const struct test_mark *sides[NR_SIDES]; /* NULL: it did not run there */
	uint32_t occurrence;
};

/* On one side; compare.js has the same. */
enum test_state { TEST_NOT_RUN, TEST_ENDED, TEST_OPEN };

struct comparison {
	const struct compared_run *sides;
	struct call_tree *tree;
	char **places; /* by node: of the side that was seen first */
	size_t nr_places, places_capacity;
	struct site_row *sites;
	size_t nr_sites, sites_capacity;
	size_t *site_of; /* by node: position + 1 */
	size_t nr_site_of, site_of_capacity;
	struct test_row *tests;
	size_t nr_tests, tests_capacity;
};

/* ---- call sites ---- */

static uint32_t node_of(struct comparison *comparison, struct stack_table *stacks, uint32_t id)
{
	const struct stack_view *view = stack_table_get(stacks, id);
	uint32_t site = view->site < view->nr ? view->site : 0, node = 0;
	char place[256];

	for (uint32_t i = view->nr; i-- > site;) {
		node = call_tree_make(comparison->tree, node,
				      call_tree_name(comparison->tree, view->frames[i].function));
		while (comparison->nr_places <= node)
			ARRAY_PUSH(comparison->places, comparison->nr_places, comparison->places_capacity) =
			    NULL;
		if (!comparison->places[node])
			comparison->places[node] =
			    xstrdup(frame_place(&view->frames[i], place, sizeof(place)));
	}
	return node;
}

static struct site_row *row_of(struct comparison *comparison, uint32_t node)
{
	while (comparison->nr_site_of <= node)
		ARRAY_PUSH(comparison->site_of, comparison->nr_site_of, comparison->site_of_capacity) = 0;
	if (!comparison->site_of[node]) {
		ARRAY_PUSH(comparison->sites, comparison->nr_sites, comparison->sites_capacity) =
		    (struct site_row){.node = node};
		comparison->site_of[node] = comparison->nr_sites;
	}
	return &comparison->sites[comparison->site_of[node] - 1];
}

static void add_sites(struct comparison *comparison, int side)
{
	const struct compared_run *one = &comparison->sides[side];
	uint32_t nr;
	const struct site *sites = model_sites(one->model, &nr);

	for (uint32_t id = 0; id < nr; id++) {
		if (!sites[id].allocs && !sites[id].object_allocs)
			continue;
		struct site_row *row = row_of(comparison, node_of(comparison, one->stacks, id));
		row->amounts[AMOUNT_LIVE][side] += (int64_t)sites[id].pages_live;
		row->amounts[AMOUNT_MOST][side] += one->usage.sites[id].at_most;
		row->amounts[AMOUNT_ALLOCATED][side] += (int64_t)sites[id].pages_allocated;
		row->amounts[AMOUNT_OBJECTS][side] += (int64_t)sites[id].objects_live;
	}
	for (size_t i = 0; i < one->leaks->nr_items; i++) {
		const struct leak_item *item = &one->leaks->items[i];
		if (!item->object)
			row_of(comparison, node_of(comparison, one->stacks, item->alloc_stack))
			    ->amounts[AMOUNT_LEAKED][side] += 1LL << item->order;
	}
}

static int64_t change(const struct site_row *row, enum amount amount)
{
	return row->amounts[amount][SIDE_B] - row->amounts[amount][SIDE_A];
}

/* What leaked more or less first, then what is live, then what was allocated. */
static int compare_sites(const void *a, const void *b)
{
	const struct site_row *left = a, *right = b;

	for (enum amount amount = 0; amount < NR_AMOUNTS; amount++) {
		int64_t of_left = llabs(change(left, amount)), of_right = llabs(change(right, amount));
		if (of_left != of_right)
			return of_left < of_right ? 1 : -1;
	}
	return left->node < right->node ? -1 : left->node > right->node;
}

/* ---- tests ---- */

static uint32_t occurrence_of(const struct test_mark *tests, size_t i)
{
	uint32_t nr = 1;

	for (size_t k = 0; k < i; k++)
		nr += !strcmp(tests[k].name, tests[i].name);
	return nr;
}

/* Those of B in their order, each beside the one of A; then those that only A has. */
static void add_tests(struct comparison *comparison)
{
	size_t nr_a, nr_b;
	const struct test_mark *of_a = model_tests(comparison->sides[SIDE_A].model, &nr_a),
			       *of_b = model_tests(comparison->sides[SIDE_B].model, &nr_b);
	bool *taken = xcalloc(nr_a + 1, sizeof(*taken));

	for (size_t i = 0; i < nr_b; i++) {
		struct test_row row = {.sides = {NULL, &of_b[i]}, .occurrence = occurrence_of(of_b, i)};
		for (size_t k = 0; k < nr_a && !row.sides[SIDE_A]; k++) {
			if (taken[k] || strcmp(of_a[k].name, of_b[i].name))
				continue;
			taken[k] = true;
			row.sides[SIDE_A] = &of_a[k];
		}
		ARRAY_PUSH(comparison->tests, comparison->nr_tests, comparison->tests_capacity) = row;
	}
	for (size_t k = 0; k < nr_a; k++) {
		if (!taken[k])
			ARRAY_PUSH(comparison->tests, comparison->nr_tests, comparison->tests_capacity) =
			    (struct test_row){.sides = {&of_a[k], NULL},
					      .occurrence = occurrence_of(of_a, k)};
	}
	free(taken);
}

/* ---- without scripts ---- */

static const char *run_name(const struct run *run)
{
	const char *slash = strrchr(run->folder, '/');

	return slash && slash[1] ? slash + 1 : run->folder;
}

static void put_side(FILE *out, const struct compared_run *one, int side)
{
	char pages[32], free_pages[32], events[32];

	fprintf(out, "<tr><th scope=\"row\">%c</th><td>", 'A' + side);
	markup_text(out, one->run->folder);
	fprintf(out, "</td><td class=\"%s\">%s</td><td class=\"n\">%s</td><td class=\"n\">%s</td>",
		one->leaks->status == STATUS_LEAKED ? "bad" : "", leaks_verdict(one->leaks->status),
		html_leaked_number(one->leaks, one->leaks->nr_pages, pages),
		run_complete(one->run) && model_knows_free(one->model)
		    ? html_number(model_free_pages(one->model), free_pages)
		    : "-");
	fprintf(out, "<td class=\"n\">%s</td><td class=\"n\">%.3f</td></tr>\n",
		html_number((int64_t)model_totals(one->model)->nr_events, events),
		time_seconds(model_totals(one->model)->last_time - model_totals(one->model)->first_time));
}

static void put_sides(FILE *out, const struct comparison *comparison)
{
	fputs(
	    "<section id=\"runs\">\n<h2>The two runs</h2>\n<div class=\"scroll\" tabindex=\"0\" "
	    "role=\"region\" "
	    "aria-label=\"The two runs\"><table><thead><tr><th>Side</th><th>Run</th><th>Verdict</th>"
	    "<th class=\"n\">Pages leaked</th><th class=\"n\">Free at the end</th><th class=\"n\">Events</th>"
	    "<th class=\"n\">Seconds</th></tr></thead><tbody>\n",
	    out);
	for (int side = 0; side < NR_SIDES; side++)
		put_side(out, &comparison->sides[side], side);
	fputs("</tbody></table></div>\n", out);
	for (int side = 0; side < NR_SIDES; side++)
		html_doubts(out, comparison->sides[side].leaks, side == SIDE_A ? "A: " : "B: ");
	fputs("</section>\n", out);
}

/* What a test of a watched kernel did not give back need not have leaked: nothing audits after each. */
static const char *test_column(const struct comparison *comparison, int side)
{
	return comparison->sides[side].run->watched ? "Fewer" : "Leaked";
}

/* What it left, and how long it took, may lie in what is missing of a run. */
static void put_test_side(FILE *out, const struct test_mark *test, const struct run *run)
{
	int64_t leaked = test ? test->net_begin - test->net_after : 0;
	bool complete = run_complete(run);
	char number[32], length[32] = "-";

	if (!test) {
		fprintf(out, "<td class=\"n\">%s</td><td class=\"n\"></td>",
			complete ? "not run" : "not recorded");
		return;
	}
	bool known = complete && test->end;
	if (test->end)
		snprintf(length, sizeof(length), "%.3f", time_seconds(test->end - test->begin));
	fprintf(out, "<td class=\"n\">%s</td><td class=\"n%s\">%s</td>",
		test->end || !complete ? length : "never ended",
		leaked > 0 && known && !run->watched ? " bad" : "",
		known ? html_number(leaked, number) : "-");
}

static void put_test_table(FILE *out, const struct comparison *comparison)
{
	fprintf(
	    out,
	    "<div class=\"static\">\n<div class=\"scroll\" tabindex=\"0\" "
	    "role=\"region\" aria-label=\"Tests\"><table><thead><tr><th>Test</th><th class=\"n\">Seconds, "
	    "A</th>"
	    "<th class=\"n\">%s, A</th><th class=\"n\">Seconds, B</th><th class=\"n\">%s, B</th></tr>"
	    "</thead><tbody>\n",
	    test_column(comparison, SIDE_A), test_column(comparison, SIDE_B));
	for (size_t i = 0; i < comparison->nr_tests; i++) {
		const struct test_row *row = &comparison->tests[i];
		fputs("<tr><td>", out);
		markup_text(out, row->sides[SIDE_B] ? row->sides[SIDE_B]->name : row->sides[SIDE_A]->name);
		fputs("</td>", out);
		for (int side = 0; side < NR_SIDES; side++)
			put_test_side(out, row->sides[side], comparison->sides[side].run);
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table></div>\n</div>\n", out);
}

/* Why no test is beside another one: a reader is not to look for a mistake in an empty table. */
static void put_why_not_aligned(FILE *out, const struct comparison *comparison)
{
	static const char *const known_by[] = {
	    "a program that marks its tests, as usertests does, did not run",
	    "a test of a watched kernel is known by what the guest prints, and nothing that it printed was "
	    "known to be one (the <code>mark</code> items of its description)"};
	size_t nr[NR_SIDES], nr_common = 0;

	for (int side = 0; side < NR_SIDES; side++)
		model_tests(comparison->sides[side].model, &nr[side]);
	for (size_t i = 0; i < comparison->nr_tests; i++)
		nr_common += comparison->tests[i].sides[SIDE_A] && comparison->tests[i].sides[SIDE_B];
	if (nr_common)
		return;
	fputs("<p class=\"why-not\">No test of A is compared with one of B.", out);
	if (nr[SIDE_A] && nr[SIDE_B])
		fprintf(out, " A has %zu and B has %zu, and no name is in both.", nr[SIDE_A], nr[SIDE_B]);
	for (int side = 0; side < NR_SIDES; side++) {
		const struct run *run = comparison->sides[side].run;
		if (!nr[side])
			fprintf(out, " In %c none is marked%s: %s.", 'A' + side,
				run_complete(run) ? "" : " in what was recorded", known_by[run->watched]);
	}
	fputs("</p>\n", out);
}

static void put_tests(FILE *out, const struct comparison *comparison)
{
	fputs("<section id=\"tests\">\n<h2>Tests</h2>\n", out);
	put_why_not_aligned(out, comparison);
	if (comparison->nr_tests)
		put_test_table(out, comparison);
	fputs("</section>\n", out);
}

static bool differs(const struct site_row *row, const enum amount *amounts, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		if (change(row, amounts[i]))
			return true;
	}
	return false;
}

static void put_sites(FILE *out, const struct comparison *comparison)
{
	static const enum amount shown[] = {AMOUNT_LEAKED, AMOUNT_LIVE, AMOUNT_ALLOCATED};
	const size_t nr_amounts = sizeof(shown) / sizeof(shown[0]);
	size_t nr_differ = 0, nr_shown = 0;
	char a[32], b[32];

	for (size_t i = 0; i < comparison->nr_sites; i++)
		nr_differ += differs(&comparison->sites[i], shown, nr_amounts);
	fputs("<section id=\"sites\">\n<h2>Call sites</h2>\n<div class=\"static\">\n", out);
	if (nr_differ > SITES_SHOWN)
		fprintf(out, "<p>The %d that differ most, of %zu that differ.</p>\n", SITES_SHOWN, nr_differ);
	else if (nr_differ)
		fprintf(out, "<p>The %zu that differ, of %zu.</p>\n", nr_differ, comparison->nr_sites);
	else
		fprintf(out, "<p>None of %zu differs.</p>\n", comparison->nr_sites);
	fprintf(out,
		"<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Call sites\"><table>"
		"<thead><tr><th>Call site</th><th>Place</th><th class=\"n\">Leaked, A</th><th "
		"class=\"n\">Leaked, B</th>"
		"<th class=\"n\">Live, A</th><th class=\"n\">Live, B</th><th class=\"n\">Allocated, A</th>"
		"<th class=\"n\">Allocated, B</th></tr></thead><tbody>\n");
	for (size_t i = 0; i < comparison->nr_sites && nr_shown < SITES_SHOWN; i++) {
		const struct site_row *row = &comparison->sites[i];
		if (!differs(row, shown, nr_amounts))
			continue;
		nr_shown++;
		fputs("<tr><td><code>", out);
		markup_text(out, row->node ? call_tree_function(comparison->tree, row->node) : "(no stack)");
		fputs("</code></td><td><code>", out);
		markup_text(out, row->node ? comparison->places[row->node] : "");
		fputs("</code></td>", out);
		for (size_t k = 0; k < nr_amounts; k++)
			fprintf(out, "<td class=\"n\">%s</td><td class=\"n\">%s</td>",
				html_number(row->amounts[shown[k]][SIDE_A], a),
				html_number(row->amounts[shown[k]][SIDE_B], b));
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table></div>\n</div>\n</section>\n", out);
}

/* ---- for scripts ---- */

static void data_tests(struct page_data *data, const struct comparison *comparison)
{
	data_open(data, "tests", '[');
	for (size_t i = 0; i < comparison->nr_tests; i++) {
		const struct test_row *row = &comparison->tests[i];
		data_open(data, NULL, '[');
		data_text(data, row->sides[SIDE_B] ? row->sides[SIDE_B]->name : row->sides[SIDE_A]->name);
		data_int(data, row->occurrence);
		for (int side = 0; side < NR_SIDES; side++) {
			const struct test_mark *test = row->sides[side];
			data_int(data, !test ? TEST_NOT_RUN : test->end ? TEST_ENDED : TEST_OPEN);
			data_int(data, test && test->end ? (int64_t)(test->end - test->begin) : 0);
			data_int(data, test ? test->net_begin - test->net_after : 0);
			data_int(data, test ? test_mark_findings(test) : 0);
		}
		data_close(data, ']');
	}
	data_close(data, ']');
}

static void data_tree(struct page_data *data, const struct comparison *comparison)
{
	const struct call_tree *tree = comparison->tree;
	char text[512];

	data_open(data, "frames", '[');
	for (size_t i = 0; i < tree->nr_nodes; i++) {
		snprintf(text, sizeof(text), "%.200s\t%.250s", i ? call_tree_function(tree, (uint32_t)i) : "",
			 i ? comparison->places[i] : "");
		data_text(data, text);
	}
	data_close(data, ']');
	data_open(data, "nodes", '[');
	for (size_t i = 0; i < tree->nr_nodes; i++) {
		data_int(data, tree->nodes[i].parent);
		data_int(data, (int64_t)i);
	}
	data_close(data, ']');
}

static void put_data(FILE *out, const struct comparison *comparison)
{
	struct page_data data = {.out = out, .first = true};

	fputs("<script type=\"application/json\" id=\"data\">", out);
	data_open(&data, NULL, '{');
	data_member(&data, "hz", TIME_HZ);
	data_key(&data, "stacks");
	data_open(&data, NULL, '[');
	data_close(&data, ']');
	data_member(&data, "watchedA", comparison->sides[SIDE_A].run->watched);
	data_member(&data, "watchedB", comparison->sides[SIDE_B].run->watched);
	data_member(&data, "completeA", run_complete(comparison->sides[SIDE_A].run));
	data_member(&data, "completeB", run_complete(comparison->sides[SIDE_B].run));
	data_tests(&data, comparison);
	data_open(&data, "sites", '[');
	for (size_t i = 0; i < comparison->nr_sites; i++) {
		data_int(&data, comparison->sites[i].node);
		for (enum amount amount = 0; amount < NR_AMOUNTS; amount++) {
			for (int side = 0; side < NR_SIDES; side++)
				data_int(&data, comparison->sites[i].amounts[amount][side]);
		}
	}
	data_close(&data, ']');
	data_tree(&data, comparison);
	data_close(&data, '}');
	fputs("</script>\n", out);
}

/* ---- the whole ---- */

void html_compare(FILE *out, const struct compared_run sides[NR_SIDES])
{
	struct comparison comparison = {.sides = sides, .tree = call_tree_new()};
	char *title = xasprintf("%s and %s", run_name(sides[SIDE_A].run), run_name(sides[SIDE_B].run));

	for (int side = 0; side < NR_SIDES; side++)
		add_sites(&comparison, side);
	if (comparison.nr_sites)
		qsort(comparison.sites, comparison.nr_sites, sizeof(*comparison.sites), compare_sites);
	add_tests(&comparison);
	html_page_begin(out, title,
			"<a href=\"#runs\">The two runs</a> <a href=\"#tests\">Tests</a> "
			"<a href=\"#flame\">Flame graph</a> <a href=\"#sites\">Call sites</a>");
	put_sides(out, &comparison);
	put_tests(out, &comparison);
	fputs("<section id=\"flame\">\n<h2>Flame graph</h2>\n<p class=\"static\">It needs scripts. The call "
	      "sites "
	      "below have the same numbers.</p>\n</section>\n",
	      out);
	put_sites(out, &comparison);
	fputs("</main>\n</div>\n", out);
	put_data(out, &comparison);
	html_page_end(out);
	for (size_t i = 0; i < comparison.nr_places; i++)
		free(comparison.places[i]);
	free(comparison.places);
	free(comparison.sites);
	free(comparison.site_of);
	free(comparison.tests);
	call_tree_free(comparison.tree);
	free(title);
}
