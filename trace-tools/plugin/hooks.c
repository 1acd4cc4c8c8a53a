/* SPDX-License-Identifier: MIT
 *
 * hooks: reads the hooks file; see hooks.h.
 *
 * A line is cut into its keyword and `key=value` pairs; each item asks for the pairs it knows and takes them out, and
 * what is left over at the end of the line is an error: a misspelt key must not pass in silence.
 */
#include "hooks.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"

#define PAIRS_MAX 32
#define LINE_BYTES 65536 /* lists of ranges are long */

struct hooks hooks;

struct line {
	uint32_t nr;
	char *keys[PAIRS_MAX], *values[PAIRS_MAX];
	char error[256]; /* "": none */
};

static void fail(struct line *line, const char *what, const char *which)
{
	if (!line->error[0])
		snprintf(line->error, sizeof(line->error), "%s%s%s", what, *which ? ": " : "", which);
}

/* The value of a key, taken out of the line; NULL when it is not given. */
static char *take(struct line *line, const char *key)
{
	for (uint32_t i = 0; i < line->nr; i++) {
		if (line->keys[i] && !strcmp(line->keys[i], key)) {
			line->keys[i] = NULL;
			return line->values[i];
		}
	}
	return NULL;
}

static uint64_t number(struct line *line, const char *key, uint64_t otherwise)
{
	char *text = take(line, key), *end;

	if (!text)
		return otherwise;
	uint64_t value = strtoull(text, &end, 0);
	if (!isdigit((unsigned char)*text) || *end)
		fail(line, "not a number", key);
	return value;
}

static uint64_t needed(struct line *line, const char *key)
{
	uint64_t value = number(line, key, NONE);

	if (value == NONE)
		fail(line, "missing", key);
	return value;
}

/* `otherwise` NULL: no formula unless it is given. */
static void formula(struct line *line, const char *key, struct expr *expr, const char *otherwise)
{
	const char *text = take(line, key);
	const char *error = text || otherwise ? expr_read(expr, text ? text : otherwise) : NULL;

	if (error)
		fail(line, error, key);
}

/* "LO-HI,LO-HI" or, for single addresses, "N,N". */
static void ranges(struct line *line, const char *key, struct ranges *ranges)
{
	char *text = take(line, key), *end = text;

	while (text && *text) {
		uint64_t lo = strtoull(text, &end, 0), hi = lo + 1;
		if (end != text && *end == '-') {
			text = end + 1;
			hi = strtoull(text, &end, 0);
		}
		if (end == text || (*end && *end != ',') || hi <= lo || ranges->nr == RANGES_MAX) {
			fail(line, "not a list of LO-HI", key);
			return;
		}
		if (!ranges->at)
			ranges->at = calloc(RANGES_MAX, sizeof(*ranges->at));
		if (!ranges->at) {
			fail(line, "out of memory", "");
			return;
		}
		ranges->at[ranges->nr++] = (struct range){lo, hi};
		text = *end ? end + 1 : end;
	}
}

static void name(struct line *line, char *where)
{
	const char *text = take(line, "name");

	snprintf(where, NAME_BYTES, "%s", text ? text : "?");
}

static void pages_of(struct line *line, struct pages_of *pages, const char *page, const char *type)
{
	static const char *const types[] = {"va", "pa", "pfn", "struct"};
	const char *text = take(line, "type");

	formula(line, "page", &pages->page, page);
	formula(line, "each", &pages->each, NULL);
	formula(line, "n", &pages->nr, NULL);
	pages->link = (int64_t)number(line, "link", NONE);
	if (pages->each.nr && !pages->nr.nr && pages->link < 0)
		fail(line, "each needs n or link", "");
	if (!text)
		text = type;
	for (pages->type = TYPE_VA; strcmp(types[pages->type], text); pages->type++) {
		if (pages->type == TYPE_STRUCT) {
			fail(line, "type is va, pa, pfn or struct, not", text);
			return;
		}
	}
}

