/* SPDX-License-Identifier: MIT */
/* print: what several commands print: records, holders, times, the table of tests. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/util.h"
#include "print.h"

const char *time_text(uint64_t time, char buf[24])
{
	snprintf(buf, 24, "%" PRIu64 ".%07" PRIu64, time / 10000000, time % 10000000);
	return buf;
}

static uint64_t field_value(const struct trace_record *record, const struct field_info *field)
{
	const uint8_t *at = record->payload.bytes + field->offset;
	uint32_t word;
	uint16_t half;

	if (field->bytes == 2) {
		memcpy(&half, at, 2);
		return half;
	}
	memcpy(&word, at, 4);
	return word;
}

static void print_text_field(FILE *out, const struct trace_record *record, const struct field_info *field)
{
	const char *at = (const char *)record->payload.bytes + field->offset;

	for (size_t i = 0; i < field->bytes && at[i]; i++)
		fputc(at[i] >= 32 && at[i] < 127 ? at[i] : '?', out);
}

void print_record_fields(FILE *out, const struct trace_record *record)
{
	const struct event_info *event = event_info(record->event);
	const char *kind = event_kind_text(event, record->kind);

	if (event->flags == FLAGS_PAGE)
		fprintf(out, " %s order %u", page_kind_text(record_page_kind(record)), record_order(record));
	else if (event->flags == FLAGS_SUBJECT)
		fputs(record->flags ? " object" : " page", out);
	if (kind && kind[0])
		fprintf(out, " %s", kind);
	for (uint32_t i = 0; i < event->nr_fields; i++) {
		const struct field_info *field = &event->fields[i];
		fprintf(out, " %s ", field->name);
		if (field->text)
			print_text_field(out, record, field);
		else if (!strcmp(field->name, "pfn") || !strcmp(field->name, "where") ||
			 !strcmp(field->name, "obj"))
			fprintf(out, "0x%" PRIx64, field_value(record, field));
		else
			fprintf(out, "%" PRIu64, field_value(record, field));
	}
	if (record->stack)
		fprintf(out, " stack %u", record->stack);
}

void print_holder(FILE *out, const struct model *model, uint32_t ref, uint16_t holder, uint32_t index)
{
	const struct holder_life *life = model_holder(model, ref, holder);

	fprintf(out, "%s", ref_kind_text(ref));
	if (ref == REF_NONE || ref == REF_BOOT)
		return;
	if (!strcmp(ref_holder_text(ref), "cache") && model_cache(model, holder)->known)
		fprintf(out, " of cache %s", model_cache(model, holder)->name);
	else
		fprintf(out, " of %s %u", ref_holder_text(ref), holder);
	if (life && life->name[0])
		fprintf(out, " (%s)", life->name);
	if (ref == REF_TABLE)
		fprintf(out, ", level %u page 0x%x", index >> 27, index & 0x7ffffff);
	else if (ref == REF_PTE || ref == REF_FAULT)
		fprintf(out, ", page 0x%x", index);
	else if (ref_index_text(ref)[0] != '0')
		fprintf(out, ", %s %u", ref_index_text(ref), index);
}

void print_record_reference(FILE *out, const struct model *model, const struct trace_record *record)
{
	const struct trace_payload_page *event = &record->payload.ev_payload_page_alloc;

	if (record->event == EV_page_kind)
		fprintf(out, "now %s", page_kind_text(record->kind));
	else if (record->event == EV_page_write)
		fprintf(out, "at offset 0x%x", event->index);
	else if (event_is_about_page(record->event))
		fprintf(out, "at 0x%" PRIx64, (uint64_t)event->index << PAGE_SHIFT);
	else if (!model_run(model)->watched)
		print_holder(out, model, record->kind, event->holder, event->index);
}

void json_frame(struct json *json, const struct symbol_frame *frame)
{
	json_open(json, NULL, '{');
	json_string(json, "function", frame->function);
	json_string(json, "file", frame->file);
	json_int(json, "line", frame->line);
	json_bool(json, "inlined", frame->inlined);
	json_close(json, '}');
}

void json_stack(struct json *json, const char *key, struct stack_table *stacks, uint32_t id)
{
	const struct stack_view *view = stack_table_get(stacks, id);

	json_open(json, key, '[');
	for (uint32_t i = 0; i < view->nr; i++)
		json_frame(json, &view->frames[i]);
	json_close(json, ']');
}

/* ---- tests ---- */

