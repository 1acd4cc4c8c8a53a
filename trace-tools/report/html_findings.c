/* SPDX-License-Identifier: MIT */
/*
 * html_findings: what was found, in the HTML report.
 *
 * The page begins with a sentence for each thing to mend: found.h merges what one suspect leaked in several ways. Below, each has
 * its function in whole, with the line that acquired, and where a release is missing as far as that is known (c_function.h); beside
 * it, the function that releases such references. The ways in which it leaked, with their stacks, are folded.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "html.h"

#define GROUPS_MAX 200
#define GROUPS_WITH_SOURCE 20
#define FINDINGS_OPEN 3

/* ---- the list at the top ---- */

static void put_place(FILE *out, const struct found_place *place)
{
	fputs("<code>", out);
	markup_text(out, place->file);
	if (place->line)
		fprintf(out, ":%u", place->line);
	fputs("</code>", out);
}

static void put_evidence(FILE *out, const struct leaks *leaks, const struct found *found)
{
	if (found->evidence) {
		fputs("<p class=\"evidence\"><b>Evidence</b> ", out);
		markup_text(out, found->evidence);
		fputs("</p>\n", out);
	}
	if (found->has_suspect) {
		struct text_buffer buffer;
		leaks_confidence(found->suspected, text_begin(&buffer));
		char *text = text_end(&buffer);
		size_t word = strcspn(text, ":");
		fprintf(out, "<p class=\"evidence\"><b>Confidence</b> <span class=\"badge\">%.*s</span>",
			(int)word, text);
		markup_text(out, text + word + (text[word] == ':'));
		fputs("</p>\n", out);
		free(text);
	} else if (found->nr_groups) {
		fputs("<p class=\"evidence\"><b>Confidence</b> <span class=\"badge\">NO SUSPECT</span> no "
		      "rule is "
		      "good enough to name a function</p>\n",
		      out);
	}
}

void html_found_list(FILE *out, const struct leaks *leaks, const struct found_list *list)
{
	if (!list->nr)
		return;
	fputs("<ol class=\"findings\">\n", out);
	for (size_t i = 0; i < list->nr; i++) {
		const struct found *found = &list->all[i];
		fprintf(out, "<li><p class=\"sentence\"><a href=\"#%s%zu\">",
			found->nr_groups ? "finding" : "other", i + 1);
		markup_text(out, found->sentence);
		fputs("</a>", out);
		if (found->nr_groups > 1)
			fprintf(out, ", in %zu way%s", found->nr_groups, plural_s(found->nr_groups));
		fputs("</p>\n", out);
		put_evidence(out, leaks, found);
		if (found->place.file) {
			fprintf(out, "<p class=\"evidence\"><b>%s</b> ",
				found->has_suspect || !found->nr_groups ? "Look first at" : "Start at");
			put_place(out, &found->place);
			fputs("</p>\n", out);
		}
		fputs("</li>\n", out);
	}
	fputs("</ol>\n", out);
}

/* ---- the function ---- */

/* Of the stacks, the frame at that place; NULL: none. */
static const struct symbol_frame *frame_at(const struct leaks *leaks, const uint32_t *ids, size_t nr,
					   const char *place, const char **getter)
{
	char its_place[256];

	for (size_t i = 0; place && place[0] && i < nr; i++) {
		const struct stack_view *view = stack_table_get(leaks->stacks, ids[i]);
		for (uint32_t k = 0; k < view->nr; k++) {
			if (strcmp(frame_place(&view->frames[k], its_place, sizeof(its_place)), place) != 0)
				continue;
			*getter = k ? view->frames[k - 1].function : NULL;
			return &view->frames[k];
		}
	}
	return NULL;
}

static bool open_function(struct html_function *shown, const struct symbol_frame *frame,
			  struct sources *sources)
{
	*shown = (struct html_function){.name = frame->function, .line = frame->line};
	shown->text = sources_text(sources, frame);
	return shown->text && c_function_find(&shown->function, shown->text, frame->function, frame->line);
}

static void close_function(struct html_function *shown)
{
	c_function_free(&shown->function);
	c_marks_free(&shown->marks);
	free(shown->title);
}

/* What is known of the suspect's line, where it is not the one that acquired; NULL: it is. */
static const char *note_of(const struct missing_release *missing)
{
	if (missing->suspect_releases)
		return "what releases others; it was not called for those that leaked";
	switch (missing->how) {
	case MISSING_LATER_PUT:
		return "the page's dirty reference is released here; its object is not freed";
	case MISSING_PLACE_REUSED:
		return "another page takes the place here; the old one is not released";
	case MISSING_HOLDER_END:
		return "the holder ends here, and its reference stays open";
	case MISSING_LAST_CHANGE:
		return "the last change of the page; it is not freed";
	case MISSING_LEAK_POINT:
		return "the last pointer died here, or was given to this function";
	case MISSING_BASELINE:
		return "on the way of those that leaked; the baseline released them in this function";
	default:
		return NULL;
	}
}