/* ---- items ---- */

static void read_call(struct line *line, enum hook_kind kind)
{
	struct hook *hook = &hooks.calls[hooks.nr_calls];

	if (hooks.nr_calls == HOOKS_MAX) {
		fail(line, "too many calls to watch", "");
		return;
	}
	hooks.nr_calls++;
	hook->kind = kind;
	name(line, hook->name);
	hook->entry = needed(line, "entry");
	pages_of(line, &hook->pages, kind == HOOK_ALLOC ? "ret" : "a0", "va");
	formula(line, "count", &hook->count, "1");
	hook->fail = number(line, "fail", 0);
	ranges(line, "push", &hook->push);
	ranges(line, "also", &hook->also);
	take(line, "ret");
	const char *inside = take(line, "notinside");
	snprintf(hook->inside_names, sizeof(hook->inside_names), "%s", inside ? inside : "");
	hook->tracked = kind == HOOK_ALLOC;
}

/* Where the elements are: an array of its own, or a member of struct page. */
static void read_place(struct line *line, struct array *array)
{
	const char *in = take(line, "in");

	array->in_struct = in != NULL;
	if (in && strcmp(in, "struct"))
		fail(line, "in=struct, not", in);
	if (!in) {
		array->lo = needed(line, "lo");
		array->hi = needed(line, "hi");
		if (array->hi <= array->lo)
			fail(line, "the array has no elements", "");
	}
	array->elem = (uint32_t)number(line, "elem", 4);
	array->offset = (uint32_t)number(line, "off", 0);
	array->stride = (uint32_t)number(line, "stride", array->elem);
	if (array->elem != 1 && array->elem != 2 && array->elem != 4 && array->elem != 8)
		fail(line, "elem is 1, 2, 4 or 8", "");
	if (!in && (array->stride < array->elem || array->offset > array->stride - array->elem))
		fail(line, "the array has no room for its elements", "");
}

static void read_array(struct line *line, bool is_state)
{
	struct array *array = &hooks.arrays[hooks.nr_arrays];

	if (hooks.nr_arrays == ARRAYS_MAX) {
		fail(line, "too many arrays to watch", "");
		return;
	}
	hooks.nr_arrays++;
	array->is_state = is_state;
	name(line, array->name);
	read_place(line, array);
	pages_of(line, &array->pages, NULL, "pa");
	formula(line, "value", &array->value, NULL);
	array->plain = !array->value.nr;
	formula(line, "alloc", &array->alloc, NULL);
	formula(line, "free", &array->free, NULL);
	ranges(line, "funcs", &array->funcs);
	if (!array->pages.page.nr && !array->in_struct)
		fail(line, "missing", "page");
	if (is_state && !array->alloc.nr && !array->free.nr)
		fail(line, "a state needs alloc or free", "");
}

static void read_console(struct line *line, bool sbi)
{
	if (sbi) {
		hooks.sbi = true;
		return;
	}
	hooks.uart = needed(line, "uart");
	ranges(line, "funcs", &hooks.uart_funcs);
	if (!hooks.uart_funcs.nr)
		fail(line, "missing", "funcs");
}

static void read_mark(struct line *line)
{
	static const char *const keys[] = {"begin", "end", "panic"};
	struct mark_pattern *mark = &hooks.marks[hooks.nr_marks];

	for (mark->what = MARK_BEGIN; mark->what <= MARK_PANIC; mark->what++) {
		const char *text = take(line, keys[mark->what]);
		if (!text)
			continue;
		if (hooks.nr_marks == MARKS_MAX || regcomp(&mark->regex, text, REG_EXTENDED))
			fail(line, "no regular expression (or one too many)", text);
		else
			hooks.nr_marks++;
		return;
	}
	fail(line, "mark begin=, end= or panic=", "");
}

