/* SPDX-License-Identifier: MIT */
/* leaks_json: the leak report as JSON: the same facts as leaks_print.c prints. */
#include <stdlib.h>

#include "base/json.h"
#include "base/util.h"
#include "leaks_text.h"
#include "print.h"

/* Frames without lines, innermost first. */
static void write_baseline_path(struct json *json, const struct leaks *leaks, uint32_t put)
{
	const struct call_tree *tree = leaks->query->baseline->tree;

	json_open(json, "baseline_put", '[');
	for (uint32_t at = call_tree_site(tree, put); at; at = tree->nodes[at].parent) {
		json_open(json, NULL, '{');
		json_string(json, "function", call_tree_function(tree, at));
		json_string(json, "file", NULL);
		json_int(json, "line", 0);
		json_bool(json, "inlined", false);
		json_close(json, '}');
	}
	json_close(json, ']');
}

void suspect_print_json(struct json *json, const struct missing_release *missing)
{
	static const char *const confidence[] = {"none", "likely", "certain"};

	json_string(json, "suspect", missing->suspect);
	json_string(json, "rule", suspect_rule_name(missing->rule));
	json_string(json, "confidence", confidence[missing->confidence]);
	json_int(json, "chance", missing->chance);
	json_open(json, "considered", '[');
	for (size_t i = 0; i < missing_nr_considered(missing); i++) {
		json_open(json, NULL, '{');
		json_string(json, "rule", suspect_rule_name(missing->considered[i].rule));
		json_string(json, "function", missing->considered[i].function);
		json_close(json, '}');
	}
	json_close(json, ']');
	json_int(json, "agree", missing_nr_agreeing(missing));
	json_string(json, "suspect_place", missing->suspect_place);
}

static void write_missing(struct json *json, const struct leaks *leaks, const struct leak_group *group)
{
	static const char *const how[] = {"none",       "same-path",  "same-get",     "same-function",
					  "later-put",  "holder-end", "place-reused", "last-change",
					  "baseline",   "refused",    "twice",        "container",
					  "leak-point", "code"};
	const struct missing_release *missing = &group->missing;
	char *evidence = leaks_evidence_text(leaks, group);

	json_open(json, "missing_release", '{');
	json_string(json, "how", how[missing->how]);
	json_int(json, "released", (int64_t)missing->nr);
	json_int(json, "released_total", (int64_t)missing->total);
	suspect_print_json(json, missing);
	json_string(json, "suspect_caller", missing->suspect_caller);
	json_string(json, "evidence", evidence);
	json_string(json, "getter", missing->getter);
	json_string(json, "putter", missing->putter);
	json_stack(json, "put", leaks->stacks, missing->put_stack);
	json_int(json, "later", (int64_t)missing->later_nr);
	json_int(json, "later_total", (int64_t)missing->later_total);
	if (missing->later_put)
		json_stack(json, "later_put", leaks->stacks, missing->later_put);
	if (missing->end_stack)
		json_stack(json, "holder_end", leaks->stacks, missing->end_stack);
	json_int(json, "baseline", (int64_t)missing->baseline_nr);
	json_int(json, "baseline_total", (int64_t)missing->baseline_total);
	if (missing->baseline_put)
		write_baseline_path(json, leaks, missing->baseline_put);
	json_close(json, '}');
	free(evidence);
}

static void write_item(struct json *json, const struct leak_item *item)
{
	json_open(json, NULL, '{');
	json_int(json, item->object ? "object_pa" : "pfn",
		 item->object ? (int64_t)item->where * 8 : item->where);
	json_string(json, "verdict", verdict_text(item->verdict));
	json_bool(json, "by_audit", item->by_audit);
	json_bool(json, "by_trace", item->by_trace);
	json_bool(json, "by_pointers", item->by_pointers);
	json_string(json, "detected_by", leak_doubt_text(item->doubt));
	json_string(json, "ref", ref_kind_text(item->ref));
	json_int(json, "holder", item->holder);
	json_int(json, "index", item->index);
	json_int(json, "inode", item->inode);
	json_int(json, "inode_index", item->inode_index);
	json_real(json, "acquired", time_seconds(item->get_time));
	json_int(json, "pid", item->get_pid);
	json_close(json, '}');
}

