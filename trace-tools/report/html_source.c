/* SPDX-License-Identifier: MIT */
/* report_source: stacks in the HTML report, and the lines of source behind them. See report.h. */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "base/util.h"
#include "html.h"

#define LINES_AROUND 4
#define LINE_MAX_CHARS 160
#define TAB 4

/* NULL: it is not there, or newer than the kernel. Caller frees. */
static char *read_source(const struct symbol_frame *frame, struct sources *sources)
{
	const char *folder = sources->folder ? sources->folder : frame->folder;
	struct stat about;

	if (!frame->file || !frame->line || (!folder && frame->file[0] != '/'))
		return NULL;
	char *path = frame->file[0] == '/' ? xstrdup(frame->file) : xasprintf("%s/%s", folder, frame->file),
	     *text = NULL;
	if (!stat(path, &about) && S_ISREG(about.st_mode)) {
		if ((int64_t)about.st_mtime <= sources->compiled)
			text = file_read_all(path, NULL);
		else
			sources->nr_newer++;
	}
	free(path);
	return text;
}

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
		char *text = sources ? read_source(&view->frames[i], sources) : NULL;
		fputs(i < view->site ? "<li class=\"machinery\">" : "<li>", out);
		if (text) {
			sources->nr_shown++;
			fputs("<details class=\"frame\"><summary>", out);
			put_name(out, &view->frames[i]);
			fputs("</summary>", out);
			put_lines(out, text, view->frames[i].line);
			fputs("</details>", out);
		} else {
			put_name(out, &view->frames[i]);
		}
		fputs("</li>\n", out);
		free(text);
	}
	fputs("</ol>\n", out);
}

bool html_source(FILE *out, struct stack_table *stacks, uint32_t id, const char *place,
		 struct sources *sources)
{
	const struct stack_view *view = stack_table_get(stacks, id);
	char its_place[256];

	for (uint32_t i = 0; i < view->nr; i++) {
		if (strcmp(frame_place(&view->frames[i], its_place, sizeof(its_place)), place) != 0)
			continue;
		char *text = read_source(&view->frames[i], sources);
		if (!text)
			return false;
		put_lines(out, text, view->frames[i].line);
		fputc('\n', out);
		free(text);
		return true;
	}
	return false;
}
