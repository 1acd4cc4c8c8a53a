/* SPDX-License-Identifier: MIT */
/* batch_table: rows, cells, and the table as CSV and JSON. See batch_table.h. */
#include "batch_table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "found.h"
#include "leaks_text.h"

static const char *const state_texts[BATCH_STATES] = {
    [BATCH_NOT_RUN] = "not run",       [BATCH_NO_LEAKS] = "no leaks",       [BATCH_LEAKED] = "leaked",
    [BATCH_BROKEN] = "broken",         [BATCH_CANNOT_TELL] = "cannot tell", [BATCH_TIMED_OUT] = "timed out",
    [BATCH_NO_MACHINE] = "no machine", [BATCH_NO_RUN] = "no run",           [BATCH_FAILED] = "failed",
};

const char *batch_state_text(enum batch_state state)
{
	return state_texts[state];
}

int batch_row_status(const struct batch_row *row)
{
	if (row->state == BATCH_LEAKED || row->state == BATCH_BROKEN)
		return STATUS_LEAKED;
	return row->state == BATCH_NO_LEAKS ? STATUS_OK : STATUS_CANNOT_TELL;
}

int batch_table_status(const struct batch_table *table)
{
	int status = table->nr ? STATUS_OK : STATUS_CANNOT_TELL;

	for (size_t i = 0; i < table->nr; i++)
		status = status_worse(status, batch_row_status(&table->rows[i]));
	return status;
}

/* ---- what was found ---- */

static void set_text(char **where, const char *text)
{
	free(*where);
	*where = text && *text ? xstrdup(text) : NULL;
}

/* The row's words are those of the largest of all findings. */
static void add_found(struct batch_row *row, const struct leaks *leaks, const struct found *found)
{
	uint64_t amount = found->nr_pages + found->nr_objects;

	row->nr_findings++;
	if (row->what && amount <= row->largest)
		return;
	row->largest = amount;
	set_text(&row->what, found->sentence);
	set_text(&row->evidence, found->evidence);
	set_text(&row->suspect, found->has_suspect ? leaks->groups[found->group].missing.suspect : NULL);
	free(row->place);
	row->place = found->place.file && found->place.line
			 ? xasprintf("%s:%" PRIu32, found->place.file, found->place.line)
			 : NULL;
}

static void add_audit_faults(struct batch_row *row, const struct ram_audit *audit)
{
	for (int fault = 0; audit && fault < AUDIT_FAULTS; fault++) {
		if (!audit->nr_by_fault[fault])
			continue;
		row->broken = true;
		row->nr_findings++;
		if (!row->what)
			row->what = xasprintf("%s: %" PRIu64 " time%s", audit_fault_text(fault),
					      audit->nr_by_fault[fault], plural_s(audit->nr_by_fault[fault]));
	}
}

void batch_row_add(struct batch_row *row, const struct leaks *leaks)
{
	struct found_list list = found_list_make(leaks);

	for (size_t i = 0; i < list.nr; i++)
		add_found(row, leaks, &list.all[i]);
	found_list_free(&list);
	row->broken = row->broken || leaks->nr_incidents;
	add_audit_faults(row, leaks->ram_audit);
	row->pages += leaks->nr_pages;
	row->objects += leaks->nr_objects;
	row->bytes += leaks->bytes;
	row->suppressed_pages += leaks->suppressed.pages;
	row->suppressed_objects += leaks->suppressed.objects;
	row->counted = row->counted || leaks->status != STATUS_CANNOT_TELL || leaks->nr_items;
	if (leaks->status == STATUS_CANNOT_TELL)
		set_text(&row->reason, leaks_uncertain(leaks));
}

void batch_row_close(struct batch_row *row, enum batch_state state)
{
	row->state = state;
	/* Nothing was found, and nothing is certain: that is no count. */
	if (batch_row_status(row) == STATUS_CANNOT_TELL && !row->pages && !row->objects)
		row->counted = false;
}

static void free_list(char **list, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		free(list[i]);
	free(list);
}

void batch_row_free(struct batch_row *row)
{
	char *const texts[] = {row->tree, row->path,     row->suspect, row->place,
			       row->what, row->evidence, row->reason,  row->output};

	free_list(row->runs, row->nr_runs);
	free_list(row->reports, row->nr_reports);
	guest_tests_free(&row->tests);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		free(texts[i]);
	*row = (struct batch_row){0};
}

/* ---- cells ---- */

/* Caller frees. */
static char *pages_and_objects(uint64_t pages, uint64_t objects)
{
	if (!objects)
		return xasprintf("%" PRIu64 " page%s", pages, plural_s(pages));
	return xasprintf("%" PRIu64 " page%s, %" PRIu64 " object%s", pages, plural_s(pages), objects,
			 plural_s(objects));
}

static char *leaked_text(const struct batch_row *row)
{
	const char *perhaps = batch_row_status(row) == STATUS_CANNOT_TELL ? "possibly " : "";

	if (!row->counted)
		return xstrdup("-");
	if (!row->pages && !row->objects)
		return xstrdup("0");
	char *amount = pages_and_objects(row->pages, row->objects),
	     *text = xasprintf("%s%s", perhaps, amount);
	free(amount);
	return text;
}

