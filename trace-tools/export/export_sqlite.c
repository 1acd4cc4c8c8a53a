/* SPDX-License-Identifier: MIT */
/*
 * export_sqlite: the run as a data base. See export.h.
 *
 *   meta      key, value
 *   stacks    id, function (who asked for the page)
 *   frames    stack, depth (0: innermost), function, file, line, inlined
 *   events    time_ns, hart, event, subject, page_order, kind, stack, and one column a field of any event
 *   tests     name, begin_ns, end_ns (NULL: never ended), free_before, free_after, findings
 *   findings  one row for each page or object lost, with its group and the function suspected; then one for each
 *             finding of another kind (group NULL)
 */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/progress.h"
#include "base/text.h"
#include "base/util.h"
#include "ctf/merge.h"
#include "export.h"

#define TICK_NS 100ULL

struct table {
	sqlite3 *db;
	sqlite3_stmt *row;
	int column;
	char *error; /* the first one; nothing is written after it */
};

static void note_error(struct table *table)
{
	if (!table->error)
		table->error = xstrdup(table->db ? sqlite3_errmsg(table->db) : "out of memory");
}

static void execute(struct table *table, const char *sql)
{
	if (!table->error && sqlite3_exec(table->db, sql, NULL, NULL, NULL))
		note_error(table);
}

/* Makes a table and begins to insert into it; columns as in CREATE TABLE. */
static void table_begin(struct table *table, const char *name, const char *columns, uint32_t nr_columns)
{
	char *create = xasprintf("CREATE TABLE %s (%s)", name, columns);
	struct text_buffer buffer;
	FILE *text = text_begin(&buffer);

	execute(table, create);
	free(create);
	fprintf(text, "INSERT INTO %s VALUES (", name);
	for (uint32_t i = 0; i < nr_columns; i++)
		fputs(i ? ",?" : "?", text);
	fputc(')', text);
	char *insert = text_end(&buffer);
	sqlite3_finalize(table->row);
	table->row = NULL;
	table->column = 0;
	if (!table->error && sqlite3_prepare_v2(table->db, insert, -1, &table->row, NULL))
		note_error(table);
	free(insert);
}

static void put_int(struct table *table, int64_t value)
{
	if (!table->error)
		sqlite3_bind_int64(table->row, ++table->column, value);
}

/* NULL gives NULL. The text must stay until row_end. */
static void put_text(struct table *table, const char *text)
{
	if (!table->error && text)
		sqlite3_bind_text(table->row, ++table->column, text, -1, SQLITE_STATIC);
	else
		table->column++;
}

static void put_null(struct table *table)
{
	table->column++;
}

static void row_end(struct table *table)
{
	table->column = 0;
	if (table->error)
		return;
	if (sqlite3_step(table->row) != SQLITE_DONE)
		note_error(table);
	sqlite3_reset(table->row);
	sqlite3_clear_bindings(table->row);
}

/* ---- tables ---- */

static void write_meta(struct table *table, const struct run *run)
{
	table_begin(table, "meta", "key TEXT PRIMARY KEY, value", 2);
	put_text(table, "format");
	put_int(table, 1);
	row_end(table);
	put_text(table, "complete");
	put_int(table, run_complete(run));
	row_end(table);
	put_text(table, "events_discarded");
	put_int(table, (int64_t)run_discarded(run));
	row_end(table);
}

static void write_stacks(struct table *table, struct stack_table *stacks, uint32_t nr_stacks)
{
	table_begin(table, "stacks", "id INTEGER PRIMARY KEY, function TEXT", 2);
	for (uint32_t id = 1; id <= nr_stacks; id++) {
		put_int(table, id);
		put_text(table, stack_table_function(stacks, id));
		row_end(table);
	}
	table_begin(table, "frames",
		    "stack INTEGER, depth INTEGER, function TEXT, file TEXT, line INTEGER, inlined INTEGER",
		    6);
	for (uint32_t id = 1; id <= nr_stacks; id++) {
		const struct stack_view *view = stack_table_get(stacks, id);
		for (uint32_t i = 0; i < view->nr; i++) {
			put_int(table, id);
			put_int(table, i);
			put_text(table, view->frames[i].function);
			put_text(table, view->frames[i].file);
			if (view->frames[i].line)
				put_int(table, view->frames[i].line);
			else
				put_null(table);
			put_int(table, view->frames[i].inlined);
			row_end(table);
		}
	}
}

#define EVENT_COLUMNS 7

static void put_event(struct table *table, const struct columns *columns, const struct trace_record *record,
		      uint32_t hart)
{
	const struct event_info *event = event_info(record->event);
	char texts[FIELDS_MAX][17];

	put_int(table, (int64_t)(record->time * TICK_NS));
	put_int(table, hart);
	put_text(table, event->name);
	put_text(table, event->flags == FLAGS_PAGE      ? page_kind_text(record_page_kind(record))
			: event->flags != FLAGS_SUBJECT ? NULL
			: record->flags                 ? "object"
							: "page");
	if (event->flags == FLAGS_PAGE)
		put_int(table, record_order(record));
	else
		put_null(table);
	put_text(table, event_kind_text(event, record->kind));
	if (record->stack)
		put_int(table, record->stack);
	for (uint32_t i = 0; i < event->nr_fields; i++) {
		uint64_t value = column_value(record, &event->fields[i], texts[i]);
		table->column = EVENT_COLUMNS + columns->column_of[record->event][i];
		if (event->fields[i].text)
			put_text(table, texts[i]);
		else
			put_int(table, (int64_t)value);
	}
	row_end(table);
}

