/* SPDX-License-Identifier: MIT */
/*
 * html_map: RAM over time in the HTML report: up the addresses, to the right time, by kind; without scripts a picture.
 *
 * The cells are a PNG of COLUMNS x rows in the SVG's frame. A row stands for some pages and has the kind that most of the
 * used ones have, the paler the more are free. Stretches in which nothing happens are folded to a strip with a word.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/png.h"
#include "base/util.h"
#include "html_map.h"

#define ROWS 400
#define FOLD_MIN 48 /* pages */
#define FOLD_ROWS 20
#define COLOUR_FREE (PK_NR * MAP_LEVELS)
#define COLOUR_LOST (COLOUR_FREE + 1)
#define NR_COLOURS (COLOUR_LOST + 1)

static bool unused(uint8_t kind)
{
	return kind == PK_FREE || kind == PK_PCP;
}

/* ---- which cells are shown, and where ---- */

static void find_busy(struct ram_map *map)
{
	const struct pagelog *log = map->log;

	pagelog_read(log, 0, map->first_kinds);
	for (uint32_t i = 0; i < log->nr_snapshots; i++) {
		pagelog_read(log, i, map->kinds);
		for (uint32_t from = 0; from < map->nr; from += PAGELOG_BLOCK) {
			uint32_t to = from + PAGELOG_BLOCK < map->nr ? from + PAGELOG_BLOCK : map->nr;
			if (pagelog_block_same(log, i, from / PAGELOG_BLOCK))
				continue;
			for (uint32_t cell = from; cell < to; cell++) {
				map->busy[cell] |= map->kinds[cell] != map->first_kinds[cell];
				map->seen[map->kinds[cell] & (PK_NR - 1)] = true;
			}
		}
	}
	for (size_t i = 0; i < map->leaks->nr_items; i++) {
		const struct leak_item *item = &map->leaks->items[i];
		uint32_t cell = (item->where - model_first_pfn(map->leaks->model)) >> log->shift;
		if (!item->object && cell >= map->first && cell < map->nr)
			map->busy[cell] = true;
	}
}

static void find_stretches(struct ram_map *map)
{
	const uint8_t *kinds = map->first_kinds;
	uint32_t shown = 0;

	for (uint32_t from = map->first, to; from < map->nr; from = to) {
		uint8_t kind = kinds[from];
		for (to = from + 1; to < map->nr && map->busy[to] == map->busy[from]; to++) {
			if (!map->busy[to] && kinds[to] != kind)
				break;
		}
		bool folded = !map->busy[from] && (to - from) << map->log->shift >= FOLD_MIN;
		struct stretch *last = map->nr_stretches ? &map->stretches[map->nr_stretches - 1] : NULL;
		shown += folded ? 0 : to - from;
		if (last && !last->folded && !folded)
			last->to = to;
		else
			ARRAY_PUSH(map->stretches, map->nr_stretches, map->capacity) =
			    (struct stretch){.from = from, .to = to, .folded = folded, .kind = kind};
	}
	map->per_row = (shown + ROWS - 1) / ROWS;
	map->per_row = map->per_row ? map->per_row : 1;
	for (size_t i = 0; i < map->nr_stretches; i++) {
		struct stretch *stretch = &map->stretches[i];
		stretch->row = map->rows;
		stretch->rows = stretch->folded
				    ? FOLD_ROWS
				    : (stretch->to - stretch->from + map->per_row - 1) / map->per_row;
		map->rows += stretch->rows;
	}
}

/* The row of a cell, upward. */
static double row_of(const struct ram_map *map, uint32_t cell)
{
	size_t i = 0;

	while (i + 1 < map->nr_stretches && map->stretches[i + 1].from <= cell)
		i++;
	const struct stretch *stretch = &map->stretches[i];
	double within = cell - stretch->from;
	return stretch->row +
	       (stretch->folded ? within / (stretch->to - stretch->from) * FOLD_ROWS : within / map->per_row);
}

/* ---- the cells ---- */

static uint8_t colour_of(const uint8_t *kinds, uint32_t from, uint32_t to)
{
	uint32_t votes[PK_NR] = {0}, used = 0, best = PK_FREE;

	for (uint32_t cell = from; cell < to; cell++) {
		uint8_t kind = kinds[cell] & (PK_NR - 1);
		if (unused(kind))
			continue;
		used++;
		if (++votes[kind] > votes[best])
			best = kind;
	}
	if (!used)
		return COLOUR_FREE;
	return (uint8_t)(best * MAP_LEVELS + (used * MAP_LEVELS - 1) / (to - from));
}

