/* SPDX-License-Identifier: MIT */
/*
 * html_compare: two runs side by side as one HTML file: A, how it was, and B, how it is.
 *
 * Tests are the same where their names are (the second of a name is the second of that name). Call sites are the same where the
 * functions of their stacks are, whatever the lines: so two builds of a kernel can be compared. The page is whole without scripts;
 * with them its tables are sorted and searched, and a flame graph shows where B holds more than A.
 */
#ifndef TOOLS_REPORT_HTML_COMPARE_H
#define TOOLS_REPORT_HTML_COMPARE_H

#include "analysis/compare.h"
#include "html.h"

/* A run, replayed. */
struct compared_run {
	struct run *run;
	struct model *model;
	struct stack_table *stacks;
	struct leaks *leaks;
	struct usage usage;
};

void html_compare(FILE *out, const struct compared_run sides[NR_SIDES]);

#endif