static int compare_numbers(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

/* Each number once, in order. */
static void write_numbers(struct json *json, const char *key, uint64_t *numbers, size_t nr)
{
	qsort(numbers, nr, sizeof(*numbers), compare_numbers);
	json_open(json, key, '[');
	for (size_t i = 0; i < nr; i++) {
		if (i == 0 || numbers[i] != numbers[i - 1])
			json_int(json, NULL, (int64_t)numbers[i]);
	}
	json_close(json, ']');
}

/* Of all items together: in which tests, by which pids they were acquired, and their holders. */
static void write_circumstances(struct json *json, const struct leaks *leaks, const struct leak_group *group)
{
	uint64_t *numbers = xcalloc(group->nr_items, sizeof(*numbers));
	const struct test_mark *last = NULL;

	json_open(json, "tests", '[');
	for (size_t i = 0; i < group->nr_items; i++) {
		const struct test_mark *test =
		    model_test_at(leaks->model, leaks->items[group->items[i]].get_time);
		if (test && test != last)
			json_string(json, NULL, test->name);
		last = test ? test : last;
	}
	json_close(json, ']');
	for (size_t i = 0; i < group->nr_items; i++)
		numbers[i] = leaks->items[group->items[i]].get_pid;
	write_numbers(json, "pids", numbers, group->nr_items);
	for (size_t i = 0; i < group->nr_items; i++)
		numbers[i] = leaks->items[group->items[i]].holder;
	write_numbers(json, "holders", numbers, group->nr_items);
	json_string(json, "holder_is", ref_holder_text(leaks->items[group->items[0]].ref));
	free(numbers);
}

static void write_group(struct json *json, const struct leaks *leaks, const struct leak_group *group)
{
	const struct leak_item *first = &leaks->items[group->items[0]];

	json_open(json, NULL, '{');
	json_string(json, "what", first->object ? "object" : "page");
	if (first->object)
		json_string(json, "cache", model_cache(leaks->model, first->cache)->name);
	else
		json_string(json, "kind", page_kind_text(first->kind));
	json_int(json, "part_of", (int64_t)group->container - 1);
	json_string(json, "verdict", verdict_text(first->verdict));
	json_string(json, "verdict_text", verdict_help(first->verdict));
	json_string(json, "ref", ref_kind_text(first->ref));
	json_int(json, "pages", (int64_t)group->nr_pages);
	json_int(json, "objects", first->object ? (int64_t)group->nr_items : 0);
	json_int(json, "references", (int64_t)group->nr_refs);
	json_int(json, "bytes", (int64_t)group->bytes);
	json_real(json, "first", time_seconds(group->first_time));
	json_real(json, "last", time_seconds(group->last_time));
	write_circumstances(json, leaks, group);
	json_string(json, "allocated_by", stack_table_function(leaks->stacks, first->alloc_stack));
	json_string(json, "acquired_by", stack_table_function(leaks->stacks, first->get_stack));
	json_stack(json, "allocation", leaks->stacks, first->alloc_stack);
	json_stack(json, "get", leaks->stacks, first->get_stack);
	write_missing(json, leaks, group);
	json_open(json, "items", '[');
	for (size_t i = 0; i < group->nr_items; i++)
		write_item(json, &leaks->items[group->items[i]]);
	json_close(json, ']');
	json_close(json, '}');
}

static void write_sum(struct json *json, const char *key, const struct leak_sum *sum)
{
	json_open(json, key, '{');
	json_int(json, "pages", (int64_t)sum->pages);
	json_int(json, "objects", (int64_t)sum->objects);
	json_int(json, "bytes", (int64_t)sum->bytes);
	json_close(json, '}');
}

/* What was asked for, and what that left out; null where everything was. */
static void write_query(struct json *json, const struct leaks *leaks)
{
	const struct leaks_query *query = leaks->query;
	const struct suppressions *list = query->suppressions;

	if (leaks->narrowed) {
		json_open(json, "asked_for", '{');
		json_open(json, "spans", '[');
		for (size_t i = 0; i < query->nr_spans; i++) {
			json_open(json, NULL, '{');
			json_real(json, "from", time_seconds(query->spans[i].from));
			json_real(json, "to", time_seconds(query->spans[i].to));
			json_close(json, '}');
		}
		json_close(json, ']');
		if (query->pid >= 0)
			json_int(json, "pid", query->pid);
		else
			json_null(json, "pid");
		json_string(json, "kind", query->kind);
		json_close(json, '}');
	} else {
		json_null(json, "asked_for");
	}
	write_sum(json, "left_out", &leaks->left_out);
	write_sum(json, "suppressed", &leaks->suppressed);
	json_open(json, "suppressions", '[');
	for (size_t i = 0; list && i < list->nr; i++) {
		json_open(json, NULL, '{');
		json_string(json, "pattern", list->list[i].pattern);
		json_int(json, "line", list->list[i].line);
		json_int(json, "pages", (int64_t)list->list[i].pages);
		json_int(json, "objects", (int64_t)list->list[i].objects);
		json_int(json, "bytes", (int64_t)list->list[i].bytes);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void write_growth(struct json *json, const struct leaks *leaks, const struct growth_item *item)
{
	size_t nr_tests;
	const struct test_mark *tests = model_tests(leaks->model, &nr_tests);

	json_open(json, NULL, '{');
	json_string(json, "what", item->objects ? "object" : "page");
	json_string(json, "cache", item->objects ? model_cache(leaks->model, item->cache)->name : NULL);
	json_bool(json, "together", item->together);
	json_int(json, "before", (int64_t)item->before);
	json_int(json, "live", (int64_t)item->after);
	json_string(json, "since", item->from_test < nr_tests ? tests[item->from_test].name : NULL);
	json_int(json, "tests", item->to_tests - item->from_test);
	json_int(json, "comparisons", item->comparisons);
	json_int(json, "tests_grown", item->rises);
	json_stack(json, "allocation", leaks->stacks, item->stack);
	json_close(json, '}');
}

const char *leaks_verdict(int status)
{
	static const char *const verdicts[] = {"no leaks", "leaked", "cannot tell"};

	return verdicts[status];
}

static uint64_t nr_faults(const struct ram_audit *audit)
{
	uint64_t sum = 0;

	for (int fault = 0; audit && fault < AUDIT_FAULTS; fault++)
		sum += audit->nr_by_fault[fault];
	return sum;
}

void leaks_print_json(const struct leaks *leaks, FILE *out)
{
	const struct model *model = leaks->model;
	struct json json;

	json_begin_command(&json, out, "leaks", leaks_verdict(leaks->status));
	json_bool(&json, "complete", run_complete(model_run(model)));
	json_string(&json, "panic", model_totals(model)->panic_time ? model_totals(model)->panic : NULL);
	json_int(&json, "events", (int64_t)model_totals(model)->nr_events);
	json_int(&json, "events_discarded", (int64_t)run_discarded(model_run(model)));
	json_bool(&json, "audited", leaks->audit != NULL);
	json_bool(&json, "audit_quiescent", leaks->audit_quiescent);
	json_int(&json, "pages", (int64_t)leaks->nr_pages);
	json_int(&json, "objects", (int64_t)leaks->nr_objects);
	json_int(&json, "bytes", (int64_t)leaks->bytes);
	json_int(&json, "other_findings", (int64_t)(leaks->nr_incidents + nr_faults(leaks->ram_audit)));
	json_int(&json, "unlisted_findings", (int64_t)leaks->unlisted);
	json_int(&json, "disproved_findings", (int64_t)leaks->nr_disproved);
	json_string(&json, "uncertain", leaks_uncertain(leaks));
	write_query(&json, leaks);
	json_open(&json, "groups", '[');
	for (size_t i = 0; i < leaks->nr_groups; i++)
		write_group(&json, leaks, &leaks->groups[i]);
	json_close(&json, ']');
	end_print_json(&json, leaks);
	json_open(&json, "findings", '[');
	for (size_t i = 0; i < leaks->nr_incidents; i++) {
		const struct trace_record *record = &leaks->incidents[i].record;
		const struct mispaired *mispaired = leaks->incidents[i].mispaired;
		json_open(&json, NULL, '{');
		json_string(&json, "verdict", verdict_text(record->kind));
		json_string(&json, "verdict_text", verdict_help(record->kind));
		json_string(&json, "what", record->flags ? "object" : "page");
		json_int(&json, "where", record->payload.ev_payload_finding.where);
		if (mispaired) {
			json_string(&json, "how", mispaired_text(mispaired->how));
			json_string(&json, "ref", ref_kind_text(mispaired->call.ref));
			json_int(&json, "holder", mispaired->call.holder);
			json_int(&json, "index", mispaired->call.index);
			json_int(&json, "times", (int64_t)mispaired->count);
			json_string(&json, "suspect", leaks->incidents[i].suspect);
			if (mispaired->left_stack)
				json_stack(&json, "left_open", leaks->stacks, mispaired->left_stack);
		}
		json_real(&json, "time", time_seconds(record->time));
		json_stack(&json, "stack", leaks->stacks, record->stack);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_open(&json, "candidates", '[');
	for (size_t i = 0; i < leaks->growth.nr; i++)
		write_growth(&json, leaks, &leaks->growth.items[i]);
	json_close(&json, ']');
	json_end(&json);
}