bool batch_row_suppresses(const struct batch_row *row)
{
	return row->suppressed_pages || row->suppressed_objects;
}

char *batch_amount_text(const struct batch_row *row)
{
	char *leaked = leaked_text(row);

	if (!batch_row_suppresses(row))
		return leaked;
	char *suppressed = pages_and_objects(row->suppressed_pages, row->suppressed_objects),
	     *text = xasprintf("%s (and suppressed: %s)", leaked, suppressed);
	free(leaked);
	free(suppressed);
	return text;
}

static char *suspect_text(const struct batch_row *row)
{
	char more[48] = "";

	if (row->nr_findings > 1)
		snprintf(more, sizeof(more), ", and %" PRIu64 " more finding%s", row->nr_findings - 1,
			 row->nr_findings == 2 ? "" : "s");
	if (!row->suspect)
		return xasprintf("no suspect is named: %s%s", row->what, more);
	return xasprintf("%s()%s%s%s", row->suspect, row->place ? " at " : "", row->place ? row->place : "",
			 more);
}

char *batch_details_text(const struct batch_row *row)
{
	bool failed = row->tests.end == GUEST_TESTS_FAILED;
	char *suspect = row->what ? suspect_text(row) : NULL,
	     *tests = failed ? xasprintf("tests failed: %.60s%s", row->tests.line,
					 strlen(row->tests.line) > 60 ? "..." : "")
			     : NULL;
	const char *const parts[] = {suspect, row->reason, tests};
	struct text_buffer buffer;
	FILE *out = text_begin(&buffer);
	const char *between = "";

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (!parts[i])
			continue;
		fprintf(out, "%s%s", between, parts[i]);
		between = "; ";
	}
	free(suspect);
	free(tests);
	return text_end(&buffer);
}

char *batch_tests_text(const struct batch_table *table)
{
	static const enum guest_tests_end order[] = {GUEST_TESTS_PASSED, GUEST_TESTS_FAILED,
						     GUEST_TESTS_UNKNOWN};
	struct text_buffer buffer;
	FILE *out = text_begin(&buffer);
	const char *between = "tests: ";

	for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
		size_t nr = 0;
		for (size_t i = 0; i < table->nr; i++)
			nr += table->rows[i].tests.end == order[k];
		if (!nr)
			continue;
		fprintf(out, "%s%zu %s", between, nr, guest_tests_text(order[k]));
		between = ", ";
	}
	return text_end(&buffer);
}

char *batch_summary_text(const struct batch_table *table)
{
	char *text = xasprintf("%zu tree%s", table->nr, plural_s(table->nr));
	static const enum batch_state order[] = {BATCH_LEAKED,      BATCH_BROKEN,    BATCH_NO_LEAKS,
						 BATCH_CANNOT_TELL, BATCH_TIMED_OUT, BATCH_NO_MACHINE,
						 BATCH_NO_RUN,      BATCH_FAILED,    BATCH_NOT_RUN};
	const char *comma = ": ";

	for (size_t s = 0; s < sizeof(order) / sizeof(order[0]); s++) {
		size_t nr = 0;
		for (size_t i = 0; i < table->nr; i++)
			nr += table->rows[i].state == order[s];
		if (!nr)
			continue;
		char *more = xasprintf("%s%s%zu %s", text, comma, nr, state_texts[order[s]]);
		free(text);
		text = more;
		comma = ", ";
	}
	return text;
}

/* ---- CSV ---- */

static void csv_count(FILE *out, bool known, uint64_t count)
{
	fputc(',', out);
	if (known)
		fprintf(out, "%" PRIu64, count);
}

void batch_print_csv(const struct batch_table *table, FILE *out)
{
	fputs("tree,status,verdict,pages,objects,bytes,suspect,place,what,evidence,reason,seconds,path,"
	      "run,report,output,suppressed_pages,suppressed_objects,tests,tests_line\r\n",
	      out);
	for (size_t i = 0; i < table->nr; i++) {
		const struct batch_row *row = &table->rows[i];
		const char *const before[] = {row->tree, batch_state_text(row->state),
					      leaks_verdict(batch_row_status(row))};
		const char *const words[] = {row->suspect, row->place, row->what, row->evidence, row->reason},
				  *const files[] = {row->path, row->nr_runs ? row->runs[0] : NULL,
						    row->nr_reports ? row->reports[0] : NULL, row->output};
		for (size_t k = 0; k < sizeof(before) / sizeof(before[0]); k++) {
			fputs(k ? "," : "", out);
			csv_name(out, before[k]);
		}
		csv_count(out, row->counted, row->pages);
		csv_count(out, row->counted, row->objects);
		csv_count(out, row->counted, row->bytes);
		for (size_t k = 0; k < sizeof(words) / sizeof(words[0]); k++) {
			fputc(',', out);
			csv_name(out, words[k]);
		}
		csv_count(out, row->state != BATCH_NOT_RUN, row->seconds);
		for (size_t k = 0; k < sizeof(files) / sizeof(files[0]); k++) {
			fputc(',', out);
			csv_name(out, files[k]);
		}
		csv_count(out, true, row->suppressed_pages);
		csv_count(out, true, row->suppressed_objects);
		fprintf(out, ",%s,", guest_tests_text(row->tests.end));
		csv_name(out, row->tests.line);
		fputs("\r\n", out);
	}
}

