/* SPDX-License-Identifier: MIT */
/*
 * sources: the kernel's source, as far as call stacks name it.
 *
 * A report shows the function in which a release is missing. The tree that the kernel was built from changes on, or goes away;
 * so when a run is made, the files that its stacks name are copied into it, and only these:
 *
 *     RUN/sources/kernel/fs/cached_io.c
 *
 * A file is looked for in the folder that the user names (--source), else in the run, else where the compiler found it. While they
 * are kept, the tree that the kernel lies in comes before the compiler's: of a tree that was copied after it was built,
 *
 *     compiled in /a/xv6, file /a/xv6/kernel/vm.c    watched in /a/copy: /a/copy/kernel/vm.c
 *
 * SOURCE-1  A file that is newer than the kernel may say something else. It is kept with the run, and said so then and wherever it is
 *           shown; found by the compiler's path only, when a report is made later, it is not shown.
 * SOURCE-2  Nothing is written outside RUN/sources, whatever the debug information calls its files.
 * SOURCE-3  RUN/sources/.changed has the paths of those that were kept although they are newer, one a line, as the debug information
 *           has them: the times of the copies say nothing.
 */
#ifndef TOOLS_REPORT_SOURCES_H
#define TOOLS_REPORT_SOURCES_H

#include "target/stack_table.h"

#define RUN_SOURCES "sources"

struct source_file {
	char *path; /* as in the debug information, with its folder where it is relative */
	char *text; /* NULL: it is not there, or is not shown */
	bool newer; /* than the kernel, and there all the same */
};

struct sources {
	char *said_newer;        /* of the run's .changed; NULL: it has none */
	const char *folder;      /* the user's; NULL: none */
	const char *run_folder;  /* NULL: a capture */
	const char *tree;        /* in which the kernel lies, while they are kept; NULL: not known */
	bool keeps;              /* they are copied into the run: newer ones, too */
	int64_t compiled;        /* when the kernel was, seconds since 1970 */
	struct source_file *all; /* those that were asked for */
	size_t nr, capacity;
	uint64_t nr_shown, nr_newer; /* nr_newer: not shown */
};

/* folder NULL: none; `run` must outlive them. */
void sources_open(struct sources *sources, const struct run *run, const char *folder);
void sources_close(struct sources *sources);
/* The whole text of the file that a frame is in, until sources_close; NULL: it is not shown. */
const char *sources_text(struct sources *sources, const struct symbol_frame *frame);
/* "kernel/vm.c" of the first shown one that is newer than the kernel, and how many there are; NULL: none is. */
const char *sources_changed(const struct sources *sources, size_t *nr);
#define SOURCES_CHANGED "changed after the kernel was built: the lines shown may be others"
/*
 * Copies into a run folder what its stacks name. A file that is not there is left out; says on stderr what cannot be written, and what is
 * newer than the kernel. kernel: the file of which the run has a copy, NULL: not known. folder: where the command ran, NULL: here.
 */
void sources_keep(const char *run_folder, const char *kernel, const char *folder);

#endif
