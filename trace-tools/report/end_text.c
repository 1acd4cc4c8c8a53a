/* SPDX-License-Identifier: MIT */
/*
 * end_text: what a run ended in that is no leak, and who is the suspect, in words and as JSON.
 *
 *     the kernel panicked: page_detach_locked() calls radix_remove() on 1 fewer line than in the baseline
 *     evidence: of the 24 functions on the stacks that the end of the run leads to, it alone has other code than the baseline's
 *     place: kernel/cache/pagecache.c:133
 */
#include <string.h>

#include "leaks_text.h"
#include "print.h"

static const char *what_of(enum run_end_how how)
{
	static const char *const texts[] = {
	    [RUN_END_NONE] = "",
	    [RUN_END_FINDING] = "the accounting is broken",
	    [RUN_END_PANIC] = "the kernel panicked",
	    [RUN_END_LIMIT] = "the machine did not end, and ran into its limit",
	    [RUN_END_GUEST] = "the guest's command failed, and no leak was found"};

	return texts[how];
}

const char *end_trail_text(const struct leaks *leaks, enum end_trail trail)
{
	switch (trail) {
	case TRAIL_STACK:
		return leaks->end.how == RUN_END_PANIC ? "on the stack of the panic"
						       : "on the stack of the finding";
	case TRAIL_HISTORY:
		return "in the history of what it is about";
	case TRAIL_LAST:
		return "on the last stack of a task that had not ended";
	default:
		return "elsewhere";
	}
}

void end_sentence(const struct leaks *leaks, FILE *out)
{
	const struct missing_release *says = &leaks->end.says;

	fprintf(out, "%s: ", what_of(leaks->end.how));
	if (says->how == MISSING_FREED)
		fprintf(out, "%s() freed a page that was still in use", says->suspect);
	else if (says->how == MISSING_MISPAIRED)
		fprintf(out, "%s() releases or acquires a reference under another name", says->suspect);
	else
		suspect_code_text(says, out);
}

void end_evidence(const struct leaks *leaks, FILE *out)
{
	const struct missing_release *says = &leaks->end.says;

	fprintf(out, "%s", suspect_rule_help(says->rule));
	if (says->trail)
		fprintf(out, "; it is %s", end_trail_text(leaks, says->trail));
}

static void print_starts(const struct leaks *leaks, FILE *out)
{
	const struct run_end *end = &leaks->end;

	fprintf(out, "%s: no suspect is named: %s%s\n", what_of(end->how),
		end->same_code ? "no function has other code than in the baseline; what differs is data, or "
				 "it is no mistake of this build"
			       : "no rule is good enough",
		end->nr_starts ? ". Start here:" : "");
	for (size_t i = 0; i < end->nr_starts; i++)
		fprintf(out, "  %s(), %s%s\n", end->starts[i].function,
			end_trail_text(leaks, end->starts[i].trail),
			end->start_differs[i] ? ", with other code than in the baseline" : "");
}

void end_print(const struct leaks *leaks, FILE *out)
{
	const struct missing_release *says = &leaks->end.says;

	if (!leaks->end.how)
		return;
	if (!says->suspect) {
		print_starts(leaks, out);
		return;
	}
	end_sentence(leaks, out);
	fprintf(out, "\nevidence: ");
	end_evidence(leaks, out);
	fprintf(out, "\n");
	if (says->suspect_place && says->suspect_place[0])
		fprintf(out, "place: %s\n", says->suspect_place);
	leaks_confidence(says, out);
	fputc('\n', out);
}

void end_print_json(struct json *json, const struct leaks *leaks)
{
	static const char *const how[] = {"", "finding", "panic", "limit", "guest"};
	static const char *const trails[] = {"none", "stack", "history", "last"};
	const struct run_end *end = &leaks->end;

	if (!end->how) {
		json_null(json, "end");
		return;
	}
	json_open(json, "end", '{');
	json_string(json, "how", how[end->how]);
	suspect_print_json(json, &end->says);
	json_string(json, "evidence", end->says.suspect ? suspect_rule_help(end->says.rule) : NULL);
	json_string(json, "expected", end->says.expected);
	json_int(json, "calls", end->says.calls);
	if (end->freed_stack)
		json_stack(json, "freed", leaks->stacks, end->freed_stack);
	json_bool(json, "same_code", end->same_code);
	json_open(json, "start_here", '[');
	for (size_t i = 0; i < end->nr_starts; i++) {
		json_open(json, NULL, '{');
		json_string(json, "function", end->starts[i].function);
		json_string(json, "where", trails[end->starts[i].trail]);
		json_bool(json, "differs", end->start_differs[i]);
		json_close(json, '}');
	}
	json_close(json, ']');
	json_close(json, '}');
}
