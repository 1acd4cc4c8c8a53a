/* SPDX-License-Identifier: MIT */
/* html: the report as one HTML file: html.c writes it, with pictures of html_svg.c and html_map.c and stacks of html_source.c. */
#ifndef TOOLS_REPORT_HTML_H
#define TOOLS_REPORT_HTML_H

#include "ctf/colours.h"
#include "leaks_text.h"
#include "print.h"
#include "replay/curve.h"
#include "replay/pagelog.h"

extern const char report_style[];

/* "27,316" into buf. */
const char *html_number(int64_t number, char buf[32]);

/* ---- pictures: in units of the viewBox ---- */

#define SVG_WIDTH 1000
#define SVG_LEFT 64
#define SVG_RIGHT 44 /* the end of a slanted name */
#define SVG_TOP 24

struct scale {
	double begin, end; /* seconds */
	double low, high;  /* pages */
	int height;        /* of the plot */
	int left;          /* edge of the plot; 0: SVG_LEFT */
	int head;          /* room above for names */
};

double svg_x(const struct scale *scale, double seconds);
void svg_begin(FILE *out, const struct scale *scale, const char *title, const char *description);
void svg_time_axis(FILE *out, const struct scale *scale);
/* Room for the names of tests, which svg_test_names writes above the plot. */
int svg_names_height(const struct model *model, const struct scale *scale);
void svg_test_names(FILE *out, const struct model *model, const struct scale *scale);

/* Free pages over time, the tests as bands. */
void svg_free_pages(FILE *out, const struct leaks *leaks, const struct curve *curve);
/* Pages by kind over time, one on the other; kinds that never change are left out. */
void svg_kinds(FILE *out, const struct model *model, const struct curve *curve);
/* RAM over time, by kind; what was lost stands out, long stretches where nothing happens are folded. */
void svg_map(FILE *out, const struct leaks *leaks, const struct pagelog *log);

/* ---- stacks ---- */

/*
 * Where the sources of the kernel are. A source that is newer than the kernel is not shown: it may be another one.
 * folder NULL: each where the compiler found it.
 */
struct sources {
	const char *folder;
	int64_t
	    compiled; /* when the kernel was, seconds since 1970; with a folder of the user's: INT64_MAX */
	uint64_t nr_shown, nr_newer;
};
/* Function and place of each frame; with `sources` each opens to the lines around it. */
void html_stack(FILE *out, struct stack_table *stacks, uint32_t id, struct sources *sources);
/* The lines around "file:line" as a frame of the stack names it; false when there is no such source. */
bool html_source(FILE *out, struct stack_table *stacks, uint32_t id, const char *place,
		 struct sources *sources);

/* ---- the whole ---- */

/* What the pictures need, gathered in one replay: begin, html_pictures_event as a watch of model_replay, end, free. */
struct html_pictures {
	struct curve curve;
	struct pagelog log;
};
void html_pictures_begin(struct html_pictures *pictures, const struct run *run);
void html_pictures_event(void *arg, const struct model *model, const struct trace_record *record,
			 uint32_t stream);
void html_pictures_end(struct html_pictures *pictures, const struct model *model);
void html_pictures_free(struct html_pictures *pictures);
void html_write(FILE *out, struct run *run, struct leaks *leaks, const struct html_pictures *pictures,
		struct sources *sources);

#endif
