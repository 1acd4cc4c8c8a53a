/* SPDX-License-Identifier: MIT */
/* leaks_missing: which release is missing, in words: where others were released, who is the suspect, how far to trust that. */
#include <inttypes.h>
#include <string.h>

#include "base/util.h"
#include "leaks_parts.h"
#include "print.h"

/* Where others were released: on the same path, of the same get, or acquired by the same function. */
static void print_compared(const struct leaks *leaks, const struct missing_release *missing,
			   const char *released, FILE *out)
{
	if (missing->how == MISSING_SAME_FUNCTION) {
		fprintf(out,
			"    None acquired on this path was ever %s. %" PRIu64 " of %" PRIu64
			" that %s acquired for other callers\n    were %s by %s",
			released, missing->nr, missing->total, missing->getter, released, missing->putter);
		if (missing->example)
			fprintf(out, ", called by %s, which also called the get", missing->example);
		fprintf(out, ":\n");
	} else {
		fprintf(out, "    %s were %s %" PRIu64 " time%s, %" PRIu64 " of them by %s:\n",
			missing->how == MISSING_SAME_PATH ? "Others of the same path"
							  : "Others of the same get",
			released, missing->total, plural_s(missing->total), missing->nr, missing->putter);
	}
	stack_table_print(leaks->stacks, missing->put_stack, "      ", out);
}

static void print_later_put(const struct leaks *leaks, const struct missing_release *missing, FILE *out)
{
	if (missing->total)
		fprintf(out,
			"    %" PRIu64 " other object%s of this type %s freed, %" PRIu64 " of them by %s.\n",
			missing->total, plural_s(missing->total), plural(missing->total, "was", "were"),
			missing->nr, missing->putter);
	else
		fprintf(out, "    No object of this type was ever freed in this run.\n");
	fprintf(out,
		"    For %" PRIu64 " of %" PRIu64
		" leaked objects, the dirty reference of their page was released here, and the\n"
		"    object was not freed:\n",
		missing->later_nr, missing->later_total);
	stack_table_print(leaks->stacks, missing->later_put, "      ", out);
}

static void print_place_reused(const struct leaks *leaks, const struct missing_release *missing, uint8_t ref,
			       FILE *out)
{
	fprintf(out,
		"    For %" PRIu64 " of %" PRIu64
		" the place that held the page (the %s of the same holder and index) was\n"
		"    given another page here, and the reference stayed open:\n",
		missing->later_nr, missing->later_total, ref_kind_text(ref));
	stack_table_print(leaks->stacks, missing->later_put, "      ", out);
	if (missing->total)
		fprintf(out,
			"    (%" PRIu64 " other%s of this type %s released, %" PRIu64 " of them by %s.)\n",
			missing->total, plural_s(missing->total), plural(missing->total, "was", "were"),
			missing->nr, missing->putter);
}

static void print_nothing_to_compare(const struct leaks *leaks, const struct leak_group *group, FILE *out)
{
	const struct leak_item *first = leaks_item(leaks, group, 0);

	fprintf(out,
		"    No %s of this type was ever %s in this run, so there is nothing to compare with.\n"
		"    The unmatched %s is in %s, called as shown above.\n",
		leak_is_object(first) ? "object" : "reference", leak_is_object(first) ? "freed" : "released",
		leak_is_object(first) ? "allocation" : "get",
		stack_table_function(leaks->stacks, first->get_stack));
}

/* The frame of a stack that asked for it: "lookup (file.c:1)". */
static void print_site(const struct leaks *leaks, uint32_t stack, FILE *out)
{
	const struct stack_view *view = stack_table_get(leaks->stacks, stack);
	char place[256];

	fprintf(out, "%s", stack_table_function(leaks->stacks, stack));
	if (view->site < view->nr && frame_place(&view->frames[view->site], place, sizeof(place))[0])
		fprintf(out, " (%s)", place);
}