static void write_events(struct table *table, struct run *run)
{
	const struct trace_record *records;
	struct columns columns;
	struct merge merge;
	uint32_t stream;
	size_t nr;
	struct text_buffer buffer;
	FILE *out = text_begin(&buffer);

	columns_make(&columns);
	fputs("time_ns INTEGER, hart INTEGER, event TEXT, subject TEXT, page_order INTEGER, kind TEXT, stack "
	      "INTEGER",
	      out);
	for (uint32_t i = 0; i < columns.nr; i++)
		fprintf(out, ", \"%s\" %s", columns.names[i], columns.text[i] ? "TEXT" : "INTEGER");
	char *text = text_end(&buffer);
	table_begin(table, "events", text, EVENT_COLUMNS + columns.nr);
	free(text);
	progress_name("writing events");
	merge_begin(&merge, run, NULL, NULL);
	while (!table->error && (nr = merge_batch(&merge, &records, &stream)) != 0) {
		for (size_t i = 0; i < nr; i++)
			put_event(table, &columns, &records[i], run->streams[stream].hart);
	}
}

static void write_tests(struct table *table, const struct model *model)
{
	int64_t offset = model_free_offset(model);

	table_begin(table, "tests",
		    "name TEXT, begin_ns INTEGER, end_ns INTEGER, free_before INTEGER, free_after INTEGER, "
		    "findings INTEGER",
		    6);
	size_t nr_tests;
	const struct test_mark *tests = model_tests(model, &nr_tests);
	for (size_t i = 0; i < nr_tests; i++) {
		const struct test_mark *test = &tests[i];
		put_text(table, test->name);
		put_int(table, (int64_t)(test->begin * TICK_NS));
		if (test->end)
			put_int(table, (int64_t)(test->end * TICK_NS));
		else
			put_null(table);
		put_int(table, test->net_begin + offset);
		put_int(table, test->net_after + offset);
		put_int(table, test->nr_findings);
		row_end(table);
	}
}

static void put_item(struct table *table, const struct leaks *leaks, size_t group,
		     const struct leak_item *item)
{
	put_int(table, (int64_t)group + 1);
	put_text(table, item->object ? "object" : "page");
	put_text(table, verdict_text(item->verdict));
	put_text(table,
		 item->object ? model_cache(leaks->model, item->cache)->name : page_kind_text(item->kind));
	put_int(table, item->object ? item->where * 8LL : item->where);
	put_text(table, ref_kind_text(item->ref));
	put_int(table, item->holder);
	put_int(table, item->index);
	put_int(table, (int64_t)(item->get_time * TICK_NS));
	put_int(table, item->get_pid);
	put_int(table, item->alloc_stack);
	put_int(table, item->get_stack);
	put_int(table, item->by_audit);
	put_int(table, item->by_trace);
	put_text(table, leaks->groups[group].missing.suspect);
	row_end(table);
}

static void write_findings(struct table *table, const struct leaks *leaks)
{
	table_begin(table, "findings",
		    "leak_group INTEGER, what TEXT, verdict TEXT, kind TEXT, place INTEGER, ref TEXT, "
		    "holder INTEGER, \"index\" INTEGER, time_ns INTEGER, pid INTEGER, alloc_stack INTEGER, "
		    "get_stack INTEGER, by_audit INTEGER, by_trace INTEGER, suspect TEXT",
		    15);
	for (size_t g = 0; g < leaks->nr_groups; g++) {
		for (size_t i = 0; i < leaks->groups[g].nr_items; i++)
			put_item(table, leaks, g, &leaks->items[leaks->groups[g].items[i]]);
	}
	for (size_t i = 0; i < leaks->nr_incidents; i++) {
		const struct trace_record *record = &leaks->incidents[i].record;
		const struct mispaired *mispaired = leaks->incidents[i].mispaired;
		const struct trace_payload_finding *finding = &record->payload.ev_payload_finding;
		put_null(table);
		put_text(table, record->flags ? "object" : "page");
		put_text(table, verdict_text(record->kind));
		put_null(table);
		put_int(table, record->flags ? finding->where * 8LL : finding->where);
		if (mispaired)
			put_text(table, ref_kind_text(mispaired->call.ref));
		else
			put_null(table);
		put_int(table, finding->holder);
		put_int(table, finding->index);
		put_int(table, (int64_t)(record->time * TICK_NS));
		put_int(table, finding->pid);
		put_null(table);
		put_int(table, record->stack);
		put_int(table, !mispaired);
		put_int(table, mispaired != NULL);
		row_end(table);
	}
}

char *export_sqlite(struct run *run, struct leaks *leaks, const char *path)
{
	struct table table = {0};

	if (sqlite3_open_v2(path, &table.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL))
		note_error(&table);
	/* Nobody else reads it until it is whole, and a half one is thrown away: no journal is needed. */
	execute(&table, "PRAGMA journal_mode = OFF");
	execute(&table, "PRAGMA synchronous = OFF");
	execute(&table, "BEGIN");
	write_meta(&table, run);
	write_stacks(&table, leaks->stacks, run->nr_stacks);
	write_events(&table, run);
	write_tests(&table, leaks->model);
	write_findings(&table, leaks);
	progress_name("making the index of pages");
	progress_show(0, 0);
	execute(&table, "CREATE INDEX frames_by_stack ON frames (stack, depth)");
	execute(&table, "CREATE INDEX events_by_pfn ON events (pfn) WHERE pfn IS NOT NULL");
	execute(&table, "COMMIT");
	sqlite3_finalize(table.row);
	sqlite3_close(table.db);
	progress_erase();
	return table.error;
}
