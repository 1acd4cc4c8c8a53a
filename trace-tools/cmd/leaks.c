/* pagetrail leaks: the command; the text of the report is in leaks_print.c. */
#include "command.h"

int leaks_report(struct run *run, struct model *model, const char *baseline, enum report_form form)
{
	struct stackbook *book = stackbook_open(run), *baseline_book = NULL;
	struct model *baseline_model = NULL;
	struct run *baseline_run = NULL;

	if (baseline) {
		baseline_run = open_run(baseline);
		baseline_model = model_replay(baseline_run, NULL);
		baseline_book = stackbook_open(baseline_run);
	}
	struct leaks *leaks = leaks_find(model, book, baseline_model, baseline_book);
	int status = leaks->status;
	if (form == REPORT_JSON)
		leaks_print_json(leaks, stdout);
	else
		leaks_print(leaks, form == REPORT_ALL, stdout);
	leaks_free(leaks);
	if (baseline) {
		stackbook_close(baseline_book);
		model_free(baseline_model);
		run_close(baseline_run);
	}
	stackbook_close(book);
	return status;
}

static int leaks_run(const struct arguments *arguments)
{
	struct run *run = open_run(arguments->operands[0]);
	struct model *model = model_replay(run, NULL);
	enum report_form form = option(arguments, "json")  ? REPORT_JSON
				: option(arguments, "all") ? REPORT_ALL
							   : REPORT_TEXT;
	int status = leaks_report(run, model, option(arguments, "baseline"), form);

	model_free(model);
	run_close(run);
	return status;
}

static const struct option_spec options[] = {
    {"baseline", "RUN", "a healthy run: who gave such pages and objects back there?"},
    {"all", NULL, "tell all groups in full, not the largest only"},
    {"json", NULL, "as JSON"},
    {NULL, NULL, NULL},
};

const struct command command_leaks = {
    .name = "leaks",
    .operands = "RUN",
    .summary = "say what was lost, who took it, and which act is missing",
    .description =
	"Two judges must agree: the kernel's own audit (findings in the trace; the last quiet audit decides) "
	"and the trace\n"
	"by itself (an open reference whose holder is dead). Where only one says so, the report says why.\n\n"
	"What was lost is grouped by allocation stack and unmatched get. For each group the missing act is "
	"sought by\n"
	"comparison: lives of the same path, of the same get, of the same function for other callers that "
	"were settled,\n"
	"by whom and how often; for objects that none ever freed, what happened next to the page in whose "
	"name they\n"
	"were made; with --baseline, who settled them in a healthy run.\n\n"
	"A trace with losses or damage says so first, and never gives the verdict that nothing was lost.\n",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = leaks_run,
};
