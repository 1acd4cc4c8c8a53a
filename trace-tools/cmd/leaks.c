/* SPDX-License-Identifier: MIT */
/* pagetrail leaks: the command; the text of the report is in leaks_print.c. */
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "report/found.h"
#include "report/leaks_text.h"

/* Options as the user gave them, and what they mean for this run. */
struct report_options {
	struct leaks_query query;
	struct leak_span *spans;
	size_t nr_spans, capacity;
	struct baseline *baseline;
};

/* ---- wishes ---- */

/* --no-baseline: what the events of this run say alone. */
static void check_baseline_options(const struct arguments *arguments)
{
	if (option(arguments, "baseline") && option(arguments, "no-baseline"))
		die("--baseline and --no-baseline: one of them");
}

static void read_baseline(struct report_options *wanted, const struct run *run,
			  const struct arguments *arguments)
{
	const char *path = option(arguments, "baseline");

	check_baseline_options(arguments);
	if (!option(arguments, "no-baseline"))
		wanted->baseline = path ? open_baseline(path) : kept_baseline(run);
	wanted->query.baseline = wanted->baseline;
}

static void read_between(struct report_options *wanted, const struct timeline *timeline, const char *from,
			 const char *to)
{
	struct leak_span *span = &ARRAY_PUSH(wanted->spans, wanted->nr_spans, wanted->capacity);

	span->from = instant_or_die(timeline, "--between", from, EDGE_BEGIN);
	span->to = instant_or_die(timeline, "--between", to, EDGE_END);
	if (span->from > span->to)
		die("--between: %s is after %s", from, to);
}

/* A test may run several times: what was taken in any of them. One that never ended goes on to the trace's end. */
static void read_test(struct report_options *wanted, const struct timeline *timeline, const char *name)
{
	for (size_t i = 0; i < timeline->nr_tests; i++) {
		const struct test_mark *test = &timeline->tests[i];
		if (!strcmp(test->name, name))
			ARRAY_PUSH(wanted->spans, wanted->nr_spans, wanted->capacity) =
			    (struct leak_span){test->begin, test->end ? test->end : timeline->last};
	}
	if (!wanted->nr_spans)
		die("--test: %s", instant_unknown_mark(timeline, name));
}

/* Dies unless it is the name of a page kind or of a slab cache in this trace. */
static void read_kind(struct report_options *wanted, const struct model *model, const char *kind)
{
	bool known = false;

	for (uint32_t i = 0; i < PK_NR; i++)
		known = known || !strcmp(kind, page_kind_text(i));
	for (uint32_t i = 0; i <= UINT16_MAX; i++)
		known = known || (model_cache(model, i)->known && !strcmp(kind, model_cache(model, i)->name));
	if (!known)
		die("--kind: %s is neither a page kind (%s, %s, ...) nor a slab cache of this run", kind,
		    page_kind_text(PK_ANON), page_kind_text(PK_PAGECACHE));
	wanted->query.kind = kind;
}

static void read_suppressions(struct report_options *wanted, const char *path)
{
	char *error;

	if (!path)
		return;
	wanted->query.suppressions = suppressions_read(path, &error);
	if (error)
		die("--suppressions: %s", error);
}

static void read_report_options(struct report_options *wanted, const struct arguments *arguments,
				const struct model *model)
{
	struct timeline timeline;

	timeline_of_model(&timeline, model);
	if (option(arguments, "between") && option(arguments, "test"))
		die("--between and --test: one of them");
	if (option(arguments, "between"))
		read_between(wanted, &timeline, option(arguments, "between"),
			     option_second(arguments, "between"));
	if (option(arguments, "test"))
		read_test(wanted, &timeline, option(arguments, "test"));
	if (option(arguments, "pid"))
		wanted->query.pid = (int32_t)option_number(arguments, "pid", 0, 0, UINT16_MAX);
	if (option(arguments, "kind"))
		read_kind(wanted, model, option(arguments, "kind"));
	read_suppressions(wanted, option(arguments, "suppressions"));
	read_baseline(wanted, model_run(model), arguments);
	wanted->query.spans = wanted->spans;
	wanted->query.nr_spans = wanted->nr_spans;
}