/* ---- JSON ---- */

static void json_count(struct json *json, const char *key, bool known, uint64_t count)
{
	if (known)
		json_int(json, key, (int64_t)count);
	else
		json_null(json, key);
}

static void json_strings(struct json *json, const char *key, char *const *list, size_t nr)
{
	json_open(json, key, '[');
	for (size_t i = 0; i < nr; i++)
		json_string(json, NULL, list[i]);
	json_close(json, ']');
}

void batch_row_json(struct json *json, const char *key, const struct batch_row *row)
{
	json_open(json, key, '{');
	json_string(json, "tree", row->tree);
	json_string(json, "path", row->path);
	json_string(json, "status", batch_state_text(row->state));
	json_string(json, "verdict", leaks_verdict(batch_row_status(row)));
	json_count(json, "pages", row->counted, row->pages);
	json_count(json, "objects", row->counted, row->objects);
	json_count(json, "bytes", row->counted, row->bytes);
	json_int(json, "suppressed_pages", (int64_t)row->suppressed_pages);
	json_int(json, "suppressed_objects", (int64_t)row->suppressed_objects);
	json_int(json, "findings", (int64_t)row->nr_findings);
	json_string(json, "suspect", row->suspect);
	json_string(json, "place", row->place);
	json_string(json, "what", row->what);
	json_string(json, "evidence", row->evidence);
	json_string(json, "reason", row->reason);
	json_string(json, "tests", guest_tests_text(row->tests.end));
	json_string(json, "tests_line", row->tests.line);
	json_int(json, "seconds", (int64_t)row->seconds);
	json_string(json, "output", row->output);
	json_strings(json, "runs", row->runs, row->nr_runs);
	json_strings(json, "reports", row->reports, row->nr_reports);
	json_close(json, '}');
}

static void read_strings(char ***list, size_t *nr, size_t *capacity, const struct json_value *array)
{
	for (const struct json_value *one = array ? array->first : NULL; one; one = one->next) {
		if (one->type == JSON_STRING)
			ARRAY_PUSH(*list, *nr, *capacity) = xstrdup(one->text);
	}
}

static void read_tests(struct guest_tests *tests, const struct json_value *value)
{
	const char *text = json_get_string(value, "tests"), *line = json_get_string(value, "tests_line");

	for (enum guest_tests_end end = 0; text && end < GUEST_TESTS_ENDS; end++) {
		if (!strcmp(text, guest_tests_text(end)))
			tests->end = end;
	}
	/* Passed and failed are what a line says: without it, nothing is known. */
	if (!line)
		tests->end = GUEST_TESTS_UNKNOWN;
	set_text(&tests->line, tests->end == GUEST_TESTS_UNKNOWN ? NULL : line);
}

bool batch_row_read(struct batch_row *row, const struct json_value *value)
{
	const char *state = json_get_string(value, "status");
	const struct json_value *pages = json_get(value, "pages");
	char **const texts[] = {&row->tree, &row->path,     &row->suspect, &row->place,
				&row->what, &row->evidence, &row->reason,  &row->output};
	static const char *const keys[] = {"tree", "path",     "suspect", "place",
					   "what", "evidence", "reason",  "output"};

	*row = (struct batch_row){0};
	while (row->state < BATCH_STATES && (!state || strcmp(state, state_texts[row->state])))
		row->state++;
	if (row->state == BATCH_STATES || !json_get_string(value, "tree") || !json_get_string(value, "path"))
		return false;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		set_text(texts[i], json_get_string(value, keys[i]));
	row->counted = pages && pages->type == JSON_NUMBER;
	row->pages = json_get_number(value, "pages", 0);
	row->objects = json_get_number(value, "objects", 0);
	row->bytes = json_get_number(value, "bytes", 0);
	row->suppressed_pages = json_get_number(value, "suppressed_pages", 0);
	row->suppressed_objects = json_get_number(value, "suppressed_objects", 0);
	row->nr_findings = json_get_number(value, "findings", 0);
	row->seconds = json_get_number(value, "seconds", 0);
	read_tests(&row->tests, value);
	read_strings(&row->runs, &row->nr_runs, &row->runs_capacity, json_get(value, "runs"));
	read_strings(&row->reports, &row->nr_reports, &row->reports_capacity, json_get(value, "reports"));
	return true;
}

void batch_print_json(const struct batch_table *table, FILE *out)
{
	struct json json;

	json_begin_command(&json, out, "batch", leaks_verdict(batch_table_status(table)));
	json_string(&json, "folder", table->folder);
	json_open(&json, "trees", '[');
	for (size_t i = 0; i < table->nr; i++)
		batch_row_json(&json, NULL, &table->rows[i]);
	json_close(&json, ']');
	json_end(&json);
}
