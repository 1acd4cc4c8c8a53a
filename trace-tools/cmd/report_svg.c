/* report_svg: the pictures of the HTML report. See report.h. Colours differ in lightness, too: readable in grey. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

/* A picture, in units of the viewBox. */
#define WIDTH 1000
#define LEFT 64
#define RIGHT 12
#define TOP 24
#define PLOT_HEIGHT 240
#define BOTTOM 34
#define LABELS_MAX 12
#define TICKS_MAX 24

/* 1, 2 or 5 times a power of ten: about `wanted` steps in span. */
static double nice_step(double span, int wanted)
{
	double raw = span > 0 ? span / wanted : 1, power = pow(10, floor(log10(raw)));

	return (raw <= power ? 1 : raw <= 2 * power ? 2 : raw <= 5 * power ? 5 : 10) * power;
}

struct scale {
	double begin, end; /* seconds */
	double low, high;  /* pages */
};

static double x_of(const struct scale *scale, double seconds)
{
	double span = fmax(scale->end - scale->begin, 1e-7);

	return LEFT + (WIDTH - LEFT - RIGHT) * fmin(fmax(seconds - scale->begin, 0) / span, 1);
}

static double y_of(const struct scale *scale, double pages)
{
	return TOP + PLOT_HEIGHT * (1 - (pages - scale->low) / (scale->high - scale->low));
}

static void svg_begin(FILE *out, const char *title, const char *description)
{
	fprintf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\"><title>", WIDTH, TOP + PLOT_HEIGHT + BOTTOM);
	html_text(out, title);
	fputs("</title><desc>", out);
	html_text(out, description);
	fputs("</desc>\n", out);
}

static void axes(FILE *out, const struct scale *scale)
{
	double step = nice_step(scale->high - scale->low, 5), at = ceil(scale->low / step) * step;

	/* Counted, not added up: beside a damaged time a step may be too small to change it. */
	for (int i = 0; i < TICKS_MAX && at <= scale->high + step / 1000;
	     at = (ceil(scale->low / step) + ++i) * step)
		fprintf(out,
			"<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/><text x=\"%d\" "
			"y=\"%.1f\" "
			"class=\"end\">%.0f</text>\n",
			LEFT, WIDTH - RIGHT, y_of(scale, at), y_of(scale, at), LEFT - 6, y_of(scale, at) + 4,
			at);
	step = nice_step(scale->end - scale->begin, 10);
	at = ceil(scale->begin / step) * step;
	for (int i = 0; i < TICKS_MAX && at <= scale->end; at = (ceil(scale->begin / step) + ++i) * step)
		fprintf(out, "<text x=\"%.1f\" y=\"%d\" class=\"middle\">%g</text>\n", x_of(scale, at),
			TOP + PLOT_HEIGHT + 16, at);
	fprintf(out,
		"<text x=\"%d\" y=\"%d\" class=\"end\">seconds</text><text x=\"%d\" y=\"14\">pages</text>\n",
		WIDTH - RIGHT, TOP + PLOT_HEIGHT + 31, LEFT - 40);
}

static double step_time(const struct curve *curve, uint32_t i)
{
	return time_seconds(curve->begin) + time_seconds(curve->span) * i / curve->nr;
}

static void test_bands(FILE *out, const struct model *model, const struct scale *scale)
{
	int64_t offset = model->sampled ? model->sample_offset : 0;
	uint32_t labels = 0;

	for (size_t i = 0; i < model->nr_tests; i++) {
		const struct test_mark *test = &model->tests[i];
		int64_t lost = test->end ? test->net_begin - test->net_after : 0;
		double from = x_of(scale, time_seconds(test->begin)),
		       to = x_of(scale, time_seconds(test->end ? test->end : model->last_time));
		fprintf(out, "<rect class=\"%s\" x=\"%.1f\" width=\"%.1f\" y=\"%d\" height=\"%d\"><title>",
			lost > 0 ? "lost"
			: i % 2  ? "odd"
				 : "even",
			from, fmax(to - from, 0.4), TOP, PLOT_HEIGHT);
		html_text(out, test->name);
		fprintf(out, ": %.3f s, free %" PRId64 " before, %" PRId64 " after</title></rect>\n",
			time_seconds(test->end ? test->end - test->begin : 0), test->net_begin + offset,
			test->net_after + offset);
		if (lost <= 0 || labels++ >= LABELS_MAX)
			continue;
		fprintf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">",
			from > WIDTH / 2 ? "end bad" : "bad", from > WIDTH / 2 ? to : from,
			TOP + PLOT_HEIGHT - 8.0 - 14 * ((labels - 1) % 6));
		html_text(out, test->name);
		fprintf(out, ": %" PRId64 " lost</text>\n", lost);
	}
}

