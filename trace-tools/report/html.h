/* SPDX-License-Identifier: MIT */
/* html: the report as one HTML file: html.c writes it, with the parts of html_*.c. */
#ifndef TOOLS_REPORT_HTML_H
#define TOOLS_REPORT_HTML_H

#include "c_function.h"
#include "ctf/colours.h"
#include "found.h"
#include "leaks_text.h"
#include "print.h"
#include "replay/curve.h"
#include "replay/page_lives.h"
#include "replay/pagelog.h"
#include "replay/usage.h"
#include "sources.h"

/* page/report.css and the scripts beside it, embedded when the tools are built. */
extern const char report_style[], report_script[];

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
/* The kinds that do change after boot. */
bool svg_kind_moves(uint32_t kind);
/* Pages by kind over time, one on the other; kinds that never change are left out. */
void svg_kinds(FILE *out, const struct model *model, const struct curve *curve);

/* ---- stacks and source ---- */

/* Function and place of each frame; with `sources` each opens to the lines around it. */
void html_stack(FILE *out, struct stack_table *stacks, uint32_t id, struct sources *sources);

/* A function as it is shown. */
struct html_function {
	const char *name;
	char *title;
	const char *text; /* of the whole file */
	struct c_function function;
	struct c_marks marks;
	uint32_t line;      /* of the suspect, or of the get */
	const char *note;   /* what there is to say of that line; NULL: what its mark says */
	const char *putter; /* the function that should have been called; NULL: not known */
	bool object;        /* it is allocated and freed, not acquired and released */
};
void html_function(FILE *out, const struct html_function *shown);

/* ---- parts of the page ---- */

/* Style, title and links, up to the beginning of <main>; the scripts, and the end, behind its end and the data. */
void html_page_begin(FILE *out, const char *name, const char *links);
void html_page_end(FILE *out);

/* A part of `pagetrail leaks`, from the heap. */
char *html_part_text(const struct leaks *leaks, enum leaks_part part, size_t group);
/* The lines as they are; nothing when there is none. label: what it is, for screen readers. */
void html_part(FILE *out, const struct leaks *leaks, enum leaks_part part, size_t group, const char *label);

/* Title, verdict, what is missing for one, and what was found: html_head.c. */
void html_head(FILE *out, const struct leaks *leaks, const struct found_list *list);
/* What is missing of a run, and why its verdict is not certain; nothing where all is known. side: "A: ", or "". */
void html_doubts(FILE *out, const struct leaks *leaks, const char *side);
/* "-" where nothing was found and the verdict is not certain: it is not known that there are none. */
const char *html_leaked_number(const struct leaks *leaks, uint64_t number, char buf[32]);

/* A sentence a finding, for the head of the page; below, each with its function and stacks. */
void html_found_list(FILE *out, const struct leaks *leaks, const struct found_list *list);
void html_findings(FILE *out, const struct leaks *leaks, const struct found_list *list,
		   struct sources *sources);

/* It is known to have leaked pages or to have findings: of a complete trace, and not of a watched kernel. */
bool html_test_leaked(const struct model *model, const struct test_mark *test);
void html_tests(FILE *out, const struct model *model);
void html_sites(FILE *out, struct model *model, struct stack_table *stacks);

struct process_row {
	uint32_t pid;
	uint64_t allocated, live, leaked;
};
/* Those that allocated, the ones that leaked most first, then those that allocated most; from the heap. */
struct process_row *html_process_rows(const struct leaks *leaks, const struct usage *usage, size_t *nr);
void html_processes(FILE *out, const struct leaks *leaks, const struct usage *usage);

/* ---- the whole ---- */

/* What the pictures need, gathered in one replay: begin, html_pictures_event as a watch of model_replay, end, free. */
struct html_pictures {
	struct curve curve;
	struct pagelog log;
	struct usage usage;
	struct page_lives lives;
};
void html_pictures_begin(struct html_pictures *pictures, const struct run *run);
void html_pictures_event(void *arg, const struct model *model, const struct trace_record *record,
			 uint32_t stream);
void html_pictures_end(struct html_pictures *pictures, const struct model *model);
void html_pictures_free(struct html_pictures *pictures);
void html_write(FILE *out, struct run *run, const struct leaks *leaks, struct html_pictures *pictures,
		struct sources *sources);

#endif
