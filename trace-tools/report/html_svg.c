/* SPDX-License-Identifier: MIT */
/* report_svg: the curves of the HTML report, and what all its pictures share. See report.h. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "html.h"

#define PLOT_HEIGHT 240
#define FOOT 34
#define LABELS_MAX 12
#define TICKS_MAX 24
#define POINTS_MAX 1000
#define NAMES_MAX 28
#define NAME_LETTER 6.0 /* about the width of one */
#define SLANTED_HEIGHT 80

/* ---- frame ---- */

/* 1, 2 or 5 times a power of ten: about `wanted` steps in span. */
static double nice_step(double span, int wanted)
{
	double raw = span > 0 ? span / wanted : 1, power = pow(10, floor(log10(raw)));

	return (raw <= power ? 1 : raw <= 2 * power ? 2 : raw <= 5 * power ? 5 : 10) * power;
}

static int left_of(const struct scale *scale)
{
	return scale->left ? scale->left : SVG_LEFT;
}

double svg_x(const struct scale *scale, double seconds)
{
	double span = fmax(scale->end - scale->begin, 1e-7), left = left_of(scale);

	return left + (SVG_WIDTH - left - SVG_RIGHT) * fmin(fmax(seconds - scale->begin, 0) / span, 1);
}

static double y_of(const struct scale *scale, double pages)
{
	return SVG_TOP + scale->height * (1 - (pages - scale->low) / (scale->high - scale->low));
}

void svg_begin(FILE *out, const struct scale *scale, const char *title, const char *description)
{
	fprintf(out, "<svg viewBox=\"0 %d %d %d\" role=\"img\"><title>", -scale->head, SVG_WIDTH,
		SVG_TOP + scale->height + FOOT + scale->head);
	markup_text(out, title);
	fputs("</title><desc>", out);
	markup_text(out, description);
	fputs("</desc>\n", out);
}

void svg_time_axis(FILE *out, const struct scale *scale)
{
	double step = nice_step(scale->end - scale->begin, 10), at = ceil(scale->begin / step) * step;

	/* Counted, not added up: beside a damaged time a step may be too small to change it. */
	for (int i = 0; i < TICKS_MAX && at <= scale->end; at = (ceil(scale->begin / step) + ++i) * step)
		fprintf(out, "<text x=\"%.1f\" y=\"%d\" class=\"middle\">%g</text>\n", svg_x(scale, at),
			SVG_TOP + scale->height + 16, at);
	fprintf(out, "<text x=\"%d\" y=\"%d\" class=\"end\">seconds</text>\n", SVG_WIDTH - SVG_RIGHT,
		SVG_TOP + scale->height + 31);
}

static void axes(FILE *out, const struct scale *scale)
{
	double step = fmax(nice_step(scale->high - scale->low, 5), 1), at = ceil(scale->low / step) * step;
	char number[32];

	for (int i = 0; i < TICKS_MAX && at <= scale->high + step / 1000;
	     at = (ceil(scale->low / step) + ++i) * step)
		fprintf(out,
			"<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/><text x=\"%d\" "
			"y=\"%.1f\" class=\"end\">%s</text>\n",
			SVG_LEFT, SVG_WIDTH - SVG_RIGHT, y_of(scale, at), y_of(scale, at), SVG_LEFT - 6,
			y_of(scale, at) + 4, html_number((int64_t)at, number));
	fputs("<text class=\"name\" x=\"0\" y=\"14\">pages</text>\n", out);
	svg_time_axis(out, scale);
}

/* ---- tests ---- */

/* The longest ones have a name, if there is room for it: where on the picture, 0 for the others. Caller frees. */
static double *name_places(const struct model *model, const struct scale *scale, bool *level)
{
	size_t nr_tests;
	const struct test_mark *tests = model_tests(model, &nr_tests);
	double *places = xcalloc(nr_tests + 1, sizeof(*places)), right = -1e9, shortest;
	uint32_t nr;

	for (shortest = nr_tests <= 8 ? 0 : 10;; shortest = shortest * 1.3 + 1) {
		right = -1e9;
		nr = 0;
		*level = true;
		for (size_t i = 0; i < nr_tests; i++) {
			const struct test_mark *test = &tests[i];
			double from = svg_x(scale, time_seconds(test->begin)),
			       to = svg_x(scale, time_seconds(test->end ? test->end
									: model_totals(model)->last_time)),
			       half = (double)strlen(test->name) * NAME_LETTER / 2 + 4,
			       middle = (from + to) / 2;
			bool room = nr == 0 || middle - right > 13;
			places[i] = to - from >= shortest && room ? middle : 0;
			if (places[i] == 0)
				continue;
			*level = *level && middle - half > right;
			right = *level ? middle + half : middle;
			nr++;
		}
		if (nr <= NAMES_MAX)
			return places;
	}
}

int svg_names_height(const struct model *model, const struct scale *scale)
{
	bool level;

	free(name_places(model, scale, &level));
	return level ? 0 : SLANTED_HEIGHT;
}