/* Free pages at an instant of the replay, -1 where they are not known. */
static int64_t free_at(const struct model *model, int64_t net)
{
	return model_knows_free(model) ? net + model_free_offset(model) : -1;
}

const char *test_audit_text(const struct test_mark *test, char buf[40])
{
	uint32_t nr = test_mark_findings(test);

	if (!test->nr_audits)
		return "not audited";
	if (nr)
		snprintf(buf, 40, "%u finding%s", nr, plural_s(nr));
	else if (test->nr_findings)
		return "none of its own";
	else
		snprintf(buf, 40, "%s", test->quiescent ? "clean" : "clean (not quiescent)");
	return buf;
}

const char *tests_change(const struct model *model)
{
	return model_run(model)->watched ? "fewer" : "leaked";
}

/* A number, or "-". */
static void print_known(bool known, int64_t number, int width, FILE *out)
{
	if (known)
		fprintf(out, "%*" PRId64, width, number);
	else
		fprintf(out, "%*s", width, "-");
}

void tests_print(const struct model *model, FILE *out)
{
	int64_t leaked = 0;
	uint32_t findings = 0;
	char buf[40];

	size_t nr_tests;
	const struct test_mark *tests = model_tests(model, &nr_tests);
	if (!nr_tests) {
		fprintf(out, "no tests: there are no marks in the trace\n");
		return;
	}
	bool complete = run_complete(model_run(model));
	fprintf(out, "%-20s %10s %10s %6s  %-14s %9s\n", "test", "free before", "after", tests_change(model),
		"audit", "seconds");
	for (size_t i = 0; i < nr_tests; i++) {
		const struct test_mark *test = &tests[i];
		int64_t before = free_at(model, test->net_begin), after = free_at(model, test->net_after);
		leaked += test->end ? before - after : 0;
		/* an audit finds what leaked in earlier tests, too: the last one's number is that of all */
		if (test->nr_audits)
			findings = test->nr_findings;
		fprintf(out, "%-20s ", test->name);
		print_known(complete, before, 11, out);
		print_known(complete && test->end, after, 11, out);
		print_known(complete && test->end, before - after, 7, out);
		fprintf(out, "  %-14s ", test_audit_text(test, buf));
		if (test->end)
			fprintf(out, "%9.3f\n", time_seconds(test->end - test->begin));
		else
			fprintf(out, "%9s  never ended\n", "-");
	}
	if (complete)
		fprintf(out, "%zu test%s, %" PRId64 " page%s %s, %u finding%s\n", nr_tests,
			plural_s(nr_tests), leaked, plural_s(leaked), tests_change(model), findings,
			plural_s(findings));
	else
		fprintf(out, "%zu test%s, %u finding%s; events are missing, so pages are not known\n",
			nr_tests, plural_s(nr_tests), findings, plural_s(findings));
}

void tests_json(const struct model *model, struct json *json)
{
	json_open(json, "tests", '[');
	size_t nr_tests;
	const struct test_mark *tests = model_tests(model, &nr_tests);
	for (size_t i = 0; i < nr_tests; i++) {
		const struct test_mark *test = &tests[i];
		json_open(json, NULL, '{');
		json_string(json, "name", test->name);
		json_real(json, "begin", time_seconds(test->begin));
		json_real(json, "end", time_seconds(test->end));
		json_int(json, "free_before", free_at(model, test->net_begin));
		json_int(json, "free_after", free_at(model, test->net_after));
		json_int(json, "audits", test->nr_audits);
		json_int(json, "findings", test->nr_findings);
		json_bool(json, "quiescent", test->quiescent);
		json_close(json, '}');
	}
	json_close(json, ']');
}