/* Boot gives RAM to the free lists block by block; the step where that is over. */
static uint32_t boot_end(const struct curve *curve)
{
	int64_t most = INT64_MIN;
	uint32_t i = 0;

	for (uint32_t k = 0; k < curve->nr; k++)
		most = curve->steps[k].high > most ? curve->steps[k].high : most;
	while (i + 2 < curve->nr && (double)curve->steps[i].high < 0.97 * (double)most)
		i++;
	return i;
}

void svg_free_pages(FILE *out, const struct leaks *leaks, const struct curve *curve)
{
	const struct model *model = leaks->model;
	uint32_t first = boot_end(curve);
	struct scale scale = {step_time(curve, first), step_time(curve, curve->nr), 1e18, -1e18};

	for (uint32_t i = first; i < curve->nr; i++) {
		scale.low = fmin(scale.low, (double)(i > first ? curve->steps[i].low : curve->steps[i].last));
		scale.high = fmax(scale.high, (double)curve->steps[i].high);
	}
	double margin = fmax((scale.high - scale.low) * 0.05, 2);
	scale.low = fmax(scale.low - margin, 0);
	scale.high += margin;
	svg_begin(out, "Free pages over time",
		  "A line of free pages; a band behind it spans the least and the most in each step; tests "
		  "are bands.");
	test_bands(out, model, &scale);
	axes(out, &scale);
	fputs("<path class=\"band\" d=\"", out);
	for (uint32_t i = first; i < curve->nr; i++)
		fprintf(out, "%c%.1f %.1f", i == first ? 'M' : 'L', x_of(&scale, step_time(curve, i)),
			y_of(&scale, (double)curve->steps[i].high));
	for (uint32_t i = curve->nr; i-- > first + 1;)
		fprintf(out, "L%.1f %.1f", x_of(&scale, step_time(curve, i)),
			y_of(&scale, (double)curve->steps[i].low));
	fputs("Z\"/>\n<path class=\"line\" d=\"", out);
	for (uint32_t i = first; i < curve->nr; i++)
		fprintf(out, "%c%.1f %.1f", i == first ? 'M' : 'L', x_of(&scale, step_time(curve, i)),
			y_of(&scale, (double)curve->steps[i].last));
	fputs("\"/>\n</svg>\n", out);
}

/* ---- kinds ---- */

/* Those that do change after boot, and have pages at some time. */
static bool kind_moves(uint32_t kind)
{
	return kind != PK_FREE && kind != PK_IMAGE && kind != PK_METADATA && kind != PK_TRACE &&
	       kind != PK_RAMDISK && kind != PK_PCP;
}

void svg_kinds(FILE *out, const struct model *model, const struct curve *curve)
{
	uint32_t first = boot_end(curve);
	struct scale scale = {step_time(curve, first), step_time(curve, curve->nr), 0, 1};
	double *sums = xcalloc(curve->nr, sizeof(*sums));
	int32_t most[PK_NR] = {0};

	for (uint32_t i = first; i < curve->nr; i++) {
		double sum = 0;
		for (uint32_t kind = 0; kind < PK_NR; kind++) {
			int32_t pages = curve->steps[i].kinds[kind];
			most[kind] = pages > most[kind] ? pages : most[kind];
			sum += kind_moves(kind) ? pages : 0;
		}
		scale.high = fmax(scale.high, sum);
	}
	scale.high *= 1.05;
	svg_begin(out, "Pages by kind over time",
		  "Areas, one on the other: the pages of each kind that changes.");
	axes(out, &scale);
	for (uint32_t kind = 0; kind < PK_NR; kind++) {
		if (!kind_moves(kind) || !most[kind])
			continue;
		fprintf(out, "<path fill=\"%s\" class=\"area\" d=\"", kind_colour(kind));
		for (uint32_t i = first; i < curve->nr; i++)
			fprintf(out, "%c%.1f %.1f", i > first ? 'L' : 'M', x_of(&scale, step_time(curve, i)),
				y_of(&scale, sums[i] + curve->steps[i].kinds[kind]));
		for (uint32_t i = curve->nr; i-- > first;) {
			fprintf(out, "L%.1f %.1f", x_of(&scale, step_time(curve, i)), y_of(&scale, sums[i]));
			sums[i] += curve->steps[i].kinds[kind];
		}
		fprintf(out, "Z\"><title>%s</title></path>\n", page_kind_text(kind));
	}
	fputs("</svg>\n<p class=\"legend\">", out);
	for (uint32_t kind = 0; kind < PK_NR; kind++) {
		if (kind_moves(kind) && most[kind])
			fprintf(out, "<span><i style=\"background:%s\"></i>%s, at most %d</span>\n",
				kind_colour(kind), page_kind_text(kind), most[kind]);
	}
	fputs("</p>\n", out);
	free(sums);
}