static uint8_t *pixel(struct ram_map *map, uint32_t row, uint32_t column)
{
	return &map->pixels[(size_t)(map->rows - 1 - row) * map->log->nr + column];
}

static void paint_column(struct ram_map *map, uint32_t column)
{
	pagelog_read(map->log, map->log->snapshot[column], map->kinds);
	for (size_t i = 0; i < map->nr_stretches; i++) {
		const struct stretch *stretch = &map->stretches[i];
		for (uint32_t k = 0; k < stretch->rows; k++) {
			uint32_t from = stretch->from + (stretch->folded ? 0 : k * map->per_row),
				 to = stretch->folded ? from + 1 : from + map->per_row;
			*pixel(map, stretch->row + k, column) =
			    colour_of(map->kinds, from, to < stretch->to ? to : stretch->to);
		}
	}
}

/* Instants that share a snapshot look the same. */
static void paint(struct ram_map *map)
{
	const struct pagelog *log = map->log;

	map->pixels = xcalloc((size_t)map->rows * log->nr, 1);
	for (uint32_t column = 0; column < log->nr; column++) {
		if (!column || log->snapshot[column] != log->snapshot[column - 1]) {
			paint_column(map, column);
			continue;
		}
		for (uint32_t row = 0; row < map->rows; row++)
			*pixel(map, row, column) = *pixel(map, row, column - 1);
	}
}

static void paint_lost(struct ram_map *map)
{
	for (size_t i = 0; i < map->leaks->nr_items; i++) {
		const struct leak_item *item = &map->leaks->items[i];
		uint32_t first = item->where - model_first_pfn(map->leaks->model);
		for (uint32_t k = 0; !item->object && k < 1U << item->order; k++) {
			uint32_t cell = (first + k) >> map->log->shift;
			if (cell < map->first || cell >= map->nr)
				continue;
			uint32_t row = (uint32_t)row_of(map, cell);
			for (uint32_t column = pagelog_instant(map->log, item->get_time);
			     column < map->log->nr; column++)
				*pixel(map, row, column) = COLOUR_LOST;
		}
	}
}

static struct png_colour rgb(const char *text, uint8_t alpha)
{
	unsigned long word = strtoul(text + 1, NULL, 16);

	return (struct png_colour){(uint8_t)(word >> 16), (uint8_t)(word >> 8), (uint8_t)word, alpha};
}

static void put_image(FILE *out, const struct ram_map *map, const struct scale *scale)
{
	static const uint8_t alphas[MAP_LEVELS] = {110, 160, 210, 255};
	struct png_colour palette[NR_COLOURS];
	size_t bytes;

	for (uint32_t i = 0; i < COLOUR_FREE; i++)
		palette[i] = rgb(kind_colour(i / MAP_LEVELS), alphas[i % MAP_LEVELS]);
	palette[COLOUR_FREE] = (struct png_colour){0};
	palette[COLOUR_LOST] = rgb("#d00000", 255);
	uint8_t *png = png_make(map->pixels, map->log->nr, map->rows, palette, NR_COLOURS, &bytes);
	char *text = base64_text(png, bytes);
	fprintf(out,
		"<image x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" preserveAspectRatio=\"none\" "
		"href=\"data:image/png;base64,%s\"/>\n",
		MAP_LEFT, SVG_TOP, SVG_WIDTH - MAP_LEFT - SVG_RIGHT, scale->height, text);
	free(text);
	free(png);
}

/* ---- what is written at it ---- */

static double y_of(const struct ram_map *map, const struct scale *scale, double row)
{
	return SVG_TOP + scale->height * (1 - row / map->rows);
}

static void put_address(FILE *out, const struct ram_map *map, const struct scale *scale, uint32_t cell)
{
	fprintf(out, "<text class=\"end address\" x=\"%d\" y=\"%.1f\">0x%" PRIx64 "</text>\n", MAP_LEFT - 6,
		y_of(map, scale, row_of(map, cell)) + 4,
		(uint64_t)(model_first_pfn(map->leaks->model) + (cell << map->log->shift)) << PAGE_SHIFT);
}

