/* SPDX-License-Identifier: MIT
 *
 * hooks: reads the hooks file; see hooks.h.
 *
 * A line is a keyword and `key=value` pairs (line.h); each item has a function that takes out the pairs it knows.
 */
#include "hooks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "hooks_priv.h"
#include "line.h"

#define LINE_BYTES 65536 /* lists of ranges are long */

struct hooks hooks;

static void name(struct line *line, char *where)
{
	const char *text = line_take(line, "name");

	snprintf(where, NAME_BYTES, "%s", text ? text : "?");
}

static void pages_of(struct line *line, struct pages_of *pages, const char *page, const char *type)
{
	static const char *const types[] = {"va", "pa", "pfn", "struct"};
	const char *text = line_take(line, "type");

	line_formula(line, "page", &pages->page, page);
	line_formula(line, "each", &pages->each, NULL);
	line_formula(line, "n", &pages->nr, NULL);
	pages->link = (int64_t)line_number(line, "link", NONE);
	if (pages->each.nr && !pages->nr.nr && pages->link < 0)
		line_fail(line, "each needs n or link", "");
	if (!text)
		text = type;
	for (pages->type = TYPE_VA; strcmp(types[pages->type], text); pages->type++) {
		if (pages->type == TYPE_STRUCT) {
			line_fail(line, "type is va, pa, pfn or struct, not", text);
			return;
		}
	}
}

/* ---- items ---- */

static void read_call(struct line *line, enum hook_kind kind)
{
	struct hook *hook = &hooks.calls[hooks.nr_calls];

	if (hooks.nr_calls == HOOKS_MAX) {
		line_fail(line, "too many calls to watch", "");
		return;
	}
	hooks.nr_calls++;
	hook->kind = kind;
	name(line, hook->name);
	hook->entry = line_needed(line, "entry");
	pages_of(line, &hook->pages, kind == HOOK_ALLOC || kind == HOOK_OBJALLOC ? "ret" : "a0", "va");
	line_formula(line, "count", &hook->count, "1");
	line_formula(line, "when", &hook->when, NULL);
	hook->fail = line_number(line, "fail", 0);
	line_formula(line, "size", &hook->size, kind == HOOK_OBJALLOC ? "a0" : NULL);
	line_formula(line, "ref", &hook->ref, kind == HOOK_ALLOC ? NULL : "0");
	line_formula(line, "holder", &hook->holder, "0");
	line_formula(line, "freed", &hook->freed, NULL);
	line_formula(line, "at", &hook->at, "0");
	line_ranges(line, "push", &hook->push);
	line_ranges(line, "also", &hook->also);
	line_take(line, "ret");
	const char *inside = line_take(line, "notinside");
	snprintf(hook->inside_names, sizeof(hook->inside_names), "%s", inside ? inside : "");
	hook->tracked = kind == HOOK_ALLOC || kind == HOOK_OBJALLOC || hook->freed.nr;
}

/* Where the elements are: an array of its own, or a member of struct page. */
static void read_place(struct line *line, struct array *array)
{
	const char *in = line_take(line, "in");

	array->in_struct = in != NULL;
	if (in && strcmp(in, "struct"))
		line_fail(line, "in=struct, not", in);
	if (!in) {
		array->lo = line_needed(line, "lo");
		array->hi = line_needed(line, "hi");
		if (array->hi <= array->lo)
			line_fail(line, "the array has no elements", "");
	}
	array->elem = (uint32_t)line_number(line, "elem", 4);
	array->offset = (uint32_t)line_number(line, "off", 0);
	array->stride = (uint32_t)line_number(line, "stride", array->elem);
	if (array->elem != 1 && array->elem != 2 && array->elem != 4 && array->elem != 8)
		line_fail(line, "elem is 1, 2, 4 or 8", "");
	if (!in && (array->stride < array->elem || array->offset > array->stride - array->elem))
		line_fail(line, "the array has no room for its elements", "");
}

static void read_array(struct line *line, bool is_state)
{
	struct array *array = &hooks.arrays[hooks.nr_arrays];

	if (hooks.nr_arrays == ARRAYS_MAX) {
		line_fail(line, "too many arrays to watch", "");
		return;
	}
	hooks.nr_arrays++;
	array->is_state = is_state;
	name(line, array->name);
	read_place(line, array);
	pages_of(line, &array->pages, NULL, "pa");
	line_formula(line, "value", &array->value, NULL);
	array->plain = !array->value.nr;
	line_formula(line, "alloc", &array->alloc, NULL);
	line_formula(line, "free", &array->free, NULL);
	line_ranges(line, "funcs", &array->funcs);
	if (!array->pages.page.nr && !array->in_struct)
		line_fail(line, "missing", "page");
	if (is_state && !array->alloc.nr && !array->free.nr)
		line_fail(line, "a state needs alloc or free", "");
}

