/* SPDX-License-Identifier: MIT */
/*
 * outfile: a file that is there whole or not at all.
 *
 * What is written goes to PATH.part, which takes PATH's name when it is whole. A PATH that is there and no ordinary file
 * (a device, a pipe, a link) is written itself: to take its name would be to remove it.
 */
#ifndef TOOLS_BASE_OUTFILE_H
#define TOOLS_BASE_OUTFILE_H

#include <stdbool.h>
#include <stdio.h>

struct outfile_sink;

struct outfile {
	const char *path;          /* the caller's */
	char *part;                /* NULL: PATH itself is written */
	FILE *file;                /* NULL: somebody writes `part` by its name */
	struct outfile_sink *sink; /* beneath `file` */
};

/* Opens it, or dies. */
void outfile_open(struct outfile *out, const char *path);
/* For those who write out->part by its name, or dies: PATH must be no device then. */
void outfile_name(struct outfile *out, const char *path);
/* All is written: gives it its name, or dies and leaves nothing of it. */
void outfile_close(struct outfile *out);
/* Leaves nothing of it. */
void outfile_drop(struct outfile *out);

#endif
