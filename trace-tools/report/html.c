/* SPDX-License-Identifier: MIT */
/*
 * html: one HTML file that says of a run what the other commands say, with pictures.
 *
 * It opens from the disk and asks nothing of the network: styles and pictures are in it, and there is no script.
 * What can be folded is <details>, which the keyboard opens; wide things scroll in boxes that take the focus.
 */
#include "html_data.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/outfile.h"
#include "base/text.h"
#include "base/util.h"

#define CURVE_STEPS 6000
#define MAP_INSTANTS 600

const char *html_number(int64_t number, char buf[32])
{
	char digits[24];
	int nr = snprintf(digits, sizeof(digits), "%" PRId64, number), at = 0;

	for (int i = 0; i < nr; i++) {
		if (i > (number < 0) && (nr - i) % 3 == 0)
			buf[at++] = ',';
		buf[at++] = digits[i];
	}
	buf[at] = 0;
	return buf;
}

/* ---- the text of the leak report ---- */

char *html_part_text(const struct leaks *leaks, enum leaks_part part, size_t group)
{
	struct text_buffer buffer;

	leaks_print_part(leaks, part, group, text_begin(&buffer));
	return text_end(&buffer);
}

void html_part(FILE *out, const struct leaks *leaks, enum leaks_part part, size_t group, const char *label)
{
	char *text = html_part_text(leaks, part, group);

	/* The headline of that part is the heading here. */
	const char *from = text + (part == PART_MISSING ? strcspn(text, "\n") : 0);

	if (*from) {
		fprintf(out, "<pre class=\"wrap\" tabindex=\"0\" aria-label=\"%s\">", label);
		markup_text(out, from);
		fputs("</pre>\n", out);
	}
	free(text);
}

/* ---- the head ---- */

void html_page_begin(FILE *out, const char *name, const char *links)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	      "<meta name=\"color-scheme\" content=\"light dark\">\n"
	      "<script>document.documentElement.classList.add(\"live\")</script>\n<title>",
	      out);
	markup_text(out, name);
	fprintf(out,
		": Pagetrail report</title>\n<style>\n%s</style>\n</head>\n<body>\n<div class=\"page\">\n"
		"<header><h1>Pagetrail: ",
		report_style);
	markup_text(out, name);
	fprintf(out, "</h1></header>\n<nav aria-label=\"Sections\">%s</nav>\n<main>\n", links);
}

void html_page_end(FILE *out)
{
	fprintf(out, "<script>%s</script>\n</body>\n</html>\n", report_script);
}

static void put_run(FILE *out, const struct run *run, const struct model *model)
{
	char *path = xasprintf("%s/run.json", run->folder), *text = file_read_all(path, NULL);

	fprintf(out,
		"<h2 id=\"run\">The run</h2>\n<p>%" PRIu64
		" event%s of %u hart%s in %.3f seconds, %u stack%s; %s.</p>\n",
		model_totals(model)->nr_events, plural_s(model_totals(model)->nr_events), run->nr_streams,
		plural_s(run->nr_streams),
		time_seconds(model_totals(model)->last_time - model_totals(model)->first_time),
		run->nr_stacks, plural_s(run->nr_stacks),
		run_complete(run) ? "nothing discarded, nothing missing" : "not complete");
	fputs("<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
	      "aria-label=\"Events\"><table><thead><tr><th>Event"
	      "</th><th class=\"n\">Number</th><th>What it is</th></tr></thead><tbody>\n",
	      out);
	for (uint32_t id = 0; id < EVENT_ID_MAX; id++) {
		if (!model_totals(model)->by_event[id])
			continue;
		fprintf(out, "<tr><td>%s</td><td class=\"n\">%" PRIu64 "</td><td>", event_info(id)->name,
			model_totals(model)->by_event[id]);
		markup_text(out, event_info(id)->help);
		fputs("</td></tr>\n", out);
	}
	fputs("</tbody></table></div>\n", out);
	if (text) {
		fputs("<details><summary>run.json</summary><pre tabindex=\"0\" aria-label=\"run.json\">",
		      out);
		markup_text(out, text);
		fputs("</pre></details>\n", out);
	}
	free(text);
	free(path);
}

/* ---- the whole ---- */

void html_pictures_begin(struct html_pictures *pictures, const struct run *run)
{
	curve_begin(&pictures->curve, run, CURVE_STEPS);
	pagelog_begin(&pictures->log, run, MAP_INSTANTS);
	usage_begin(&pictures->usage, run);
	page_lives_begin(&pictures->lives, run, MAP_INSTANTS);
}

void html_pictures_event(void *arg, const struct model *model, const struct trace_record *record,
			 uint32_t stream)
{
	struct html_pictures *pictures = arg;

	/* Most events get or put something, which none of them looks at. */
	if (record->event != EV_page_alloc && record->event != EV_page_free &&
	    record->event != EV_page_kind && record->event != EV_mark)
		return;
	curve_event(&pictures->curve, model, record, stream);
	pagelog_event(&pictures->log, model, record, stream);
	usage_event(&pictures->usage, model, record, stream);
	page_lives_event(&pictures->lives, model, record, stream);
}

void html_pictures_end(struct html_pictures *pictures, const struct model *model)
{
	curve_end(&pictures->curve, model);
	pagelog_end(&pictures->log);
	usage_end(&pictures->usage);
	page_lives_end(&pictures->lives, model);
}

void html_pictures_free(struct html_pictures *pictures)
{
	curve_free(&pictures->curve);
	pagelog_free(&pictures->log);
	usage_free(&pictures->usage);
	page_lives_free(&pictures->lives);
}

/* What a script shows in its own way is within .static: html_data.h says what it knows. */
static void put_pictures(FILE *out, const struct leaks *leaks, const struct html_pictures *pictures,
			 const struct ram_map *map)
{
	fputs("<section id=\"time\">\n<h2>Time</h2>\n<div class=\"static\">\n<h3>Free pages</h3>\n", out);
	svg_free_pages(out, leaks, &pictures->curve);
	fputs("<h3>Pages by kind</h3>\n", out);
	svg_kinds(out, leaks->model, &pictures->curve);
	fputs("</div>\n</section>\n<section id=\"flame\">\n<h2>Flame graph</h2>\n"
	      "<p class=\"static\">It needs scripts. The call sites below have the same numbers.</p>\n"
	      "</section>\n<section id=\"map\">\n<h2>RAM over time</h2>\n",
	      out);
	svg_map(out, map);
	fputs("</section>\n", out);
}

void html_write(FILE *out, struct run *run, const struct leaks *leaks, struct html_pictures *pictures,
		struct sources *sources)
{
	struct found_list list = found_list_make(leaks);
	struct map_lives chosen;
	struct ram_map map;
	bool has_map = map_open(&map, leaks, &pictures->log);

	if (has_map)
		map_lives_choose(&chosen, &map, &pictures->lives, run);
	html_head(out, leaks, &list);
	html_findings(out, leaks, &list, sources);
	put_pictures(out, leaks, pictures, &map);
	html_sites(out, leaks->model, leaks->stacks);
	html_tests(out, leaks->model);
	html_processes(out, leaks, &pictures->usage);
	put_run(out, run, leaks->model);
	fputs("</main>\n</div>\n", out);
	html_data(out, leaks, &list, pictures, has_map ? &chosen : NULL);
	html_page_end(out);
	if (has_map)
		map_lives_free(&chosen);
	map_close(&map);
	found_list_free(&list);
}
