/* SPDX-License-Identifier: MIT */
/*
 * leaks_headline: the two lines that a reader of a leak needs first.
 *
 *     inode_read_cached() acquires a page-cache reference at kernel/fs/cached_io.c:30 and never releases it: 316 pages leaked
 *     evidence: 626 of 626 other references acquired by lookup() were released by pagecache_release()
 *
 * The first line says, in this order, what happened, where, and how much. Which sentence it is follows from what the
 * leaked ones were compared with (enum missing_how). It says "never" only where nothing that was acquired on the same
 * path was ever released. The second line says what the first rests on, in numbers; it goes into JSON, too.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "leaks_text.h"

/* "a page-cache", "an anon": the kind of page as an adjective. */
static const char *kind_adjective(uint32_t kind)
{
	switch (kind) {
	case PK_PAGECACHE:
		return "a page-cache";
	case PK_PAGETABLE:
		return "a page-table";
	case PK_KSTACK:
		return "a kernel-stack";
	case PK_ANON:
		return "an anon";
	default:
		return NULL;
	}
}

/* "a page-cache reference", "an object of cache dirty", "a page-table page". */
static void print_acquired(const struct leaks *leaks, const struct leak_item *item, FILE *out)
{
	const char *adjective = kind_adjective(item->kind);
	const char *noun =
	    item->get_stack == item->alloc_stack || item->ref == REF_NONE ? "page" : "reference";

	if (item->object && !leak_is_object(item))
		fprintf(out, "a reference to an object of cache %s",
			model_cache(leaks->model, item->cache)->name);
	else if (item->object)
		fprintf(out, "an object of cache %s", model_cache(leaks->model, item->cache)->name);
	else if (model_run(leaks->model)->watched) /* its pages have no kinds */
		fprintf(out, "a %s", noun);
	else if (adjective)
		fprintf(out, "%s %s", adjective, noun);
	else
		fprintf(out, "a %s %s", page_kind_text(item->kind), noun);
}

static bool is_allocation(const struct leak_item *item)
{
	return leak_is_object(item) || (!item->object && item->get_stack == item->alloc_stack) ||
	       item->ref == REF_NONE;
}

static void print_place(const struct missing_release *missing, FILE *out)
{
	if (missing->suspect_place && missing->suspect_place[0])
		fprintf(out, " at %s", missing->suspect_place);
}

static void print_without_suspect(const struct leaks *leaks, const struct leak_item *item, FILE *out)
{
	fprintf(out, "%s() %s ", stack_table_function(leaks->stacks, item->get_stack),
		is_allocation(item) ? "allocates" : "acquires");
	print_acquired(leaks, item, out);
	fprintf(out, " and nothing %s it", is_allocation(item) ? "frees" : "releases");
}

/* The suspect releases what others acquired, and was not called for the leaked ones. */
static void print_not_called(const struct leaks *leaks, const struct leak_item *item,
			     const struct missing_release *missing, FILE *out)
{
	if (missing->suspect_caller)
		fprintf(out, "%s() does not call ", missing->suspect_caller);
	else
		fprintf(out, "nothing calls ");
	fprintf(out, "%s()", missing->suspect);
	if (missing->suspect_place && missing->suspect_place[0])
		fprintf(out, " (%s)", missing->suspect_place);
	fprintf(out, " to %s ", is_allocation(item) ? "free" : "release");
	print_acquired(leaks, item, out);
	fprintf(out, " %s by %s()", is_allocation(item) ? "allocated" : "acquired",
		stack_table_function(leaks->stacks, item->get_stack));
}

static void print_acquires(const struct leaks *leaks, const struct leak_item *item,
			   const struct missing_release *missing, FILE *out)
{
	bool sometimes = missing->how == MISSING_SAME_PATH || missing->how == MISSING_SAME_GET;

	fprintf(out, "%s() %s ", missing->suspect, is_allocation(item) ? "allocates" : "acquires");
	print_acquired(leaks, item, out);
	print_place(missing, out);
	fprintf(out, " and %s %s it", sometimes ? "does not always" : "never",
		is_allocation(item) ? (sometimes ? "free" : "frees") : (sometimes ? "release" : "releases"));
}