/* ---- the map ---- */

#define MAP_COLUMNS 256
#define MAP_CELLS 32768
#define CELL 4
#define CELL_LOST PK_NR

/* The kind of each page, CELL_LOST for the lost ones. */
static uint8_t *page_cells(const struct leaks *leaks, uint32_t nr)
{
	const struct model *model = leaks->model;
	uint8_t *cells = xcalloc(nr, 1);

	for (uint32_t i = 0; i < nr;) {
		const struct page_state *page = &model->pages[i];
		uint32_t pages = page->life == LIFE_LIVE ? 1U << page->order : 1;
		for (uint32_t k = 0; k < pages && i < nr; k++)
			cells[i++] = page->life == LIFE_LIVE ? page->kind : PK_FREE;
	}
	for (size_t i = 0; i < leaks->nr_items; i++) {
		const struct leak_item *item = &leaks->items[i];
		for (uint32_t k = 0; !item->object && k < 1U << item->order; k++) {
			if (item->where + k - model->first_pfn < nr)
				cells[item->where + k - model->first_pfn] = CELL_LOST;
		}
	}
	return cells;
}

static void map_run(FILE *out, uint32_t kind, uint32_t row, uint32_t column, uint32_t nr)
{
	if (kind == PK_FREE)
		return;
	if (kind == CELL_LOST)
		fputs("<rect class=\"gone\"", out);
	else
		fprintf(out, "<rect fill=\"%s\"", kind_colour(kind));
	fprintf(out, " x=\"%u\" y=\"%u\" width=\"%u\" height=\"%d\"/>\n", column * CELL, row * CELL,
		nr * CELL, CELL);
}

void svg_map(FILE *out, const struct leaks *leaks)
{
	uint32_t nr = leaks->model->seen_pages, per_cell = (nr + MAP_CELLS - 1) / MAP_CELLS;
	uint8_t *cells = page_cells(leaks, nr);

	per_cell = per_cell ? per_cell : 1;
	/* A cell of several pages shows the kind that says most: lost, then any that is not free. */
	uint32_t nr_cells = (nr + per_cell - 1) / per_cell, rows = (nr_cells + MAP_COLUMNS - 1) / MAP_COLUMNS;
	for (uint32_t i = 0; i < nr_cells; i++) {
		uint8_t kind = PK_FREE;
		for (uint32_t k = i * per_cell; k < (i + 1) * per_cell && k < nr; k++)
			kind = cells[k] > kind ? cells[k] : kind;
		cells[i] = kind;
	}
	fprintf(out,
		"<svg class=\"map\" viewBox=\"0 0 %d %u\" role=\"img\"><title>RAM at the end</title><desc>%u "
		"page%s "
		"a cell, from the lowest address at the top left, %u KiB a row.</desc>\n",
		MAP_COLUMNS * CELL, rows * CELL, per_cell, per_cell == 1 ? "" : "s",
		MAP_COLUMNS * per_cell * 4);
	for (uint32_t row = 0; row < rows; row++) {
		uint32_t begin = 0, end = nr_cells - row * MAP_COLUMNS;
		end = end < MAP_COLUMNS ? end : MAP_COLUMNS;
		const uint8_t *line = &cells[row * MAP_COLUMNS];
		for (uint32_t i = 1; i <= end; i++) {
			if (i < end && line[i] == line[begin])
				continue;
			map_run(out, line[begin], row, begin, i - begin);
			begin = i;
		}
	}
	fprintf(out, "</svg>\n<p class=\"legend\">");
	for (uint32_t kind = 1; kind < PK_NR; kind++) {
		if (leaks->model->pages_by_kind[kind])
			fprintf(out, "<span><i style=\"background:%s\"></i>%s %" PRId64 "</span>\n",
				kind_colour(kind), page_kind_text(kind), leaks->model->pages_by_kind[kind]);
	}
	if (leaks->nr_pages)
		fprintf(out, "<span><i class=\"gone\"></i>lost %" PRIu64 "</span>\n", leaks->nr_pages);
	fprintf(out, "<span>%u page%s a cell, %u KiB a row</span></p>\n", per_cell, per_cell == 1 ? "" : "s",
		MAP_COLUMNS * per_cell * 4);
	free(cells);
}