static void free_report_options(struct report_options *wanted)
{
	baseline_free(wanted->baseline);
	suppressions_free(wanted->query.suppressions);
	free(wanted->spans);
}

/* ---- the report ---- */

/* What --fail-on-leak treats as a leak though the verdict is milder; NULL: nothing. Not for an incomplete trace. */
static const char *strict_reason(const struct leaks *leaks)
{
	if (leaks->status == STATUS_LEAKED || !run_complete(model_run(leaks->model)))
		return NULL;
	if (leaks->nr_items)
		return "there are leaks that are not certain";
	return leaks->growth.nr ? "pages or objects only grew from test to test" : NULL;
}

static void print_report(const struct leaks *leaks, void *form)
{
	FILE *out = stdout;

	switch (*(const enum report_form *)form) {
	case REPORT_TEXT:
	case REPORT_ALL:
		leaks_print(leaks, *(const enum report_form *)form == REPORT_ALL, out);
		break;
	case REPORT_JSON:
		leaks_print_json(leaks, out);
		break;
	case REPORT_GCC:
		found_print_gcc(leaks, out);
		break;
	case REPORT_MARKDOWN:
		found_print_markdown(leaks, out);
		break;
	case REPORT_SARIF:
		found_print_sarif(leaks, out);
		break;
	case REPORT_JUNIT:
		found_print_junit(leaks, out);
		break;
	case REPORT_NOTHING:
		break;
	}
}

/* strict: --fail-on-leak; growth: so much of --fail-on-growth, 0: it was not given. */
static int report(struct run *run, struct model *model, const struct leaks_query *query, leaks_reader *reader,
		  void *context, bool strict, uint64_t growth)
{
	struct stack_table *stacks = stack_table_open(run);
	struct leaks *leaks = leaks_find(model, stacks, query);
	int status = leaks->status;

	reader(leaks, context);
	if (strict && strict_reason(leaks)) {
		warn("--fail-on-leak: %s", strict_reason(leaks));
		status = STATUS_LEAKED;
	}
	if (growth && growth_most(&leaks->growth) >= growth) {
		warn("--fail-on-growth: something grew by %llu from test to test",
		     (unsigned long long)growth_most(&leaks->growth));
		status = STATUS_LEAKED;
	}
	leaks_free(leaks);
	stack_table_close(stacks);
	return status;
}

void leaks_check(const struct arguments *arguments)
{
	struct report_options wanted = {0};

	check_baseline_options(arguments);
	read_suppressions(&wanted, option(arguments, "suppressions"));
	if (option(arguments, "baseline"))
		wanted.baseline = open_baseline(option(arguments, "baseline"));
	free_report_options(&wanted);
}

int leaks_read(struct run *run, struct model *model, const struct arguments *arguments, bool strict,
	       leaks_reader *reader, void *context)
{
	struct report_options wanted = {.query.pid = -1};

	read_suppressions(&wanted, option(arguments, "suppressions"));
	read_baseline(&wanted, run, arguments);
	int status = report(run, model, &wanted.query, reader, context, strict, 0);
	free_report_options(&wanted);
	return status;
}

int leaks_report(struct run *run, struct model *model, const struct arguments *arguments,
		 enum report_form form)
{
	return leaks_read(run, model, arguments, option(arguments, "fail-on-leak") != NULL, print_report,
			  &form);
}

void leaks_why(const char *folder, const struct arguments *arguments, enum why_before before)
{
	struct report_options wanted = {.query.pid = -1};
	struct run *run = open_run(folder);

	read_suppressions(&wanted, option(arguments, "suppressions"));
	read_baseline(&wanted, run, arguments);
	run_close(run);
	why_report(folder,
		   &(struct why_options){.limit = WHY_LIMIT, .before = before, .query = &wanted.query});
	free_report_options(&wanted);
}

