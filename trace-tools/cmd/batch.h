/* SPDX-License-Identifier: MIT */
/*
 * batch: many trees, one table. batch.c has the command and its list of trees, batch_jobs.c runs so many at a time, batch_tree.c
 * is the process that does one tree.
 *
 *     OUT/batch.json                   the command; that OUT is a batch's
 *     OUT/trees/TREE/output.txt        all that was said: by the command, by the kernel, by us
 *     OUT/trees/TREE/run, run-2, ...   the run folders of its machines
 *     OUT/trees/TREE/report.html, ...  with --html, a report of each
 *     OUT/trees/TREE/result.json       its row
 *     OUT/index.html                   with --html, the table
 *
 * A tree is done in a process of its own, so that a run that cannot be read, or an error of ours, costs one row.
 *
 * BATCH-2  result.json is there whole, and only once the tree is done: so an interrupted batch knows what is left.
 * BATCH-3  when a tree is done, nothing that its command started still runs.
 */
#ifndef CMD_BATCH_H
#define CMD_BATCH_H

#include "command.h"
#include "report/batch_table.h"

#define BATCH_RESULT "result.json"
#define BATCH_OUTPUT "output.txt"

struct batch {
	const struct arguments *arguments;
	char *out;           /* absolute */
	const char *command; /* of --watch; NULL: runs are read that are there */
	struct batch_table table;
	uint64_t jobs;
	bool interrupted;
};

/* OUT/trees/TREE/NAME; caller frees. */
char *batch_file(const struct batch *batch, const struct batch_row *row, const char *name);
/* Reads the row of a tree that is done; false: it is not. */
bool batch_read_result(const struct batch *batch, struct batch_row *row);
/* Does all trees whose state is BATCH_NOT_RUN. */
void batch_run_jobs(struct batch *batch);
/* One tree, in a process of its own: writes its result and exits. */
void batch_do_tree(const struct batch *batch, struct batch_row *row) __attribute__((noreturn));

#endif
