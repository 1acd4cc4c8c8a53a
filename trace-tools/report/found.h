/* SPDX-License-Identifier: MIT */
/*
 * found: what a leak report says, an entry a thing to mend, for programs that show it in a form of their own.
 *
 * A report has a group for each pair of stacks; five groups of one missing release are one thing to mend. So the groups of
 * one suspect are one entry here, in the order of the largest; a group without a suspect is one of its own, and so is each
 * finding that is no leak (double free, ...) with its stack. An entry has a sentence, what that rests on, and a place:
 *
 *     inode_read_cached() acquires a page-cache reference at kernel/fs/cached_io.c:30 and never releases it: 320 pages leaked
 *     evidence   627 of 627 other references acquired by lookup() were released by pagecache_release()
 *     place      kernel/fs/cached_io.c:30, the suspect's; without a suspect, where it was acquired
 */
#ifndef TOOLS_REPORT_FOUND_H
#define TOOLS_REPORT_FOUND_H

#include <stdio.h>

#include "analysis/leaks.h"

struct found_place {
	char *file;    /* as the compiler saw it; NULL: not known */
	uint32_t line; /* 0: not known */
};

struct found {
	const char *
	    rule; /* "leaked", "possibly-leaked", or what it ended in: "panic", "no-end", "guest-failed", "broken"; or a verdict of the audit: "DBL" */
	bool error; /* it is certain; else a warning */
	bool has_suspect;
	const struct missing_release *suspected; /* what is known of the suspect; NULL: nothing is asked */
	bool at_suspect;                         /* the place is the suspect's */
	char *sentence;                          /* what happened, where and how much; no full stop */
	char *evidence;                          /* NULL: none but the sentence */
	struct found_place place, acquired; /* acquired: of the oldest item; for what is no leak nothing */
	uint32_t stack;                     /* of the get, or of the finding; 0: none */
	size_t group;                       /* the largest of its groups; of what is no leak nothing */
	size_t nr_groups;                   /* 0: no leak */
	uint64_t nr_pages, nr_objects;
	uint64_t time; /* of what is no leak, in ticks */
};

struct found_list {
	struct found *all;
	size_t nr, capacity;
};

/* The entries of a report; `leaks` must outlive them. */
struct found_list found_list_make(const struct leaks *leaks);
void found_list_free(struct found_list *list);
/* The entry of a group. */
const struct found *found_of_group(const struct found_list *list, const struct leaks *leaks, size_t group);
/* "3 pages and 1 object leaked" */
void found_print_amount(uint64_t nr_pages, uint64_t nr_objects, FILE *out);
/* "file.c:12", "file.c"; nothing where it is not known. */
void found_print_place(const struct found_place *place, FILE *out);
/* ", in 5 ways" of what leaked in several groups; else nothing. */
void found_print_ways(const struct found *found, FILE *out);

/* ---- the forms: each writes the whole report ---- */

/* "file:line: warning: ..." and "note:" lines, which editors and CI systems know from compilers. */
void found_print_gcc(const struct leaks *leaks, FILE *out);
/* For a comment in a review: a table, stacks folded. */
void found_print_markdown(const struct leaks *leaks, FILE *out);
/* SARIF 2.1.0 (OASIS): what code-scanning views read. */
void found_print_sarif(const struct leaks *leaks, FILE *out);
/* JUnit's XML, in the form that Jenkins' and windyroad's schemas both take: a case a test of the guest. */
void found_print_junit(const struct leaks *leaks, FILE *out);

#endif