void svg_test_names(FILE *out, const struct model *model, const struct scale *scale)
{
	bool level;
	double *places = name_places(model, scale, &level);

	size_t nr_tests;
	const struct test_mark *tests = model_tests(model, &nr_tests);
	for (size_t i = 0; i < nr_tests; i++) {
		double half = (double)strlen(tests[i].name) * NAME_LETTER / 2, at = places[i];
		if (at == 0)
			continue;
		at = level ? fmin(fmax(at, left_of(scale) + half), SVG_WIDTH - half) : at;
		if (level)
			fprintf(out, "<text class=\"name middle\" x=\"%.1f\" y=\"%d\">", at, SVG_TOP - 6);
		else
			fprintf(out, "<text class=\"name\" transform=\"translate(%.1f %d) rotate(-60)\">", at,
				SVG_TOP - 6);
		markup_text(out, tests[i].name);
		fputs("</text>\n", out);
	}
	free(places);
}

static void test_bands(FILE *out, const struct model *model, const struct scale *scale)
{
	int64_t offset = model_free_offset(model);

	size_t nr_tests;
	const struct test_mark *tests = model_tests(model, &nr_tests);
	for (size_t i = 0; i < nr_tests; i++) {
		const struct test_mark *test = &tests[i];
		int64_t lost = test->end ? test->net_begin - test->net_after : 0;
		double from = svg_x(scale, time_seconds(test->begin)),
		       to =
			   svg_x(scale, time_seconds(test->end ? test->end : model_totals(model)->last_time));
		fprintf(out, "<rect class=\"%s\" x=\"%.1f\" width=\"%.1f\" y=\"%d\" height=\"%d\"><title>",
			lost > 0 ? "lost"
			: i % 2  ? "odd"
				 : "even",
			from, fmax(to - from, 0.4), SVG_TOP, scale->height);
		markup_text(out, test->name);
		fprintf(out, ": %.3f s, free %" PRId64 " before, %" PRId64 " after</title></rect>\n",
			time_seconds(test->end ? test->end - test->begin : 0), test->net_begin + offset,
			test->net_after + offset);
	}
}

/* ---- free pages ---- */

static double step_time(const struct curve *curve, uint32_t i)
{
	return time_seconds(curve->begin) + time_seconds(curve->span) * i / curve->nr;
}

/* The first step that is drawn: where boot is over, but never the last two. */
static uint32_t boot_end(const struct curve *curve)
{
	return curve->booted + 2 < curve->nr ? curve->booted : curve->nr - 2;
}

/* When, after a test, as many pages were free for the first time as when it was judged. */
static double settled_at(const struct curve *curve, const struct test_mark *test, int64_t after)
{
	for (uint32_t i = 0; i < curve->nr; i++) {
		const struct curve_step *step = &curve->steps[i];
		if (step->time >= test->end && step->low <= after && after <= step->high)
			return fmax(step_time(curve, i), time_seconds(test->end));
	}
	return time_seconds(test->end);
}

/* A bracket over what each test did not give back, and the number. */
static void loss_labels(FILE *out, const struct model *model, const struct curve *curve,
			const struct scale *scale)
{
	int64_t offset = model_free_offset(model);
	double last = -1e9, raise = 0;
	uint32_t nr = 0;

	size_t nr_tests;
	const struct test_mark *tests = model_tests(model, &nr_tests);
	for (size_t i = 0; i < nr_tests; i++) {
		const struct test_mark *test = &tests[i];
		if (!test->end || model_run(model)->watched || test->net_begin <= test->net_after ||
		    nr++ >= LABELS_MAX)
			continue;
		double x = svg_x(scale, settled_at(curve, test, test->net_after + offset)),
		       top = y_of(scale, (double)(test->net_begin + offset)),
		       low = y_of(scale, (double)(test->net_after + offset)), y;
		bool late = x > 0.8 * SVG_WIDTH;
		raise = x - last < 150 ? raise + 15 : 0;
		last = x;
		y = (low - top > 24 ? (top + low) / 2 + 4 : top - 6) - raise;
		fprintf(out,
			"<path class=\"bracket\" d=\"M%.1f %.1fh8m-4 0V%.1fm-4 0h8\"/><text class=\"bad%s\" "
			"x=\"%.1f\" "
			"y=\"%.1f\">",
			x - 4, top, low, late ? " end" : "", late ? x - 8 : x + 8, y);
		markup_text(out, test->name);
		fprintf(out, ": %" PRId64 " leaked</text>\n", test->net_begin - test->net_after);
	}
}

/* A curve has more steps than a picture has room for: every so many are one point. */
static uint32_t stride_of(const struct curve *curve)
{
	return 1 + curve->nr / POINTS_MAX;
}

/* The least, or the most, of the steps that are one point. */
static double extreme(const struct curve *curve, uint32_t i, bool high)
{
	const struct curve_step *step = &curve->steps[i];
	int64_t value = high ? step->high : step->low;

	for (uint32_t k = 1; k < stride_of(curve) && i + k < curve->nr; k++) {
		int64_t other = high ? step[k].high : step[k].low;
		value = (high ? other > value : other < value) ? other : value;
	}
	return (double)value;
}

