/* SPDX-License-Identifier: MIT */
/*
 * html_map: RAM over time: up the addresses, to the right time, by kind. Rows count from the lowest address, columns are the
 * instants of the pagelog. html_map.c makes the picture, html_map_data.c what a script needs to say of each place in it.
 */
#ifndef TOOLS_REPORT_HTML_MAP_H
#define TOOLS_REPORT_HTML_MAP_H

#include "html.h"

#define MAP_LEVELS 4 /* of paleness */
#define MAP_HEIGHT 400
#define MAP_LEFT (SVG_LEFT + 34)
#define MAP_LEAKED PK_NR /* instead of a kind */

/* Neighbouring cells in which something happens; or, folded to a strip, in which nothing does. */
struct stretch {
	uint32_t from, to; /* cells */
	uint32_t row, rows;
	bool folded;
	uint8_t kind; /* of a folded one */
};

struct ram_map {
	const struct leaks *leaks;
	const struct pagelog *log;
	uint32_t first, nr, per_row;  /* cells; those before the first are in no record */
	uint8_t *kinds, *first_kinds; /* of the cells: of the snapshot that is looked at, of the first one */
	bool *busy;
	bool seen[PK_NR];
	struct stretch *stretches;
	size_t nr_stretches, capacity;
	uint32_t rows;
	uint8_t *pixels; /* the top row first */
};

/* False: no page was allocated. map_close in any case. */
bool map_open(struct ram_map *map, const struct leaks *leaks, const struct pagelog *log);
void map_close(struct ram_map *map);
/* What is shown there: a page kind, or MAP_LEAKED. */
uint32_t map_kind(const struct ram_map *map, uint32_t row, uint32_t column);
void svg_map(FILE *out, const struct ram_map *map);

#endif