static void put_suspect_function(FILE *out, const struct leaks *leaks, const struct leak_group *group,
				 struct sources *sources)
{
	const struct missing_release *missing = &group->missing;
	const struct leak_item *first = &leaks->items[group->items[0]];
	const uint32_t stacks[] = {first->get_stack, missing->later_put, missing->end_stack,
				   first->alloc_stack, missing->put_stack};
	struct html_function shown;
	const char *getter = NULL, *place = missing->suspect_place;
	char acquired[256] = "";

	const struct stack_view *view = stack_table_get(leaks->stacks, first->get_stack);
	if (!missing->suspect && view->site < view->nr)
		place = frame_place(&view->frames[view->site], acquired, sizeof(acquired));
	const struct symbol_frame *frame =
	    frame_at(leaks, stacks, sizeof(stacks) / sizeof(stacks[0]), place, &getter);
	if (!frame || !open_function(&shown, frame, sources))
		return;
	shown.title =
	    xasprintf("%s: %s(), %s", missing->suspect ? "Suspect" : "Acquired here, no suspect is named",
		      frame->function, frame->file);
	shown.object = leak_is_object(first);
	shown.note = note_of(missing);
	shown.putter = missing->putter;
	if (shown.note)
		c_marks_add(&shown.marks, frame->line, C_MARK_MISSING);
	else if (missing->suspect)
		c_marks_find(&shown.marks, &shown.function, frame->line, getter, missing->putter);
	else
		c_marks_add(&shown.marks, frame->line, C_MARK_ACQUIRED);
	html_function(out, &shown);
	close_function(&shown);
}

/* Where a frame of that function is in a stack; its nr: nowhere. */
static uint32_t frame_of(const struct stack_view *view, const char *function)
{
	uint32_t i = view->site;

	while (i < view->nr && (!function || strcmp(view->frames[i].function, function)))
		i++;
	return i;
}

/* The function that acquires such references and releases them; else the one that has others released. */
static void put_good_function(FILE *out, const struct leaks *leaks, const struct leak_group *group,
			      struct sources *sources)
{
	const struct missing_release *missing = &group->missing;
	const struct stack_view *put = stack_table_get(leaks->stacks, missing->put_stack),
				*get = stack_table_get(leaks->stacks, missing->get_stack);
	struct html_function shown;
	uint32_t at = frame_of(put, missing->example), got = frame_of(get, missing->example);

	if (!missing->put_stack || !missing->total)
		return;
	bool both = at < put->nr && got < get->nr;
	if (!both) /* the caller of what releases, where there is one within reach */
		at = put->site + 1 < put->nr && !symbols_is_entry(&put->frames[put->site + 1]) ? put->site + 1
											       : put->site;
	if (at >= put->nr || (missing->suspect && !strcmp(put->frames[at].function, missing->suspect)) ||
	    !open_function(&shown, &put->frames[at], sources))
		return;
	shown.title = xasprintf("%s: %s(), %s", both ? "Does it right" : "Releases others",
				put->frames[at].function, put->frames[at].file);
	shown.object = leak_is_object(&leaks->items[group->items[0]]);
	if (both && get->frames[got].line >= shown.function.first &&
	    get->frames[got].line <= shown.function.last)
		c_marks_add(&shown.marks, get->frames[got].line, C_MARK_ACQUIRED);
	c_marks_add(&shown.marks, put->frames[at].line, C_MARK_RELEASED);
	html_function(out, &shown);
	close_function(&shown);
}

static void put_functions(FILE *out, const struct leaks *leaks, const struct leak_group *group,
			  struct sources *sources)
{
	fputs("<div class=\"pair\">\n", out);
	put_suspect_function(out, leaks, group, sources);
	put_good_function(out, leaks, group, sources);
	fputs("</div>\n", out);
	if (group->missing.suspect && group->missing.putter && !note_of(&group->missing))
		fputs("<p class=\"hint\">The acquiring line is from the trace. Where a release is missing is "
		      "read from "
		      "the text of the function: it shows where to look, and proves nothing.</p>\n",
		      out);
}

/* ---- the ways in which it leaked ---- */

static void put_stack(FILE *out, const struct leaks *leaks, const char *title, uint32_t id,
		      struct sources *sources)
{
	fprintf(out, "<div><h4>%s</h4>\n", title);
	html_stack(out, leaks->stacks, id, sources);
	fputs("</div>\n", out);
}

