/* SPDX-License-Identifier: MIT */
/* html_source: stacks in the HTML report, the lines of source behind them, and whole functions with what is marked in them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "html.h"

#define LINES_AROUND 4
#define LINE_MAX_CHARS 160
#define TAB 4

/* One line with its tabs as blanks, cut where it is very long. */
static void put_line(FILE *out, const char *text, size_t bytes)
{
	char shown[LINE_MAX_CHARS + TAB];
	size_t nr = 0;

	for (size_t i = 0; i < bytes && nr < LINE_MAX_CHARS - 1; i++) {
		do
			shown[nr++] = text[i] == '\t' ? ' ' : text[i];
		while (text[i] == '\t' && nr % TAB);
	}
	shown[nr] = 0;
	markup_text(out, shown);
}

static void put_lines(FILE *out, const char *text, uint32_t line)
{
	uint32_t from = line > LINES_AROUND ? line - LINES_AROUND : 1;

	fputs("<pre class=\"source\" tabindex=\"0\" aria-label=\"Source\">", out);
	for (uint32_t number = 1; *text && number <= line + LINES_AROUND; number++) {
		size_t bytes = strcspn(text, "\n");
		if (number >= from) {
			fprintf(out, number == line ? "<mark>%5u  " : "%5u  ", number);
			put_line(out, text, bytes);
			fputs(number == line ? "</mark>\n" : "\n", out);
		}
		text += bytes + (text[bytes] == '\n');
	}
	fputs("</pre>", out);
}

static void put_name(FILE *out, const struct symbol_frame *frame)
{
	char place[256];

	markup_text(out, frame->function);
	if (frame_place(frame, place, sizeof(place))[0]) {
		fputs(" <span>", out);
		markup_text(out, place);
		fputs(frame->inlined ? ", inlined</span>" : "</span>", out);
	}
}

void html_stack(FILE *out, struct stack_table *stacks, uint32_t id, struct sources *sources)
{
	const struct stack_view *view = stack_table_get(stacks, id);

	if (!view->nr) {
		fputs("<p>(no stack)</p>\n", out);
		return;
	}
	fputs("<ol class=\"stack\">\n", out);
	for (uint32_t i = 0; i < view->nr; i++) {
		const char *text = sources ? sources_text(sources, &view->frames[i]) : NULL;
		fputs(i < view->site ? "<li class=\"machinery\">" : "<li>", out);
		if (text) {
			fputs("<details class=\"frame\"><summary>", out);
			put_name(out, &view->frames[i]);
			fputs("</summary>", out);
			put_lines(out, text, view->frames[i].line);
			fputs("</details>", out);
		} else {
			put_name(out, &view->frames[i]);
		}
		fputs("</li>\n", out);
	}
	fputs("</ol>\n", out);
}

/* ---- a whole function ---- */

static const char *mark_class(enum c_mark_kind kind)
{
	static const char *const classes[] = {[C_MARK_ACQUIRED] = "acquired",
					      [C_MARK_RELEASED] = "released",
					      [C_MARK_MISSING] = "missing",
					      [C_MARK_LAST_USE] = "missing"};

	return classes[kind];
}

/* How far the code of a line is indented. */
static int indent_of(const char *text)
{
	int nr = 0;

	for (; *text == ' ' || *text == '\t'; text++)
		nr = *text == '\t' ? (nr / TAB + 1) * TAB : nr + 1;
	return nr;
}

static void put_note(FILE *out, const struct html_function *shown, const char *text, enum c_mark_kind kind,
		     uint32_t line)
{
	const char *putter = shown->putter;

	fprintf(out, "<span class=\"note %s\">%*s^ ", mark_class(kind), 7 + indent_of(text), "");
	if (line == shown->line && shown->note) {
		markup_text(out, shown->note);
	} else if (kind == C_MARK_ACQUIRED) {
		fputs(shown->object ? "allocated here" : "acquired here", out);
	} else if (kind == C_MARK_RELEASED) {
		fputs(shown->object ? "freed here" : "released here", out);
	} else if (kind == C_MARK_LAST_USE) {
		fputs("last use of ", out);
		markup_text(out, shown->marks.variable);
		if (putter)
			fputs("; no call of ", out);
		markup_text(out, putter ? putter : "");
		if (putter)
			fputs("() follows", out);
	} else {
		fputs("ends here, with no call of ", out);
		markup_text(out, putter ? putter : "the release");
		fprintf(out, "() since line %u", shown->line);
	}
	fputs("</span>\n", out);
}

void html_function(FILE *out, const struct html_function *shown)
{
	const char *text = shown->text;

	fputs("<figure class=\"code\"><figcaption>", out);
	markup_text(out, shown->title);
	fputs("</figcaption><pre class=\"source\" tabindex=\"0\" aria-label=\"Function ", out);
	markup_text(out, shown->name);
	fputs("\">", out);
	for (uint32_t number = 1; *text && number <= shown->function.last; number++) {
		size_t bytes = strcspn(text, "\n");
		enum c_mark_kind kind = c_marks_at(&shown->marks, number);
		if (number >= shown->function.first) {
			if (kind)
				fprintf(out, "<mark class=\"%s\">", mark_class(kind));
			fprintf(out, "%5u  ", number);
			put_line(out, text, bytes);
			fputs(kind ? "</mark>\n" : "\n", out);
			if (kind)
				put_note(out, shown, text, kind, number);
		}
		text += bytes + (text[bytes] == '\n');
	}
	fputs("</pre></figure>\n", out);
}