static void read_console(struct line *line, bool sbi)
{
	if (sbi) {
		hooks.sbi = true;
		return;
	}
	hooks.uart_pa = line_number(line, "pa", NONE);
	hooks.uart = hooks.uart_pa == NONE ? line_needed(line, "uart") : NONE;
	line_ranges(line, "funcs", &hooks.uart_funcs);
	if (!hooks.uart_funcs.nr)
		line_fail(line, "missing", "funcs");
}

static void read_mark(struct line *line)
{
	static const char *const keys[] = {"begin", "end", "line", "panic"};
	struct mark_pattern *mark = &hooks.marks[hooks.nr_marks];

	for (mark->what = MARK_BEGIN; mark->what <= MARK_PANIC; mark->what++) {
		const char *text = line_take(line, keys[mark->what]);
		if (!text)
			continue;
		if (hooks.nr_marks == MARKS_MAX || regcomp(&mark->regex, text, REG_EXTENDED))
			line_fail(line, "no regular expression (or one too many)", text);
		else
			hooks.nr_marks++;
		return;
	}
	line_fail(line, "mark begin=, end=, line= or panic=", "");
}

static void read_map(struct line *line)
{
	struct linear_map map = {line_needed(line, "va"), line_needed(line, "pa"), line_needed(line, "size")};

	if (hooks.nr_maps < MAPS_MAX)
		hooks.maps[hooks.nr_maps++] = map;
	else
		line_fail(line, "too many linear mappings", "");
}

static void read_trap(struct line *line)
{
	struct trap_entry *trap = &hooks.traps[hooks.nr_traps];

	if (hooks.nr_traps == MAPS_MAX) {
		line_fail(line, "too many trap entries", "");
		return;
	}
	hooks.nr_traps++;
	trap->lo = line_needed(line, "lo");
	trap->hi = line_needed(line, "hi");
	line_formula(line, "pc", &trap->pc, NULL);
	line_formula(line, "fp", &trap->fp, NULL);
}

static void read_hold(struct line *line)
{
	struct hold *hold = &hooks.holds[hooks.nr_holds];

	if (hooks.nr_holds == HOLDS_MAX) {
		line_fail(line, "too many holds", "");
		return;
	}
	hooks.nr_holds++;
	hold->entry = line_needed(line, "entry");
	line_formula(line, "until", &hold->until, NULL);
	if (!hold->until.nr || hold->until.registers)
		line_fail(line, "hold needs until, a formula of memory", "");
}

static void read_text(struct line *line)
{
	struct ranges *text = &hooks.text;

	if (!text->at)
		text->at = calloc(MAPS_MAX, sizeof(*text->at));
	if (!text->at || text->nr == MAPS_MAX) {
		line_fail(line, "too many ranges of text", "");
		return;
	}
	text->at[text->nr++] = (struct range){line_needed(line, "lo"), line_needed(line, "hi")};
}

static void read_item(struct line *line, const char *keyword)
{
	if (!strcmp(keyword, "ram")) {
		hooks.ram_base = line_needed(line, "base");
		line_number(line, "size", 0);
	} else if (!strcmp(keyword, "text")) {
		read_text(line);
	} else if (!strcmp(keyword, "map")) {
		read_map(line);
	} else if (!strcmp(keyword, "pages")) {
		line_formula(line, "base", &hooks.pages_base, NULL);
		hooks.pages_stride = line_needed(line, "stride");
		hooks.pages_pa = line_needed(line, "pa");
		if (!hooks.pages_base.nr || !hooks.pages_stride)
			line_fail(line, "pages needs base and stride", "");
	} else if (!strcmp(keyword, "stack")) {
		const char *unwind = line_take(line, "unwind");
		hooks.stack_base = line_number(line, "base", hooks.stack_base);
		hooks.stack_bytes = line_number(line, "size", hooks.stack_bytes);
		hooks.stack_top = (uint32_t)line_number(line, "top", hooks.stack_top);
		hooks.frame_pointers = !unwind || !strcmp(unwind, "fp");
		if (!hooks.frame_pointers && strcmp(unwind, "none"))
			line_fail(line, "unwind is fp or none, not", unwind);
	} else if (!strcmp(keyword, "pid")) {
		line_formula(line, "at", &hooks.pid, NULL);
	} else if (!strcmp(keyword, "trap")) {
		read_trap(line);
	} else if (!strcmp(keyword, "alloc")) {
		read_call(line, HOOK_ALLOC);
	} else if (!strcmp(keyword, "free")) {
		read_call(line, HOOK_FREE);
	} else if (!strcmp(keyword, "get")) {
		read_call(line, HOOK_GET);
	} else if (!strcmp(keyword, "put")) {
		read_call(line, HOOK_PUT);
	} else if (!strcmp(keyword, "count")) {
		read_array(line, false);
	} else if (!strcmp(keyword, "state")) {
		read_array(line, true);
	} else if (!strcmp(keyword, "pte")) {
		line_ranges(line, "funcs", &hooks.pte_funcs);
		hooks.pte_levels = (uint32_t)line_number(line, "levels", 3);
	} else if (!strcmp(keyword, "check")) {
		line_ranges(line, "writers", &hooks.writers);
	} else if (!strcmp(keyword, "console")) {
		read_console(line, line_take(line, "sbi") != NULL);
	} else if (!strcmp(keyword, "objalloc")) {
		read_call(line, HOOK_OBJALLOC);
	} else if (!strcmp(keyword, "objfree")) {
		read_call(line, HOOK_OBJFREE);
	} else if (!strcmp(keyword, "objget")) {
		read_call(line, HOOK_OBJGET);
	} else if (!strcmp(keyword, "objput")) {
		read_call(line, HOOK_OBJPUT);
	} else if (!strcmp(keyword, "follow")) {
		hooks_read_follow(line);
	} else if (!strcmp(keyword, "func")) {
		hooks_read_function(line);
	} else if (!strcmp(keyword, "weak")) {
		hooks_read_weak(line);
	} else if (!strcmp(keyword, "hold")) {
		read_hold(line);
	} else if (!strcmp(keyword, "mark")) {
		read_mark(line);
	} else {
		line_fail(line, "unknown item", keyword);
	}
}