static void put_group(FILE *out, const struct leaks *leaks, size_t number, struct sources *sources, bool open)
{
	const struct leak_group *group = &leaks->groups[number];
	const struct leak_item *first = &leaks->items[group->items[0]];
	struct sources *its = number < GROUPS_WITH_SOURCE ? sources : NULL;
	char *what = html_part_text(leaks, PART_WHAT, number);

	fprintf(out, "<details id=\"group%zu\" class=\"group\"%s><summary>[%zu] ", number + 1,
		open ? " open" : "", number + 1);
	what[strcspn(what, "\n")] = 0;
	markup_text(out, what);
	fputs("</summary>\n", out);
	html_part(out, leaks, PART_FACTS, number, "Facts");
	html_part(out, leaks, PART_MISSING, number, "The missing release");
	fputs("<div class=\"stacks\">\n", out);
	if (!leak_is_object(first) && first->get_stack != first->alloc_stack)
		put_stack(out, leaks, "Unmatched get by", first->get_stack, its);
	put_stack(out, leaks, "Allocated by", first->alloc_stack, its);
	fputs("</div>\n", out);
	if (group->history.nr) {
		fputs("<details><summary>The life of the oldest page</summary>\n", out);
		html_part(out, leaks, PART_LIFE, number, "The life of the oldest page");
		fputs("</details>\n", out);
	}
	fputs("</details>\n", out);
	free(what);
}

static void put_finding(FILE *out, const struct leaks *leaks, const struct found_list *list, size_t i,
			struct sources *sources)
{
	const struct found *found = &list->all[i];

	fprintf(out, "<details class=\"finding\" id=\"finding%zu\"%s><summary>%zu. ", i + 1,
		i < FINDINGS_OPEN ? " open" : "", i + 1);
	markup_text(out, found->sentence);
	fputs("</summary>\n", out);
	put_evidence(out, leaks, found);
	if (found->group < GROUPS_WITH_SOURCE)
		put_functions(out, leaks, &leaks->groups[found->group], sources);
	if (found->nr_groups > 1)
		fprintf(out, "<h3>The %zu way%s in which it leaked</h3>\n", found->nr_groups,
			plural_s(found->nr_groups));
	for (size_t g = found->group; g < leaks->nr_groups && g < GROUPS_MAX; g++) {
		if (found_of_group(list, leaks, g) == found)
			put_group(out, leaks, g, sources, i == 0 && found->nr_groups == 1);
	}
	fputs("</details>\n", out);
}

/* What is no leak (double free, ...), and what grew; the anchors are those of the list at the top. */
static void put_others(FILE *out, const struct leaks *leaks, const struct found_list *list)
{
	for (size_t i = 0; i < list->nr; i++) {
		if (!list->all[i].nr_groups)
			fprintf(out, "<span id=\"other%zu\"></span>", i + 1);
	}
	html_part(out, leaks, PART_REST, 0, "Other findings");
}

static void put_changed(FILE *out, const struct sources *sources)
{
	size_t nr;
	const char *first = sources_changed(sources, &nr);

	if (!first)
		return;
	fputs("<p class=\"hint\">", out);
	markup_text(out, first);
	if (nr > 1)
		fprintf(out, " and %zu more", nr - 1);
	fprintf(out, " %s " SOURCES_CHANGED ".</p>\n", nr == 1 ? "was" : "were");
}

void html_findings(FILE *out, const struct leaks *leaks, const struct found_list *list,
		   struct sources *sources)
{
	fputs("<h2 id=\"groups\">Findings</h2>\n", out);
	if (!leaks->nr_groups)
		fprintf(out, "<p>No leak was found%s.</p>\n",
			leaks->status == STATUS_CANNOT_TELL ? ", but that is not certain" : "");
	for (size_t i = 0; i < list->nr; i++) {
		if (list->all[i].nr_groups && list->all[i].group < GROUPS_MAX)
			put_finding(out, leaks, list, i, sources);
	}
	if (leaks->nr_groups > GROUPS_MAX)
		fprintf(out,
			"<p>And %zu smaller groups: <code>pagetrail leaks --all</code> prints them.</p>\n",
			leaks->nr_groups - GROUPS_MAX);
	put_changed(out, sources);
	if (sources->nr_shown)
		fputs("<p class=\"hint\">A frame of a stack opens to its lines of source.</p>\n", out);
	else if (sources->nr_newer)
		fputs("<p>The sources are newer than the kernel that ran, so they are not shown; "
		      "<code>--source FOLDER</code> names others.</p>\n",
		      out);
	put_others(out, leaks, list);
}
