/* SPDX-License-Identifier: MIT */
/* print: what several reports print: records, holders, times, stacks as JSON, the table of tests. */
#ifndef TOOLS_REPORT_PRINT_H
#define TOOLS_REPORT_PRINT_H

#include <stdio.h>

#include "base/json.h"
#include "replay/model.h"
#include "target/stack_table.h"

/* Text of a record's particulars ("pfn 0x80f12 order 0 ..."), without time and name. */
void print_record_fields(FILE *out, const struct trace_record *record);
/* "1.234567" seconds. */
const char *time_text(uint64_t time, char buf[24]);
/* "pid 7 (usertests)": what holds a reference. */
void print_holder(FILE *out, const struct model *model, uint32_t ref, uint16_t holder, uint32_t index);
/*
 * The reference that a page's record is about, with its holder; of a page-table entry its virtual address. Nothing in a watched run
 * else: there references have no names.
 */
void print_record_reference(FILE *out, const struct model *model, const struct trace_record *record);

void json_frame(struct json *json, const struct symbol_frame *frame);
/* The frames of a stack, innermost first, as an array. */
void json_stack(struct json *json, const char *key, struct stack_table *stacks, uint32_t id);

/*
 * What it means that fewer pages are free after a test than before: "leaked". In a watched run nothing waits for quiet between two
 * tests, so it is only "fewer".
 */
/* What the audits of a test say: "3 findings" of its own, "none of its own" where earlier ones are left, "clean", "not audited". */
const char *test_audit_text(const struct test_mark *test, char buf[40]);
const char *tests_change(const struct model *model);
/* One line a test: free pages before and after, lost, what the audit said. */
void tests_print(const struct model *model, FILE *out);
void tests_json(const struct model *model, struct json *json);

#endif
