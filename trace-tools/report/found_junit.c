/* SPDX-License-Identifier: MIT */
/*
 * found_junit: findings as JUnit's XML, which every CI system shows.
 *
 * A test of the guest (a mark in the trace) is a case. It failed when something that leaked was acquired while it ran; the text of the
 * failure says what, where and on what evidence. Two cases more: "outside of tests" for the rest, and "evidence",
 * an error when the trace or the audit is not complete: then a test without failure proves nothing.
 *
 * Of what was not asked for (--test, --between) there is no case: it would look like one that passed.
 *
 * The elements and attributes are those which the schemas of Jenkins and of windyroad have in common.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "found.h"
#include "leaks_text.h"
#include "print.h"

/* What was found in one case: of each entry, how many items were acquired in it. */
struct junit_case {
	char *name;
	uint64_t ticks;                 /* how long it ran */
	uint64_t *nr;                   /* by entry */
	bool failed, left_out;          /* left_out: it was not asked for */
	const char *error_type, *error; /* NULL: none */
};

struct junit {
	const struct leaks *leaks;
	struct found_list found;
	struct junit_case *cases; /* one a test, "outside of tests", "evidence" */
	size_t nr_cases;
};

/* A test that ran several times: NAME, NAME#2, ... as everywhere. */
static char *case_name(const struct test_mark *tests, size_t number)
{
	size_t nth = 1;

	for (size_t i = 0; i < number; i++)
		nth += !strcmp(tests[i].name, tests[number].name);
	return nth == 1 ? xstrdup(tests[number].name) : xasprintf("%s#%zu", tests[number].name, nth);
}

/* Something that is asked for may have been acquired in it. */
static bool is_asked_for(const struct leaks *leaks, const struct test_mark *test)
{
	const struct leaks_query *query = leaks->query;
	uint64_t end = test->end ? test->end : model_totals(leaks->model)->last_time;

	for (size_t i = 0; i < query->nr_spans; i++) {
		/* The instant at which one test ends and the next begins is of both. */
		if (query->spans[i].from < end && test->begin < query->spans[i].to)
			return true;
	}
	return !query->nr_spans;
}

static void make_cases(struct junit *junit)
{
	size_t nr_tests;
	const struct test_mark *tests = model_tests(junit->leaks->model, &nr_tests);

	junit->nr_cases = nr_tests + 2;
	junit->cases = xcalloc(junit->nr_cases, sizeof(*junit->cases));
	for (size_t i = 0; i < junit->nr_cases; i++)
		junit->cases[i].nr = xcalloc(junit->found.nr + 1, sizeof(*junit->cases[i].nr));
	for (size_t i = 0; i < nr_tests; i++) {
		struct junit_case *one = &junit->cases[i];
		one->name = case_name(tests, i);
		one->left_out = !is_asked_for(junit->leaks, &tests[i]);
		one->ticks = tests[i].end ? tests[i].end - tests[i].begin : 0;
		one->error_type = "interrupted";
		one->error = tests[i].end ? NULL : "the test never ended";
	}
	junit->cases[nr_tests].name = xstrdup("outside of tests");
	junit->cases[nr_tests + 1] = (struct junit_case){
	    .name = xstrdup("evidence"),
	    .nr = junit->cases[nr_tests + 1].nr,
	    .error_type = "cannot tell",
	    .error = leaks_uncertain(junit->leaks),
	};
}

static void count_one(struct junit *junit, const struct found *found, uint64_t time)
{
	size_t nr_tests;
	const struct test_mark *tests = model_tests(junit->leaks->model, &nr_tests);
	const struct test_mark *test = model_test_at(junit->leaks->model, time);
	struct junit_case *one = &junit->cases[test ? (size_t)(test - tests) : nr_tests];

	one->nr[found - junit->found.all]++;
	one->failed = true;
}

static void count_findings(struct junit *junit)
{
	const struct leaks *leaks = junit->leaks;

	for (size_t g = 0; g < leaks->nr_groups; g++) {
		const struct leak_group *group = &leaks->groups[g];
		const struct found *found = found_of_group(&junit->found, leaks, g);
		for (size_t i = 0; i < group->nr_items; i++)
			count_one(junit, found, leaks->items[group->items[i]].get_time);
	}
	for (size_t i = 0; i < junit->found.nr; i++) {
		if (!junit->found.all[i].nr_groups)
			count_one(junit, &junit->found.all[i], junit->found.all[i].time);
	}
}

