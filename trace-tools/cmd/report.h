/* report: parts of the HTML file that report.c and report_svg.c share. */
#ifndef CMD_REPORT_H
#define CMD_REPORT_H

#include "../lib/colours.h"
#include "../lib/curve.h"
#include "command.h"

/* Text as HTML, also within attributes. */
void html_text(FILE *out, const char *text);

/* Free pages over time, the tests as bands. */
void svg_free_pages(FILE *out, const struct leaks *leaks, const struct curve *curve);
/* Pages by kind over time, one on the other; kinds that never change are left out. */
void svg_kinds(FILE *out, const struct model *model, const struct curve *curve);
/* RAM at the end, a cell a page (or several), by kind; what was lost stands out. */
void svg_map(FILE *out, const struct leaks *leaks);
#endif
