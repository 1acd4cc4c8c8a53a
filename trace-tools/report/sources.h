/* SPDX-License-Identifier: MIT */
/*
 * sources: the kernel's source, as far as call stacks name it.
 *
 * A report shows the function in which a release is missing. The tree that the kernel was built from changes on, or goes away;
 * so when a run is made, the files that its stacks name are copied into it, and only these:
 *
 *     RUN/sources/kernel/fs/cached_io.c
 *
 * A file is looked for in the folder that the user names (--source), else in the run, else where the compiler found it.
 *
 * SOURCE-1  Of the last two, a file that is newer than the kernel is not shown and not copied: it may say something else.
 * SOURCE-2  Nothing is written outside RUN/sources, whatever the debug information calls its files.
 */
#ifndef TOOLS_REPORT_SOURCES_H
#define TOOLS_REPORT_SOURCES_H

#include "target/stack_table.h"

#define RUN_SOURCES "sources"

struct source_file {
	char *path; /* as in the debug information, with its folder where it is relative */
	char *text; /* NULL: it is not there, or is not shown */
};

struct sources {
	const char *folder;      /* the user's; NULL: none */
	const char *run_folder;  /* NULL: a capture */
	int64_t compiled;        /* when the kernel was, seconds since 1970 */
	struct source_file *all; /* those that were asked for */
	size_t nr, capacity;
	uint64_t nr_shown, nr_newer;
};

/* folder NULL: none; `run` must outlive them. */
void sources_open(struct sources *sources, const struct run *run, const char *folder);
void sources_close(struct sources *sources);
/* The whole text of the file that a frame is in, until sources_close; NULL: it is not shown. */
const char *sources_text(struct sources *sources, const struct symbol_frame *frame);
/* Copies into a run folder what its stacks name. A file that is not there is left out; says on stderr what cannot be written. */
void sources_keep(const char *run_folder);

#endif