/* ---- the file ---- */

/* In milliseconds: Jenkins' schema takes three digits. */
static void print_seconds(FILE *out, uint64_t ticks)
{
	fprintf(out, " time=\"%.3f\"", time_seconds(ticks));
}

static void print_found(const struct found *found, uint64_t nr, FILE *out)
{
	markup_text(out, found->sentence);
	fputc('\n', out);
	if (found->place.file) {
		fputs("at ", out);
		markup_text(out, found->place.file);
		fprintf(out, ":%" PRIu32 "\n", found->place.line);
	}
	if (found->nr_groups)
		fprintf(out, "acquired in this case: %" PRIu64 "\n", nr);
	if (found->evidence) {
		fputs("evidence: ", out);
		markup_text(out, found->evidence);
		fputc('\n', out);
	}
}

/* The first finding is the message, all of them are the text: a case may have one failure only. */
static void print_failure(const struct junit *junit, const struct junit_case *one, FILE *out)
{
	size_t first = 0;

	while (!one->nr[first])
		first++;
	fprintf(out, "      <failure type=\"%s\" message=\"", junit->found.all[first].rule);
	markup_text(out, junit->found.all[first].sentence);
	fputs("\">", out);
	for (size_t i = first; i < junit->found.nr; i++) {
		if (one->nr[i])
			print_found(&junit->found.all[i], one->nr[i], out);
	}
	fputs("</failure>\n", out);
}

static void print_error(const char *type, const char *message, FILE *out)
{
	fprintf(out, "      <error type=\"%s\" message=\"", type);
	markup_text(out, message);
	fputs("\"/>\n", out);
}

static void print_case(const struct junit *junit, const struct junit_case *one, FILE *out)
{
	fputs("    <testcase classname=\"pagetrail\" name=\"", out);
	markup_text(out, one->name);
	fputc('"', out);
	print_seconds(out, one->ticks);
	fputs(">\n", out);
	if (one->failed)
		print_failure(junit, one, out);
	else if (one->error)
		print_error(one->error_type, one->error, out);
	fputs("    </testcase>\n", out);
}

/* The schema of windyroad wants a time without zone, and wants one: where none is known, the beginning of 1970. */
static void print_suite_head(const struct junit *junit, FILE *out)
{
	const struct manifest *manifest = &model_run(junit->leaks->model)->manifest;
	size_t nr_failures = 0, nr_errors = 0, nr = 0;

	for (size_t i = 0; i < junit->nr_cases; i++) {
		if (junit->cases[i].left_out)
			continue;
		nr++;
		nr_failures += junit->cases[i].failed;
		nr_errors += !junit->cases[i].failed && junit->cases[i].error;
	}
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite package=\"pagetrail\" "
	      "id=\"0\" name=\"",
	      out);
	markup_text(out, model_run(junit->leaks->model)->folder);
	fprintf(out,
		"\" timestamp=\"%.19s\" hostname=\"localhost\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\"",
		manifest->started[0] ? manifest->started : "1970-01-01T00:00:00", nr, nr_failures, nr_errors);
	print_seconds(out, model_totals(junit->leaks->model)->last_time);
	fputs(">\n    <properties/>\n", out);
}

void found_print_junit(const struct leaks *leaks, FILE *out)
{
	struct junit junit = {.leaks = leaks, .found = found_list_make(leaks)};

	make_cases(&junit);
	count_findings(&junit);
	print_suite_head(&junit, out);
	for (size_t i = 0; i < junit.nr_cases; i++) {
		if (!junit.cases[i].left_out)
			print_case(&junit, &junit.cases[i], out);
		free(junit.cases[i].name);
		free(junit.cases[i].nr);
	}
	char *left_out = leaks_left_out_text(leaks);
	fputs("    <system-out>", out);
	markup_text(out, left_out);
	fputs("</system-out>\n    <system-err/>\n  </testsuite>\n</testsuites>\n", out);
	free(left_out);
	free(junit.cases);
	found_list_free(&junit.found);
}
