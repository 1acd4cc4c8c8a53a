/* SPDX-License-Identifier: MIT */
/*
 * batch_table: the table of many trees that `pagetrail batch` makes, as CSV and JSON; batch_text.c has it as text, batch_html.c as HTML.
 *
 *     tree   status      leaked     tests      suspect, or what is missing for a verdict
 *     alice  leaked      320 pages  passed     uvmcopy() at kernel/vm.c:312
 *     bob    no leaks    0          failed     test failed: test copyout: FAILED
 *     carol  no machine  -          not known  the command ended with status 2 before a machine started: vm.c:9:1: error: ...
 *
 * BATCH-1  a number is shown only where it is known: of a tree that was judged, or of what was found without a certain verdict
 *          ("possibly 3 pages").
 */
#ifndef TOOLS_REPORT_BATCH_TABLE_H
#define TOOLS_REPORT_BATCH_TABLE_H

#include <stdio.h>

#include "analysis/leaks.h"
#include "base/json.h"
#include "base/json_read.h"
#include "guest_tests.h"

enum batch_state {
	BATCH_NOT_RUN, /* it was not its turn before the end */
	BATCH_NO_LEAKS,
	BATCH_LEAKED,
	BATCH_BROKEN, /* findings that are no leaks: a double free, ... */
	BATCH_CANNOT_TELL,
	BATCH_TIMED_OUT,
	BATCH_NO_MACHINE, /* the command started none: it does not build, or has no such target */
	BATCH_NO_RUN,     /* there is none in this folder */
	BATCH_FAILED,     /* it could not be watched or read */
	BATCH_STATES,
};
const char *batch_state_text(enum batch_state state);

/* All strings are from the heap; NULL: there is nothing to say. */
struct batch_row {
	char *tree; /* its name in the table */
	char *path; /* of the tree, or of the run */
	enum batch_state state;
	bool counted, broken; /* pages and objects were counted; there are findings that are no leaks */
	uint64_t pages, objects, bytes;
	uint64_t suppressed_pages, suppressed_objects; /* by --suppressions; not among those */
	uint64_t nr_findings;                          /* things to mend */
	uint64_t largest; /* pages or objects of the one that the next four are about */
	char *suspect, *place;
	char *what, *evidence;
	char *reason;             /* why there is no verdict, or what else is to be known */
	struct guest_tests tests; /* of all its machines; no part of the status */
	char *output;             /* the file of all that was said */
	char **runs, **reports;
	size_t nr_runs, runs_capacity, nr_reports, reports_capacity;
	uint64_t seconds;
};

struct batch_table {
	struct batch_row *rows;
	size_t nr, capacity;
	const char *folder; /* absolute: where all files of the batch are */
};

/* STATUS_*, of a row and of all of them: a leak counts most, then what cannot be told. */
int batch_row_status(const struct batch_row *row);
int batch_table_status(const struct batch_table *table);
/* What was found in one run of the tree; may be called for several. */
void batch_row_add(struct batch_row *row, const struct leaks *leaks);
/* All is added: what became of the tree. */
void batch_row_close(struct batch_row *row, enum batch_state state);
bool batch_row_suppresses(const struct batch_row *row);
void batch_row_free(struct batch_row *row);

/* A row as an object, in a table or in a file of its own; and back: false when it is none. */
void batch_row_json(struct json *json, const char *key, const struct batch_row *row);
bool batch_row_read(struct batch_row *row, const struct json_value *value);

void batch_print_text(const struct batch_table *table, FILE *out);
void batch_print_csv(const struct batch_table *table, FILE *out);
void batch_print_json(const struct batch_table *table, FILE *out);
/* One file beside the folders of the trees, with links to what is in them. */
void batch_print_html(const struct batch_table *table, FILE *out);

/* ---- the cells, of text and HTML alike; caller frees ---- */

/* "320 pages", "possibly 3 pages", "0", "-" */
char *batch_amount_text(const struct batch_row *row);
/* "uvmcopy() at kernel/vm.c:312, and 2 more findings", or what is missing; which line says that tests failed; "" */
char *batch_details_text(const struct batch_row *row);
/* "20 trees: 7 leaked, 8 no leaks, 5 timed out" */
char *batch_summary_text(const struct batch_table *table);
/* "tests: 12 passed, 3 failed, 5 not known" */
char *batch_tests_text(const struct batch_table *table);

#endif