static void print_baseline(const struct missing_release *missing, const struct leak_item *first, FILE *out)
{
	if (missing->rule == SUSPECT_ADDED)
		fprintf(out, "%s() has a call of %s() that the baseline has not", missing->suspect,
			missing->expected);
	else if (missing->rule == SUSPECT_CHANGED_GET)
		fprintf(out, "%s() acquires %s in other code than the baseline's", missing->suspect,
			first->object ? "such objects" : "such references");
	else if (!missing->expected)
		fprintf(out, "%s() does not always release %s as in the baseline", missing->suspect,
			first->object ? "such objects" : "such references");
	else
		fprintf(out, "%s() does not%s call %s(), which released %s in the baseline", missing->suspect,
			missing->rule == SUSPECT_CODE ? "" : " always", missing->expected,
			first->object ? "such objects" : "such references");
}

void suspect_code_text(const struct missing_release *missing, FILE *out)
{
	int32_t calls = missing->calls;

	fprintf(out, "%s() ", missing->suspect);
	if (missing->expected)
		fprintf(out, "calls %s() on %d %s line%s than in the baseline", missing->expected, abs(calls),
			calls < 0 ? "fewer" : "more", plural_s(abs(calls)));
	else if (missing->other_order)
		fprintf(out, "makes its calls in another order than in the baseline");
	else if (missing->only_inside)
		fprintf(out, "has the same calls and branches as in the baseline, and other instructions");
	else
		fprintf(out, "has other branches than in the baseline");
}

static void print_container(const struct leaks *leaks, const struct leak_group *group, FILE *out)
{
	const struct leak_group *container = &leaks->groups[group->container - 1];
	const struct leak_item *first = &leaks->items[container->items[0]];

	print_acquired(leaks, &leaks->items[group->items[0]], out);
	fprintf(out, " leaked with %s, see [%zu]", container->nr_items == 1 ? "the object" : "the objects",
		group->container);
	fprintf(out, " (cache %s)", model_cache(leaks->model, first->cache)->name);
}

void leaks_what_happened(const struct leaks *leaks, const struct leak_group *group, FILE *out)
{
	const struct missing_release *missing = &group->missing;
	const struct leak_item *first = &leaks->items[group->items[0]];

	if (!missing->suspect && missing->how != MISSING_CONTAINER) {
		print_without_suspect(leaks, first, out);
		return;
	}
	switch (missing->how) {
	case MISSING_LATER_PUT:
		fprintf(out, "%s() releases the dirty reference of a page", missing->suspect);
		print_place(missing, out);
		fprintf(out, " and does not free its object of cache %s",
			model_cache(leaks->model, first->cache)->name);
		break;
	case MISSING_PLACE_REUSED:
		fprintf(out, "%s() replaces a page in its %s", missing->suspect, ref_kind_text(first->ref));
		print_place(missing, out);
		if (missing->suspect_caller)
			fprintf(out, ", called by %s(),", missing->suspect_caller);
		fprintf(out, " and does not release the old page");
		break;
	case MISSING_HOLDER_END:
		fprintf(out, "%s() ends the %s", missing->suspect, ref_holder_text(first->ref));
		print_place(missing, out);
		fprintf(out, " and does not release its %s reference", ref_kind_text(first->ref));
		break;
	case MISSING_LAST_CHANGE:
		fprintf(out, "%s() %s", missing->suspect,
			first->was_unmapping ? "removes the last page-table entry of a page"
					     : "lowers the count of a page");
		print_place(missing, out);
		fprintf(out, " and does not free the page");
		break;
	case MISSING_CONTAINER:
		print_container(leaks, group, out);
		break;
	case MISSING_BASELINE:
		print_baseline(missing, first, out);
		break;
	case MISSING_CODE:
		suspect_code_text(missing, out);
		break;
	case MISSING_REFUSED:
		fprintf(out, "%s() fails when an allocation is refused", missing->suspect);
		print_place(missing, out);
		fprintf(out, " and does not %s ", is_allocation(first) ? "free" : "release");
		print_acquired(leaks, first, out);
		break;
	case MISSING_LEAK_POINT:
		fprintf(out, "%s() loses the last pointer to ", missing->suspect);
		print_acquired(leaks, first, out);
		print_place(missing, out);
		break;
	case MISSING_TWICE:
		fprintf(out, "%s() acquires ", missing->suspect);
		print_acquired(leaks, first, out);
		print_place(missing, out);
		fprintf(out, " a second time");
		break;
	default:
		if (missing->suspect_releases)
			print_not_called(leaks, first, missing, out);
		else
			print_acquires(leaks, first, missing, out);
	}
}

/* ---- the evidence ---- */

const char *leaks_baseline_function(const struct leaks *leaks, uint32_t put)
{
	const struct call_tree *tree = leaks->query->baseline->tree;

	return call_tree_function(tree, call_tree_site(tree, put));
}