void leaks_confidence(const struct missing_release *missing, FILE *out)
{
	uint32_t named, right, nr_agree = missing_nr_agreeing(missing);

	suspect_rule_measured(missing->rule, &named, &right);
	fprintf(out, "%s: rule %s named the right function in %u of %u known mistakes",
		missing->confidence == CONFIDENCE_CERTAIN ? "CERTAIN" : "LIKELY",
		suspect_rule_name(missing->rule), right, named);
	if (nr_agree)
		fprintf(out, "; %u other rule%s name%s it, too", nr_agree, plural_s(nr_agree),
			nr_agree == 1 ? "s" : "");
}

/* Who it was, and how far that is known; else where to start. */
static void print_suspect(const struct leaks *leaks, const struct leak_group *group, FILE *out)
{
	const struct missing_release *missing = &group->missing;
	const struct leak_item *first = leaks_item(leaks, group, 0);

	if (missing->suspect) {
		fprintf(out, "    suspect: %s", missing->suspect);
		if (missing->suspect_place && missing->suspect_place[0])
			fprintf(out, " (%s)", missing->suspect_place);
		if (missing->suspect_caller)
			fprintf(out, ", called by %s", missing->suspect_caller);
		fprintf(out, "\n    ");
		leaks_confidence(missing, out);
		fputc('\n', out);
		return;
	}
	fprintf(out, "    no suspect is named: no rule is good enough. Start here: acquired by ");
	print_site(leaks, first->get_stack, out);
	if (group->history.nr) {
		fprintf(out, ", last seen in ");
		print_site(leaks, group->history.records[group->history.nr - 1].stack, out);
	}
	fputc('\n', out);
}

/* The baseline's lines are those of another build: it has none. */
static void print_baseline_path(const struct leaks *leaks, uint32_t put, FILE *out)
{
	const struct call_tree *tree = leaks->query->baseline->tree;

	for (uint32_t at = call_tree_site(tree, put); at; at = tree->nodes[at].parent)
		fprintf(out, "      %s\n", call_tree_function(tree, at));
}

void leaks_print_missing(const struct leaks *leaks, const struct leak_group *group, FILE *out)
{
	const struct leak_item *first = leaks_item(leaks, group, 0);
	const struct missing_release *missing = &group->missing;
	const char *released = leak_is_object(first) ? "freed" : "released";

	fprintf(out, "  missing %s\n", leak_is_object(first) ? "free" : "release");
	switch (missing->how) {
	case MISSING_SAME_PATH:
	case MISSING_SAME_GET:
	case MISSING_SAME_FUNCTION:
		print_compared(leaks, missing, released, out);
		break;
	case MISSING_LATER_PUT:
		print_later_put(leaks, missing, out);
		break;
	case MISSING_PLACE_REUSED:
		print_place_reused(leaks, missing, first->ref, out);
		break;
	case MISSING_HOLDER_END:
		fprintf(out, "    No reference of this type was ever released in this run. The holder ended "
			     "here, and the\n    reference stayed open:\n");
		stack_table_print(leaks->stacks, missing->end_stack, "      ", out);
		break;
	case MISSING_LAST_CHANGE:
		fprintf(out, "    %s here, and nothing led to the page any more:\n",
			first->was_unmapping ? "The last page-table entry went"
					     : "The count was last lowered");
		stack_table_print(leaks->stacks, missing->later_put, "      ", out);
		break;
	case MISSING_REFUSED:
		fprintf(out, "    The next allocation of the same task was refused here:\n");
		stack_table_print(leaks->stacks, missing->later_put, "      ", out);
		break;
	case MISSING_LEAK_POINT:
		fprintf(out, "    Pointers were followed: %s (%" PRIu64 " of %" PRIu64 ").\n",
			missing->leak_point, missing->later_nr, missing->later_total);
		break;
	case MISSING_CODE:
	case MISSING_FREED:
	case MISSING_MISPAIRED:
	case MISSING_BASELINE:
	case MISSING_TWICE:
	case MISSING_CONTAINER:
		break;
	case MISSING_NONE:
		print_nothing_to_compare(leaks, group, out);
		break;
	}
	if (missing->baseline_put) {
		fprintf(out, "    In the baseline run %" PRIu64 " of %" PRIu64 " were %s here:\n",
			missing->baseline_nr, missing->baseline_total, released);
		print_baseline_path(leaks, missing->baseline_put, out);
	}
	print_suspect(leaks, group, out);
}
