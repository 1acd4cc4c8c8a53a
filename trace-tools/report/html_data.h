/* SPDX-License-Identifier: MIT */
/*
 * html_data: what the scripts of the report need to know, as one block of JSON in the page.
 *
 * The page is whole without it; the scripts put views over its pictures and tables that can be searched, sorted and zoomed. A run has
 * millions of events and the page should open at once, so the block has sums, and of single events only those of lives of pages that
 * the map shows (html_map_data.c). Numbers that belong together are one flat array; page/data.js reads what is written here.
 *
 *     "sites": [stack, live, peak, at most, allocations, frees, pages, ..., the next site's stack, ...]
 *
 * A stack is a node of a tree of frames, so what many stacks share is there once: "nodes" has a frame and a parent for each.
 *
 * DATA-1  The text holds no "<": it cannot end the script element that it is in.
 */
#ifndef TOOLS_REPORT_HTML_DATA_H
#define TOOLS_REPORT_HTML_DATA_H

#include "analysis/call_tree.h"
#include "html_map.h"

struct page_data {
	FILE *out;
	bool first; /* of the array or object that is open */
	const struct leaks *leaks;
	struct stack_table *stacks;
	bool *wanted; /* by stack id: it is named somewhere */
};

/* ---- writing ---- */

void data_key(struct page_data *data, const char *key);
void data_open(struct page_data *data, const char *key, char bracket); /* key NULL: within an array */
void data_close(struct page_data *data, char bracket);
void data_int(struct page_data *data, int64_t value);
void data_member(struct page_data *data, const char *key, int64_t value);
void data_text(struct page_data *data, const char *text);
/* A stack id, which is then among the stacks. */
void data_stack(struct page_data *data, uint32_t id);
/* The frames of all stacks that were named, and each stack's node; the last of all. */
void data_stacks(struct page_data *data);

/* ---- parts ---- */

/* Which lives of pages the map shows, and their events, read from the trace. */
struct map_lives {
	const struct ram_map *map;
	const struct page_lives *lives;
	uint32_t *number; /* of each life in the page, from 1; 0: it is not there */
	uint32_t *group;  /* of each life: the group in which it leaked, from 1; 0: it did not */
	uint32_t *owners; /* rows x columns: life + 1 */
	bool *with_events;
};
void map_lives_choose(struct map_lives *chosen, const struct ram_map *map, struct page_lives *lives,
		      struct run *run);
void map_lives_free(struct map_lives *chosen);
void map_data(struct page_data *data, const struct map_lives *chosen);

/* The whole script element. */
void html_data(FILE *out, const struct leaks *leaks, const struct found_list *list,
	       const struct html_pictures *pictures, const struct map_lives *chosen);

#endif
