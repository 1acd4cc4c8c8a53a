/* SPDX-License-Identifier: MIT */
/*
 * baseline: how a kernel without the leak releases what it acquires: by function, not by address, so that a run of another
 * build can be compared with it.
 *
 * The idea: the leaked page-table page was acquired by walk < map < fork. In the healthy run so were 2000 others, and free_table
 * < pt_destroy < mm_destroy released them. In this run nothing did. Then the release is missing on that path, and the code may
 * even show where: free_table has one call of page_put less than it had (suspect_baseline.c).
 *
 * What is kept of a run, whatever its length: the tree of its call stacks, how often each kind of reference went which way, and
 * on how many lines of one function another is called. As a file it is text:
 *
 *     pagetrail-baseline 4
 *     build 6f0c...
 *     workload usertests -q
 *     n 0 12 sys_exec          node 1: its parent, its events, its function
 *     l pte 5 9 14 200         kind, nodes of allocation, of get, of put, how many
 *     c pt_destroy free_table 1   calls of the second function in the code of the first
 *     s free_table 2 8 4711 4 97 0 12   what the code of a function is like: copies, branches, sum, lines, sequence, body
 *                               (describe/code_shape.h), and in which order it calls (describe/call_sites.h)
 *     end 5                    how many nodes (with the root), lives, calls and shapes stand above
 *
 * BASE-1  A kind is the name of a ref kind, or "cache:" and the name of a slab cache; of pages of a watched kernel, which have
 *         none, it is empty, and "page" in the file.
 * BASE-2  A run in which something leaked is no baseline: what leaks there too has no release to show.
 */
#ifndef TOOLS_ANALYSIS_BASELINE_H
#define TOOLS_ANALYSIS_BASELINE_H

#include <stdio.h>

#include "call_tree.h"
#include "describe/call_sites.h"
#include "describe/code_shape.h"
#include "replay/model.h"

struct life_path {
	uint32_t kind;            /* a name of the tree */
	uint32_t alloc, get, put; /* nodes */
	uint64_t count;
};

struct code_edge {
	uint32_t caller, callee; /* names of the tree */
	uint32_t nr;
};

#define LINES_UNKNOWN UINT32_MAX

struct shape_line {
	uint32_t function; /* a name of the tree */
	uint32_t copies, branches;
	uint64_t sum;
	uint32_t lines;                 /* LINES_UNKNOWN: the baseline is older than this number */
	uint64_t sequence, body, order; /* 0: it is older, or there is none */
};

struct baseline {
	struct call_tree *tree;
	struct life_path *lives;
	size_t nr_lives, lives_capacity;
	struct code_edge *edges; /* by caller and callee; all that the code has */
	size_t nr_edges, edges_capacity;
	struct shape_line *shapes; /* by function */
	size_t nr_shapes, shapes_capacity;
	char *build, *workload; /* "": not known */
};

/* The kind of an open reference or a live object, as in the file. Into buf. */
const char *baseline_kind_of_page(uint32_t ref);
const char *baseline_kind_of_object(const struct model *model, uint16_t cache, char buf[32]);

/* The function of the books that acquires or releases, as the leaf of a path (call_tree.h). */
const char *baseline_act(bool object, bool release);

/* What only the books' machinery holds: slabs. The functions that leak them are the machinery's own. */
bool baseline_is_of_the_books(uint32_t ref);

struct baseline *baseline_of_run(const struct model *model, struct stack_table *stacks);
/* Puts into it what the code says; NULL: nothing. */
void baseline_take_code(struct baseline *baseline, const struct call_sites *code,
			const struct code_shapes *shapes);
/* On how many lines the one calls the other; -1: nothing is known of the code. */
int64_t baseline_calls(const struct baseline *baseline, const char *caller, const char *callee);
/* What the code of a function was like; NULL: nothing is known of it. */
const struct shape_line *baseline_shape(const struct baseline *baseline, uint32_t function);
void baseline_free(struct baseline *baseline);

/* What the run's guest was asked to do, as one line. Caller frees. */
char *baseline_workload(const struct run *run);

/* FOLDER/WORDS-OF-THE-WORKLOAD-HASH-BUILD.baseline; caller frees. */
char *baseline_path(const char *folder, const char *workload, const char *build);
/* In this folder, of this workload: that of the build, else the newest. NULL: none. Caller frees. */
char *baseline_seek(const char *folder, const char *workload, const char *build);
/* Merges lives that are alike, and puts all in order; after all is in. */
void baseline_sort(struct baseline *baseline);
void baseline_write(const struct baseline *baseline, FILE *out);
/* NULL and a message in *error (caller frees) when it is no such file, or a damaged one. */
struct baseline *baseline_read(const char *path, char **error);

#endif