static void read_map(struct line *line)
{
	struct linear_map map = {needed(line, "va"), needed(line, "pa"), needed(line, "size")};

	if (hooks.nr_maps < MAPS_MAX)
		hooks.maps[hooks.nr_maps++] = map;
	else
		fail(line, "too many linear mappings", "");
}

static void read_trap(struct line *line)
{
	struct trap_entry *trap = &hooks.traps[hooks.nr_traps];

	if (hooks.nr_traps == MAPS_MAX) {
		fail(line, "too many trap entries", "");
		return;
	}
	hooks.nr_traps++;
	trap->lo = needed(line, "lo");
	trap->hi = needed(line, "hi");
	formula(line, "pc", &trap->pc, NULL);
	formula(line, "fp", &trap->fp, NULL);
}

static void read_text(struct line *line)
{
	struct ranges *text = &hooks.text;

	if (!text->at)
		text->at = calloc(MAPS_MAX, sizeof(*text->at));
	if (!text->at || text->nr == MAPS_MAX) {
		fail(line, "too many ranges of text", "");
		return;
	}
	text->at[text->nr++] = (struct range){needed(line, "lo"), needed(line, "hi")};
}

static void read_item(struct line *line, const char *keyword)
{
	if (!strcmp(keyword, "ram")) {
		hooks.ram_base = needed(line, "base");
		number(line, "size", 0);
	} else if (!strcmp(keyword, "text")) {
		read_text(line);
	} else if (!strcmp(keyword, "map")) {
		read_map(line);
	} else if (!strcmp(keyword, "pages")) {
		formula(line, "base", &hooks.pages_base, NULL);
		hooks.pages_stride = needed(line, "stride");
		hooks.pages_pa = needed(line, "pa");
		if (!hooks.pages_base.nr || !hooks.pages_stride)
			fail(line, "pages needs base and stride", "");
	} else if (!strcmp(keyword, "stack")) {
		const char *unwind = take(line, "unwind");
		hooks.stack_base = number(line, "base", hooks.stack_base);
		hooks.stack_bytes = number(line, "size", hooks.stack_bytes);
		hooks.stack_top = (uint32_t)number(line, "top", hooks.stack_top);
		hooks.frame_pointers = !unwind || !strcmp(unwind, "fp");
		if (!hooks.frame_pointers && strcmp(unwind, "none"))
			fail(line, "unwind is fp or none, not", unwind);
	} else if (!strcmp(keyword, "pid")) {
		formula(line, "at", &hooks.pid, NULL);
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
		ranges(line, "funcs", &hooks.pte_funcs);
		hooks.pte_levels = (uint32_t)number(line, "levels", 3);
	} else if (!strcmp(keyword, "check")) {
		ranges(line, "writers", &hooks.writers);
	} else if (!strcmp(keyword, "console")) {
		read_console(line, take(line, "sbi") != NULL);
	} else if (!strcmp(keyword, "mark")) {
		read_mark(line);
	} else {
		fail(line, "unknown item", keyword);
	}
}

/* A regular expression runs to the end of the line, all other values to the next blank. */
static void cut(struct line *line, char *text, bool to_the_end)
{
	while (*(text += strspn(text, " \t"))) {
		if (line->nr == PAIRS_MAX) {
			fail(line, "too many values", "");
			return;
		}
		char *end = text + (to_the_end ? strlen(text) : strcspn(text, " \t"));
		char *equals = memchr(text, '=', (size_t)(end - text));
		line->keys[line->nr] = text;
		line->values[line->nr++] = equals ? equals + 1 : end;
		text = *end ? end + 1 : end;
		*end = 0;
		if (equals)
			*equals = 0;
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
	cut(line, rest, regex);
	if (!line->error[0])
		read_item(line, text);
	for (uint32_t i = 0; i < line->nr; i++) {
		if (line->keys[i])
			fail(line, "unknown key", line->keys[i]);
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
	if (line.error[0] && asprintf(error, "%s:%u: %s", path, row, line.error) < 0)
		*error = NULL;
	return !line.error[0] && check_whole(path, error);
}