static void put_labels(FILE *out, const struct ram_map *map, const struct scale *scale)
{
	double last = -1e9;
	char bytes[24];

	for (size_t i = 0; i < map->nr_stretches; i++) {
		const struct stretch *stretch = &map->stretches[i];
		uint32_t step = 1;
		while (!stretch->folded && step * 12 < stretch->to - stretch->from)
			step *= 2;
		for (uint32_t cell = stretch->from; cell < stretch->to;
		     cell = stretch->folded ? stretch->to : (cell / step + 1) * step) {
			if (row_of(map, cell) - last < map->rows / 26.0)
				continue;
			last = row_of(map, cell);
			put_address(out, map, scale, cell);
		}
		if (!stretch->folded)
			continue;
		bytes_text((uint64_t)(stretch->to - stretch->from) << (map->log->shift + PAGE_SHIFT), bytes);
		fprintf(out, "<text class=\"middle plate\" x=\"%d\" y=\"%.1f\">%s %s</text>\n",
			(MAP_LEFT + SVG_WIDTH) / 2, y_of(map, scale, stretch->row + stretch->rows / 2.0) + 4,
			bytes, unused(stretch->kind) ? "never used" : page_kind_text(stretch->kind));
	}
}

static void put_legend(FILE *out, const struct ram_map *map)
{
	char number[32];
	uint32_t pages = map->per_row << map->log->shift;

	fputs("<p class=\"legend\">", out);
	if (map->leaks->nr_pages)
		fprintf(out, "<span><i class=\"gone\"></i>leaked: %s page%s</span>\n",
			html_number((int64_t)map->leaks->nr_pages, number), plural_s(map->leaks->nr_pages));
	for (uint32_t kind = 1; kind < PK_NR; kind++) {
		if (map->seen[kind] && !unused((uint8_t)kind))
			fprintf(out, "<span><i style=\"background:%s\"></i>%s: %s at the end</span>\n",
				kind_colour(kind), page_kind_text(kind),
				html_number(model_totals(map->leaks->model)->pages_by_kind[kind], number));
	}
	fprintf(out, "<span>%u page%s a row; the fainter, the more of them are free</span></p>\n", pages,
		plural_s(pages));
}

/* The cell is of a page that nobody ever told of. */
static bool cell_unknown(const struct model *model, uint32_t page)
{
	return model_page(model, model_first_pfn(model) + page)->life == LIFE_UNKNOWN;
}

bool map_open(struct ram_map *map, const struct leaks *leaks, const struct pagelog *log)
{
	*map = (struct ram_map){.leaks = leaks, .log = log, .nr = log->nr_cells};
	if (!map->nr)
		return false;
	while (map->first + 1 < map->nr && cell_unknown(leaks->model, map->first << log->shift))
		map->first++;
	map->busy = xcalloc(map->nr, sizeof(*map->busy));
	map->kinds = xcalloc(map->nr, sizeof(*map->kinds));
	map->first_kinds = xcalloc(map->nr, sizeof(*map->first_kinds));
	find_busy(map);
	find_stretches(map);
	paint(map);
	paint_lost(map);
	return true;
}

void map_close(struct ram_map *map)
{
	free(map->pixels);
	free(map->stretches);
	free(map->busy);
	free(map->kinds);
	free(map->first_kinds);
}

uint32_t map_kind(const struct ram_map *map, uint32_t row, uint32_t column)
{
	uint8_t colour = map->pixels[(size_t)(map->rows - 1 - row) * map->log->nr + column];

	return colour == COLOUR_FREE ? PK_FREE : colour == COLOUR_LOST ? MAP_LEAKED : colour / MAP_LEVELS;
}

void svg_map(FILE *out, const struct ram_map *map)
{
	const struct model *model = map->leaks->model;
	struct scale scale = {.begin = time_seconds(map->log->begin),
			      .end = time_seconds(map->log->end),
			      .height = MAP_HEIGHT,
			      .left = MAP_LEFT};

	if (!map->nr) {
		fputs("<p>No page was allocated in this trace.</p>\n", out);
		return;
	}
	fputs("<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Picture of RAM over time\">\n"
	      "<div id=\"map-picture\">\n",
	      out);
	scale.head = svg_names_height(model, &scale);
	svg_begin(out, &scale, "RAM over time",
		  "Up the physical addresses, to the right time; the colour is what the pages are used for.");
	fprintf(out, "<rect class=\"ground\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n", MAP_LEFT,
		SVG_TOP, SVG_WIDTH - MAP_LEFT - SVG_RIGHT, scale.height);
	put_image(out, map, &scale);
	put_labels(out, map, &scale);
	svg_time_axis(out, &scale);
	svg_test_names(out, model, &scale);
	fputs("</svg>\n</div>\n</div>\n", out);
	put_legend(out, map);
}