static void read_line(struct line *line, char *text)
{
	static char nothing[1];

	text[strcspn(text, "\r\n")] = 0;
	text += strspn(text, " \t");
	char *rest = text + strcspn(text, " \t");
	if (*text == '#' || !*text)
		return;
	if (*rest)
		*rest++ = 0;
	else
		rest = nothing;
	bool regex = !strcmp(text, "mark");
	if (!regex)
		rest[strcspn(rest, "#")] = 0;
	line_cut(line, rest, regex);
	if (!line->error[0])
		read_item(line, text);
	for (uint32_t i = 0; i < line->nr; i++) {
		if (line->keys[i])
			line_fail(line, "unknown key", line->keys[i]);
	}
}

/* ---- the whole ---- */

/* From names to a mask, once all hooks are known; who is named has its returns waited for. */
static const char *resolve_inside(struct hook *hook)
{
	for (char *rest = hook->inside_names, *word; (word = strsep(&rest, ","));) {
		bool found = !*word;
		for (uint32_t i = 0; i < hooks.nr_calls; i++) {
			if (strcmp(hooks.calls[i].name, word))
				continue;
			hook->not_inside |= 1ULL << i;
			hooks.calls[i].tracked = true;
			found = true;
		}
		if (!found)
			return word;
	}
	return NULL;
}

static bool check_whole(const char *path, char **error)
{
	const char *missing = !hooks.text.nr ? "text" : NULL;

	for (uint32_t i = 0; i < hooks.nr_calls; i++) {
		const char *unknown = resolve_inside(&hooks.calls[i]);
		if (unknown) {
			if (asprintf(error, "%s: notinside=%s names no hook", path, unknown) < 0)
				*error = NULL;
			return false;
		}
		if (hooks.calls[i].pages.type == TYPE_STRUCT && !hooks.pages_base.nr)
			missing = "pages";
	}
	for (uint32_t i = 0; i < hooks.nr_arrays; i++) {
		struct array *array = &hooks.arrays[i];
		if ((array->in_struct || array->pages.type == TYPE_STRUCT) && !hooks.pages_base.nr)
			missing = "pages";
		if (array->in_struct)
			array->stride = (uint32_t)hooks.pages_stride;
	}
	if (missing && asprintf(error, "%s: no `%s` line", path, missing) < 0)
		*error = NULL;
	return !missing;
}

bool hooks_read(const char *path, char **error)
{
	static char text[LINE_BYTES];
	FILE *file = fopen(path, "re");
	unsigned row = 0;
	struct line line = {0};

	*error = NULL;
	hooks.ram_base = 0x80000000;
	hooks.stack_base = 0x80000000;
	hooks.stack_bytes = PAGE_BYTES;
	hooks.stack_top = 12;
	hooks.frame_pointers = true;
	if (!file) {
		if (asprintf(error, "%s: cannot be read", path) < 0)
			*error = NULL;
		return false;
	}
	while (!line.error[0] && fgets(text, sizeof(text), file)) {
		row++;
		line.nr = 0;
		read_line(&line, text);
	}
	fclose(file);
	hooks_sort_follow();
	if (line.error[0] && asprintf(error, "%s:%u: %s", path, row, line.error) < 0)
		*error = NULL;
	return !line.error[0] && check_whole(path, error);
}