/* The forms for programs have everything in them, so that --all changes nothing there. */
static enum report_form form_asked_for(const struct arguments *arguments)
{
	static const struct {
		const char *option;
		enum report_form form;
	} forms[] = {{"json", REPORT_JSON},
		     {"gcc", REPORT_GCC},
		     {"markdown", REPORT_MARKDOWN},
		     {"sarif", REPORT_SARIF},
		     {"junit", REPORT_JUNIT}};
	enum report_form form = option(arguments, "all") ? REPORT_ALL : REPORT_TEXT;
	const char *first = NULL;

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (!option(arguments, forms[i].option))
			continue;
		if (first)
			die("--%s and --%s: one of them", first, forms[i].option);
		first = forms[i].option;
		form = forms[i].form;
	}
	return form;
}

static int leaks_run(const struct arguments *arguments)
{
	enum report_form form = form_asked_for(arguments);

	if (option(arguments, "why") && form != REPORT_TEXT && form != REPORT_ALL)
		die("--why: with the report as text alone; as JSON by `pagetrail why --json`");
	enum why_before before =
	    option(arguments, "why") ? why_repeat(arguments->operands[0]) : WHY_NOT_TRIED;
	struct run *run = open_run(arguments->operands[0]);
	struct model *model = model_replay(run, NULL);
	struct report_options wanted = {.query.pid = -1};
	read_report_options(&wanted, arguments, model);
	uint64_t growth = option_number(arguments, "fail-on-growth", 0, 1, UINT32_MAX);
	if (growth && (wanted.nr_spans || wanted.query.pid >= 0 || wanted.query.kind))
		die("--fail-on-growth: growth belongs to the whole run; leave out --between, --test, --pid "
		    "and --kind");
	int status = report(run, model, &wanted.query, print_report, &form,
			    option(arguments, "fail-on-leak") != NULL, growth);
	model_free(model);
	run_close(run);
	if (option(arguments, "why") && status == STATUS_LEAKED)
		why_report(
		    arguments->operands[0],
		    &(struct why_options){.limit = WHY_LIMIT, .before = before, .query = &wanted.query});
	free_report_options(&wanted);
	return status;
}

static const struct option_spec options[] = {
    {"between", "MARK MARK",
     "only what was acquired from the first mark (its beginning) to the second (its end)"},
    {"test", "TEST", "only what was acquired while TEST ran, each time it did"},
    {"pid", "PID", "only what this process acquired; 0: the kernel's own threads and boot"},
    {"kind", "KIND", "only pages of this kind (anon, pagecache, ...) or objects of this slab cache"},
    {"suppressions", "FILE", "known leaks, in LeakSanitizer's format: lines of leak:PATTERN"},
    {"fail-on-leak", NULL,
     "for CI: status 1 also for leaks that are not certain, and for what only grows from test to test"},
    {"fail-on-growth", "N",
     "status 1 when the pages or objects of a call site grew by N or more from test to test"},
    {"baseline", "RUN|FILE",
     "compare with a run without the leak, or what `pagetrail baseline` kept of one, instead of the one kept "
     "for this workload"},
    NO_BASELINE,
    {"why", NULL,
     "repeat the run, judge with what came of the pointers, and say where the last ones died (pagetrail "
     "why)"},
    {"all", NULL, "print all groups in full, not the largest only"},
    {"json", NULL, "as JSON"},
    {"gcc", NULL, "as compilers print warnings, for editors: FILE:LINE: warning: ..."},
    {"sarif", NULL, "as SARIF 2.1.0, for code-scanning views"},
    {"junit", NULL, "as JUnit's XML, for CI: a case for each test of the guest"},
    {"markdown", NULL, "as Markdown, for a comment in a review"},
    FORCE_SYMBOLS,
    {NULL, NULL, NULL},
};

const struct command command_leaks = {
    .name = "leaks",
    .operands = "RUN",
    .summary = "report leaks: what leaked, which code acquired it, and which release is missing",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = leaks_run,
};
