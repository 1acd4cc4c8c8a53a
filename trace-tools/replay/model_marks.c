/* SPDX-License-Identifier: MIT */
/*
 * model_marks: tests, samples, findings, audits. See model.h.
 */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "model_priv.h"

#define INCIDENTS_MAX 256

struct test_mark test_mark_begin(const struct trace_record *record)
{
	struct test_mark test = {.begin = record->time, .quiescent = true};

	copy_name(test.name, record->payload.ev_payload_mark.name, 16);
	return test;
}

static void open_test(struct model *model)
{
	if (model->nr_open == OPEN_TESTS_MAX)
		memmove(model->open_tests, model->open_tests + 1,
			--model->nr_open * sizeof(*model->open_tests));
	model->open_tests[model->nr_open++] = model->nr_tests - 1;
}

/*
 * The test of that name which began last and is open; NULL: none is. A test inside another ends before it; where one ends
 * before a later one that is still open, both run at the same time.
 */
static struct test_mark *close_test(struct model *model, const char *name)
{
	for (unsigned i = model->nr_open; i--;) {
		struct test_mark *test = &model->tests[model->open_tests[i]];
		if (strcmp(test->name, name) != 0)
			continue;
		model->samples.overlap |= i + 1 < model->nr_open;
		model->nr_open--;
		memmove(model->open_tests + i, model->open_tests + i + 1,
			(model->nr_open - i) * sizeof(*model->open_tests));
		return test;
	}
	return NULL;
}

void mark_apply(struct model *model, const struct trace_record *record)
{
	struct test_mark mark = test_mark_begin(record);

	if (record->kind == 0) {
		samples_test(&model->samples, model->sites);
		mark.net_begin = mark.net_after = model->totals.net_pages;
		if (model->last.done)
			mark.nr_findings_before = model->last.record.payload.ev_payload_audit_done.findings;
		ARRAY_PUSH(model->tests, model->nr_tests, model->tests_capacity) = mark;
		open_test(model);
		return;
	}
	samples_tail(&model->samples, model->sites);
	struct test_mark *test = close_test(model, mark.name);
	if (!test)
		return;
	test->end = record->time;
	test->net_end = test->net_after = model->totals.net_pages;
	test->nr_audits = test->nr_findings = 0; /* those that the test itself asked for */
}

void sample_apply(struct model *model, const struct trace_record *record)
{
	int64_t free_pages = record->payload.ev_payload_sample.free_pages;

	model->totals.nr_samples++;
	model->totals.last_sample = free_pages;
	if (!model->totals.sampled) {
		model->totals.sampled = true;
		model->totals.sample_offset = free_pages - model->totals.net_pages;
		return;
	}
	int64_t difference = free_pages - (model->totals.net_pages + model->totals.sample_offset);
	if (llabs(difference) > llabs(model->totals.sample_worst))
		model->totals.sample_worst = difference;
}

void finding_apply(struct model *model, const struct trace_record *record)
{
	if (!verdict_is_leak(record->kind) && record->kind != VERDICT_PARKED &&
	    model->nr_incidents < INCIDENTS_MAX)
		ARRAY_PUSH(model->incidents, model->nr_incidents, model->incidents_capacity) = *record;
	ARRAY_PUSH(model->pending.findings, model->pending.nr_findings, model->pending.capacity) = *record;
}

/* Its index is the offset in the page; count and claims are the low 16 bits before and after. */
void write_apply(struct model *model, const struct trace_record *record)
{
	const struct trace_payload_page *page = &record->payload.ev_payload_page_write;
	struct trace_record finding = *record;

	finding.event = EV_finding;
	finding.kind = VERDICT_POISON;
	finding.flags = 0;
	finding.payload.ev_payload_finding = (struct trace_payload_finding){.where = page->pfn,
									    .index = page->index,
									    .count = page->before,
									    .claims = page->after,
									    .pid = page->pid};
	if (model->nr_incidents < INCIDENTS_MAX)
		ARRAY_PUSH(model->incidents, model->nr_incidents, model->incidents_capacity) = finding;
}

static void audit_copy(struct audit_state *to, const struct audit_state *from)
{
	free(to->findings);
	*to = *from;
	to->capacity = from->nr_findings;
	to->findings = xcalloc(from->nr_findings, sizeof(*from->findings));
	if (from->nr_findings)
		memcpy(to->findings, from->findings, from->nr_findings * sizeof(*from->findings));
}

void audit_apply(struct model *model, const struct trace_record *record)
{
	struct audit_state *audit = &model->pending;

	audit->done = true;
	audit->time = record->time;
	audit->record = *record;
	audit_copy(&model->last, audit);
	if (record->payload.ev_payload_audit_done.quiet)
		audit_copy(&model->last_quiescent, audit);
	if (model->nr_tests && !model->ended) {
		struct test_mark *test = &model->tests[model->nr_tests - 1];
		if (test->end && !test->nr_audits) {
			test->net_after = model->totals.net_pages;
			samples_tail(&model->samples, model->sites);
		}
		test->nr_audits++;
		test->nr_findings = record->payload.ev_payload_audit_done.findings;
		test->quiescent = record->payload.ev_payload_audit_done.quiet != 0;
	}
	audit->nr_findings = 0;
	audit->done = false;
}

void model_take_audit(struct model *model, const struct trace_record *findings, size_t nr, uint32_t nr_pages,
		      bool quiescent)
{
	struct trace_record done = {.event = EV_audit_done, .time = model->totals.last_time};

	model->ended = true; /* it is of the whole run, not of its last test */
	for (size_t i = 0; i < nr; i++)
		finding_apply(model, &findings[i]);
	done.payload.ev_payload_audit_done.pages = nr_pages;
	done.payload.ev_payload_audit_done.findings = (uint32_t)nr;
	done.payload.ev_payload_audit_done.quiet = quiescent;
	audit_apply(model, &done);
}