static void print_others(const struct leaks *leaks, const struct leak_group *group, FILE *out)
{
	const struct missing_release *missing = &group->missing;
	bool object = leak_is_object(&leaks->items[group->items[0]]);

	fprintf(out, "%" PRIu64 " of %" PRIu64 " other %s ", missing->nr, missing->total,
		object ? "objects allocated" : "references acquired");
	if (missing->how == MISSING_SAME_PATH)
		fprintf(out, "on the same path");
	else if (missing->how == MISSING_SAME_GET)
		fprintf(out, "with the same call stack");
	else if (missing->getter)
		fprintf(out, "by %s()", missing->getter);
	else
		fprintf(out, "of this type");
	fprintf(out, " were %s", object ? "freed" : "released");
	if (missing->putter)
		fprintf(out, " by %s()", missing->putter);
}

void leaks_evidence(const struct leaks *leaks, const struct leak_group *group, FILE *out)
{
	const struct missing_release *missing = &group->missing;
	bool object = leak_is_object(&leaks->items[group->items[0]]);

	switch (missing->how) {
	case MISSING_NONE:
		fprintf(out, "none to compare with: no other %s of this type was %s in this run",
			object ? "object" : "reference", object ? "freed" : "released");
		if (missing->suspect)
			fprintf(out, "; %s() is only the caller", missing->suspect);
		break;
	case MISSING_HOLDER_END:
		fprintf(out,
			"no other reference of this type was released in this run; the holder ended here");
		break;
	case MISSING_LATER_PUT:
		fprintf(out,
			"%" PRIu64 " of %" PRIu64
			" leaked objects: their page's dirty reference was released here",
			missing->later_nr, missing->later_total);
		break;
	case MISSING_PLACE_REUSED:
		fprintf(out, "%" PRIu64 " of %" PRIu64 " leaked pages were replaced here", missing->later_nr,
			missing->later_total);
		break;
	case MISSING_LAST_CHANGE:
		fprintf(out, "%" PRIu64 " of %" PRIu64 " leaked pages were last released here",
			missing->later_nr, missing->later_total);
		break;
	case MISSING_CONTAINER:
		fprintf(out, "they are part of what leaked there");
		break;
	case MISSING_BASELINE:
	case MISSING_CODE:
		fprintf(out, "%s", suspect_rule_help(missing->rule));
		break;
	case MISSING_REFUSED:
		fprintf(
		    out,
		    "%" PRIu64 " of %" PRIu64
		    " leaked ones were followed by a refused allocation in the same call of this function",
		    missing->later_nr, missing->later_total);
		break;
	case MISSING_LEAK_POINT:
		fprintf(out, "of %" PRIu64 " of %" PRIu64 ", %s", missing->later_nr, missing->later_total,
			missing->leak_point);
		break;
	case MISSING_TWICE:
		fprintf(out, "its holder had that reference already, in %" PRIu64 " such calls",
			missing->later_nr);
		break;
	default:
		print_others(leaks, group, out);
	}
	if (missing->baseline_total)
		fprintf(out, "; in the baseline run, %" PRIu64 " of %" PRIu64 " were %s by %s()",
			missing->baseline_nr, missing->baseline_total, object ? "freed" : "released",
			leaks_baseline_function(leaks, missing->baseline_put));
}

char *leaks_evidence_text(const struct leaks *leaks, const struct leak_group *group)
{
	struct text_buffer buffer;
	FILE *out = text_begin(&buffer);

	leaks_evidence(leaks, group, out);
	return text_end(&buffer);
}

/* ---- growth ---- */

void growth_print(const struct leaks *leaks, const struct growth_item *item, FILE *out)
{
	size_t nr_tests;
	const struct test_mark *tests = model_tests(leaks->model, &nr_tests);
	const char *function = stack_table_function(leaks->stacks, item->stack);

	fprintf(out, "%s%s", item->together ? "all " : "", item->objects ? "objects" : "pages");
	if (item->objects)
		fprintf(out, " of cache %s", model_cache(leaks->model, item->cache)->name);
	if (item->together)
		fprintf(out, " together");
	else
		fprintf(out, " allocated by %s()", function);
	fprintf(out,
		" went from %" PRIu64 " (before test %s) to %" PRIu64
		": more in %u of %u comparisons over %u test%s, fewer in none",
		item->before, item->from_test < nr_tests ? tests[item->from_test].name : "?", item->after,
		item->rises, item->comparisons, item->to_tests - item->from_test,
		plural_s(item->to_tests - item->from_test));
	if (item->together)
		fprintf(out, "; most were allocated by %s()", function);
}