static void free_curve(FILE *out, const struct curve *curve, uint32_t first, const struct scale *scale)
{
	uint32_t stride = stride_of(curve), end = first + (curve->nr - 1 - first) / stride * stride;

	fputs("<path class=\"band\" d=\"", out);
	for (uint32_t i = first; i <= end; i += stride)
		fprintf(out, "%c%.1f %.1f", i == first ? 'M' : 'L', svg_x(scale, step_time(curve, i)),
			y_of(scale, extreme(curve, i, true)));
	for (uint32_t i = end; i > first; i -= stride)
		fprintf(out, "L%.1f %.1f", svg_x(scale, step_time(curve, i)),
			y_of(scale, extreme(curve, i, false)));
	fputs("Z\"/>\n<path class=\"line\" d=\"", out);
	for (uint32_t i = first; i <= end; i += stride)
		fprintf(out, "%c%.1f %.1f", i == first ? 'M' : 'L', svg_x(scale, step_time(curve, i)),
			y_of(scale, (double)curve->steps[i].last));
	fputs("\"/>\n", out);
}

void svg_free_pages(FILE *out, const struct leaks *leaks, const struct curve *curve)
{
	const struct model *model = leaks->model;
	uint32_t first = boot_end(curve);
	struct scale scale = {.begin = step_time(curve, first),
			      .end = step_time(curve, curve->nr),
			      .low = 1e18,
			      .high = -1e18,
			      .height = PLOT_HEIGHT};

	for (uint32_t i = first; i < curve->nr; i++) {
		scale.low = fmin(scale.low, (double)(i > first ? curve->steps[i].low : curve->steps[i].last));
		scale.high = fmax(scale.high, (double)curve->steps[i].high);
	}
	double margin = fmax((scale.high - scale.low) * 0.08, 2);
	scale.low = fmax(scale.low - margin, 0);
	scale.high += margin;
	scale.head = svg_names_height(model, &scale);
	svg_begin(out, &scale, "Free pages over time",
		  "A line of free pages; a band behind it spans the least and the most in each step; tests "
		  "are bands.");
	test_bands(out, model, &scale);
	axes(out, &scale);
	free_curve(out, curve, first, &scale);
	svg_test_names(out, model, &scale);
	loss_labels(out, model, curve, &scale);
	fputs("</svg>\n", out);
}

/* ---- kinds ---- */

bool svg_kind_moves(uint32_t kind)
{
	return kind != PK_FREE && kind != PK_IMAGE && kind != PK_METADATA && kind != PK_TRACE &&
	       kind != PK_RAMDISK && kind != PK_PCP;
}

static void kind_areas(FILE *out, const struct curve *curve, uint32_t first, const struct scale *scale,
		       const int64_t most[PK_NR])
{
	double *sums = xcalloc(curve->nr, sizeof(*sums));
	uint32_t stride = stride_of(curve), end = first + (curve->nr - 1 - first) / stride * stride;

	for (uint32_t kind = 0; kind < PK_NR; kind++) {
		if (!svg_kind_moves(kind) || !most[kind])
			continue;
		fprintf(out, "<path fill=\"%s\" d=\"", kind_colour(kind));
		for (uint32_t i = first; i <= end; i += stride)
			fprintf(out, "%c%.1f %.1f", i > first ? 'L' : 'M', svg_x(scale, step_time(curve, i)),
				y_of(scale, sums[i] + curve->steps[i].kinds[kind]));
		for (uint32_t i = end + stride; i >= first + stride; i -= stride) {
			uint32_t at = i - stride;
			fprintf(out, "L%.1f %.1f", svg_x(scale, step_time(curve, at)), y_of(scale, sums[at]));
			sums[at] += curve->steps[at].kinds[kind];
		}
		fprintf(out, "Z\"><title>%s</title></path>\n", page_kind_text(kind));
	}
	free(sums);
}

void svg_kinds(FILE *out, const struct model *model, const struct curve *curve)
{
	uint32_t first = boot_end(curve);
	struct scale scale = {.begin = step_time(curve, first),
			      .end = step_time(curve, curve->nr),
			      .high = 1,
			      .height = PLOT_HEIGHT};
	char number[32];

	for (uint32_t i = first; i < curve->nr; i++) {
		double sum = 0;
		for (uint32_t kind = 0; kind < PK_NR; kind++) {
			int32_t pages = curve->steps[i].kinds[kind];
			sum += svg_kind_moves(kind) ? pages : 0;
		}
		scale.high = fmax(scale.high, sum);
	}
	scale.high *= 1.05;
	svg_begin(out, &scale, "Pages by kind over time",
		  "Areas, one on the other: the pages of each kind that changes.");
	axes(out, &scale);
	kind_areas(out, curve, first, &scale, curve->most);
	fputs("</svg>\n<p class=\"legend\">From the bottom: ", out);
	for (uint32_t kind = 0; kind < PK_NR; kind++) {
		if (svg_kind_moves(kind) && curve->most[kind])
			fprintf(out, "<span><i style=\"background:%s\"></i>%s, at most %s</span>\n",
				kind_colour(kind), page_kind_text(kind),
				html_number(curve->most[kind], number));
	}
	fputs("</p>\n", out);
}
