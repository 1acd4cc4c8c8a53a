/* SPDX-License-Identifier: MIT */
/* hooks: see hooks.h. */
#include "hooks.h"

#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "describe.h"
#include "expression.h"
#include "functions.h"

struct compiling {
	const struct kd *kd;
	const struct types *types;
	struct code *code;
	FILE *out;
	const struct kd_item *item; /* at hand */
	char *error;                /* the first */
	struct functions writers;   /* code of the allocator */
};

#define FAIL(compiling, ...)                                                                                 \
	do {                                                                                                 \
		if (!(compiling)->error) {                                                                   \
			char *what_ = xasprintf(__VA_ARGS__);                                                \
			char *where_ = kd_where((compiling)->kd, (compiling)->item);                         \
			(compiling)->error = xasprintf("%s: %s", where_, what_);                             \
			free(where_);                                                                        \
			free(what_);                                                                         \
		}                                                                                            \
	} while (0)

/* ---- parts of a line ---- */

/* An expression of the item, or `otherwise` (NULL: left out), as " as=TEXT". */
static void put_expression(struct compiling *compiling, const char *key, const char *as,
			   const char *otherwise)
{
	const char *text = kd_get(compiling->item, key);
	struct expression expression;
	char *error;

	text = text ? text : otherwise;
	if (!text)
		return;
	if (expression_compile(compiling->types, text, &expression, &error)) {
		fprintf(compiling->out, " %s=%s", as, expression.text);
		free(expression.text);
	} else {
		FAIL(compiling, "%s=%s", key, error);
		free(error);
	}
}

/* A number that must be known now; `otherwise` if it is not said. */
static uint64_t number_of(struct compiling *compiling, const char *key, uint64_t otherwise)
{
	const char *text = kd_get(compiling->item, key);
	struct expression expression = {0};
	char *error;

	if (!text)
		return otherwise;
	if (!expression_compile(compiling->types, text, &expression, &error)) {
		FAIL(compiling, "%s=%s", key, error);
		free(error);
	} else if (!expression.constant) {
		FAIL(compiling, "%s=%s: expected a number that is known before the kernel runs", key, text);
	}
	free(expression.text);
	return expression.value;
}

/* All functions that a list of names means. */
static void functions_of(struct compiling *compiling, const char *list, struct functions *out)
{
	char *name;

	for (size_t n = 0; (name = kd_nth(list, n)); n++) {
		size_t before = out->nr;
		functions_named(compiling->types, name, out);
		if (out->nr == before)
			FAIL(compiling, "there is no function %s in %s", name, types_path(compiling->types));
		free(name);
	}
}

/* "LO-HI,LO-HI" of the functions that a key names. */
static void put_ranges(struct compiling *compiling, const char *key)
{
	const char *list = kd_get(compiling->item, key);
	struct functions functions = {0};

	if (!list)
		return;
	functions_of(compiling, list, &functions);
	for (size_t i = 0; i < functions.nr; i++)
		fprintf(compiling->out, "%s%#" PRIx64 "-%#" PRIx64, i ? "," : "", functions.list[i]->low,
			functions.list[i]->high);
	free(functions.list);
}

static void put_words(struct compiling *compiling, const char *key)
{
	if (kd_get(compiling->item, key))
		fprintf(compiling->out, " %s=%s", key, kd_get(compiling->item, key));
}

/* ---- calls ---- */

static void put_call(struct compiling *compiling, const struct function *function, bool clones)
{
	const struct kd_item *item = compiling->item;
	bool alloc = item->verb == KD_ALLOC;
	struct functions jumping = {0};

	fprintf(compiling->out, "%s name=%s entry=%#" PRIx64, kd_verbs[item->verb].name, function->name,
		function->low);
	put_expression(compiling, "page", "page", kd_get(item, "each") ? NULL : alloc ? "ret" : "a0");
	put_words(compiling, "type");
	put_expression(compiling, "each", "each", NULL);
	put_expression(compiling, "n", "n", NULL);
	put_expression(compiling, "link", "link", NULL);
	put_expression(compiling, "count", "count", NULL);
	put_expression(compiling, "when", "when", NULL);
	if (alloc)
		put_expression(compiling, "fail", "fail", NULL);
	if (kd_get(item, "push")) {
		fprintf(compiling->out, " push=");
		put_ranges(compiling, "push");
	}
	/* A clone runs within the whole function, too, where the compiler split it. */
	const char *outer = kd_get(item, "notinside");
	if (outer || clones)
		fprintf(compiling->out, " notinside=%s%s%s", outer ? outer : "", outer && clones ? "," : "",
			clones ? function->name : "");
	functions_calling(compiling->code, function, true, &jumping);
	for (size_t i = 0; i < jumping.nr; i++)
		fprintf(compiling->out, "%s%#" PRIx64, i ? "," : " also=", jumping.list[i]->low);
	free(jumping.list);
	fputc('\n', compiling->out);
}

static void compile_call(struct compiling *compiling)
{
	struct functions functions = {0};

	functions_of(compiling, compiling->item->subject, &functions);
	if (kd_get(compiling->item, "each") &&
	    !kd_get(compiling->item, "n") == !kd_get(compiling->item, "link"))
		FAIL(compiling, "each needs n= (an array) or link= (a list)");
	for (size_t i = 0; i < functions.nr; i++)
		put_call(compiling, functions.list[i], functions.nr > 1);
	if (compiling->item->verb == KD_ALLOC || compiling->item->verb == KD_FREE) {
		functions_of(compiling, kd_get(compiling->item, "push"), &compiling->writers);
		for (size_t i = 0; i < functions.nr; i++) {
			functions_add(&compiling->writers, functions.list[i]);
			functions_called(compiling->code, functions.list[i], &compiling->writers);
		}
	}
	free(functions.list);
}

/* ---- arrays ---- */

static bool find_place(struct compiling *compiling, const char *text, struct place *place)
{
	char *error;

	if (place_find(compiling->types, text, place, &error))
		return true;
	FAIL(compiling, "%s", error);
	free(error);
	return false;
}

/* Counts that are members of struct page: elements as far apart as `pages` says. */
static void compile_members(struct compiling *compiling)
{
	if (!kd_item(compiling->kd, KD_PAGES, 0))
		FAIL(compiling, "in=struct needs an item pages, which says where the structures are");
	fprintf(compiling->out, "%s name=%s in=struct elem=%" PRIu64 " off=%" PRIu64,
		kd_verbs[compiling->item->verb].name, compiling->item->subject,
		number_of(compiling, "elem", 4), number_of(compiling, "off", 0));
	put_expression(compiling, "value", "value", NULL);
	if (kd_get(compiling->item, "funcs")) {
		fprintf(compiling->out, " funcs=");
		put_ranges(compiling, "funcs");
	}
	fputc('\n', compiling->out);
}

static void compile_array(struct compiling *compiling)
{
	struct place place;

	if (compiling->item->verb == KD_COUNT && kd_get(compiling->item, "in")) {
		compile_members(compiling);
		return;
	}
	if (!find_place(compiling, compiling->item->subject, &place))
		return;
	if (type_kind(place.type) == TYPE_ARRAY && place.nr == 1) {
		place.nr = type_count(place.type);
		place.type = type_target(place.type);
		place.stride = type_size(place.type);
	}
	uint64_t elem = number_of(compiling, "elem", type_size(place.type)),
		 off = number_of(compiling, "off", 0),
		 stride = number_of(compiling, "stride", place.type ? place.stride : elem),
		 size =
		     number_of(compiling, "size", place.type ? (place.nr - 1) * stride + elem : place.bytes);
	if (elem != 1 && elem != 2 && elem != 4 && elem != 8)
		FAIL(compiling, "elem=%" PRIu64 ": expected the bytes of a number, 1, 2, 4 or 8", elem);
	if (stride < elem + off || size < elem)
		FAIL(compiling,
		     "an element of %" PRIu64 " bytes does not fit stride %" PRIu64 " and size %" PRIu64,
		     elem, stride, size);
	fprintf(compiling->out,
		"%s name=%s lo=%#" PRIx64 " hi=%#" PRIx64 " elem=%" PRIu64 " off=%" PRIu64 " stride=%" PRIu64,
		kd_verbs[compiling->item->verb].name, compiling->item->subject, place.address,
		place.address + size, elem, off, stride);
	put_expression(compiling, "page", "page", NULL);
	if (!kd_get(compiling->item, "page"))
		FAIL(compiling, "expected page=…, the page of element i");
	put_words(compiling, "type");
	put_expression(compiling, "value", "value", NULL);
	if (compiling->item->verb == KD_STATE) {
		put_expression(compiling, "alloc", "alloc", NULL);
		put_expression(compiling, "free", "free", NULL);
	}
	if (kd_get(compiling->item, "funcs")) {
		fprintf(compiling->out, " funcs=");
		put_ranges(compiling, "funcs");
	}
	fputc('\n', compiling->out);
}

/* ---- what the audit reads ---- */

static void check_members(struct compiling *compiling, const struct type *type, const char *key)
{
	char *name, text[96];

	for (size_t n = 0; (name = kd_nth(kd_get(compiling->item, key), n)); n++) {
		if (!type_member(type, name, NULL))
			FAIL(compiling, "%s=%s: there is no member %s in %s", key,
			     kd_get(compiling->item, key), name, type_text(type, text, sizeof(text)));
		free(name);
	}
}

/* A key whose value the audit computes. */
static void check_expression(struct compiling *compiling, const char *key)
{
	struct expression expression;
	char *error;

	if (expression_compile(compiling->types, kd_get(compiling->item, key), &expression, &error)) {
		free(expression.text);
		return;
	}
	FAIL(compiling, "%s=%s", key, error);
	free(error);
}

/* Heads by a formula: no type says where the nodes have their links. */
static void check_heads(struct compiling *compiling)
{
	check_expression(compiling, "at");
	check_expression(compiling, "n");
	number_of(compiling, "next", 0);
	number_of(compiling, "link", 0);
	if (kd_get(compiling->item, "link") && !kd_item(compiling->kd, KD_PAGES, 0))
		FAIL(compiling, "link= needs an item pages, which says where the structures are");
}

/* The member of struct page that the item names; NULL: it names none, or there is none. */
static const struct type *frame_link(struct compiling *compiling, uint64_t *offset)
{
	const char *link = kd_get(compiling->item, "link");
	const struct type *frame = describe_frame_type(compiling->kd, compiling->types);

	if (link && !frame)
		FAIL(compiling,
		     "link=%s: there is no struct page in %s (the item `pages` has struct= for another name)",
		     link, types_path(compiling->types));
	else if (link)
		check_members(compiling, frame, "link");
	return link && frame ? type_member(frame, link, offset) : NULL;
}

static void check_list(struct compiling *compiling)
{
	struct place place;
	uint64_t offset;

	if (kd_get(compiling->item, "at")) {
		check_heads(compiling);
		return;
	}
	if (!find_place(compiling, compiling->item->subject, &place))
		return;
	const struct type *node =
	    type_kind(place.type) == TYPE_POINTER ? type_target(place.type) : place.type;
	check_members(compiling, node, "next");
	frame_link(compiling, &offset);
}

/* A registry, for the plugin: the words of the place, and those of each struct page by which pages hang in it. */
static void compile_weak(struct compiling *compiling)
{
	struct place place;
	uint64_t offset;
	const struct type *link = frame_link(compiling, &offset);

	if (!find_place(compiling, compiling->item->subject, &place))
		return;
	uint64_t one = place.type ? type_size(place.type) : place.bytes;
	bool apart = place.nr > 1 && place.stride > one;
	for (uint64_t i = 0; i < (apart ? place.nr : 1); i++) {
		uint64_t address = place.address + i * place.stride;
		fprintf(compiling->out, "weak lo=%#" PRIx64 " hi=%#" PRIx64 "\n", address,
			address + (apart || place.nr < 2 ? one : place.nr * place.stride));
	}
	if (link)
		fprintf(compiling->out, "weak in=struct off=%" PRIu64 " size=%" PRIu64 "\n", offset,
			type_size(link));
}

static void check_slots(struct compiling *compiling)
{
	static const char *const members[] = {"state", "pid", "tables", "stack", "sp", "frame", "name"};
	static const char *const numbers[] = {"unused", "running", "zombie"};
	struct place place;

	if (!find_place(compiling, compiling->item->subject, &place))
		return;
	if (compiling->item->verb == KD_TABLE) {
		check_members(compiling, place.type, "used");
		return;
	}
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		check_members(compiling, place.type, members[i]);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		number_of(compiling, numbers[i], 0);
}

static void check_functions(struct compiling *compiling)
{
	struct functions functions = {0};

	functions_of(compiling, compiling->item->subject, &functions);
	free(functions.list);
}

/* ---- the rest ---- */

static void compile_console(struct compiling *compiling)
{
	if (kd_get(compiling->item, "sbi")) {
		fprintf(compiling->out, "console sbi\n");
		return;
	}
	fprintf(compiling->out, "console");
	put_expression(compiling, "uart", "uart", NULL);
	put_expression(compiling, "pa", "pa", NULL);
	if (kd_get(compiling->item, "funcs")) {
		fprintf(compiling->out, " funcs=");
		put_ranges(compiling, "funcs");
	}
	fputc('\n', compiling->out);
}

static void compile_mark(struct compiling *compiling)
{
	const struct kd_pair *pair = &compiling->item->pairs[0];
	char problem[128];
	regex_t regex;
	int wrong = regcomp(&regex, pair->value, REG_EXTENDED);

	if (wrong) {
		regerror(wrong, &regex, problem, sizeof(problem));
		FAIL(compiling, "%s=%s: %s", pair->key, pair->value, problem);
		return;
	}
	regfree(&regex);
	fprintf(compiling->out, "mark %s=%s\n", pair->key, pair->value);
}

/* "text lo=… hi=…": a verb whose keys are expressions, under the plugin's names. */
static void compile_simple(struct compiling *compiling, const char *const (*keys)[2])
{
	fprintf(compiling->out, "%s", kd_verbs[compiling->item->verb].name);
	for (; (*keys)[0]; keys++)
		put_expression(compiling, (*keys)[0], (*keys)[1], NULL);
	fputc('\n', compiling->out);
}

static void compile_trap(struct compiling *compiling)
{
	struct functions functions = {0};

	functions_of(compiling, compiling->item->subject, &functions);
	for (size_t i = 0; i < functions.nr; i++) {
		fprintf(compiling->out, "trap lo=%#" PRIx64 " hi=%#" PRIx64, functions.list[i]->low,
			functions.list[i]->high);
		put_expression(compiling, "pc", "pc", NULL);
		put_expression(compiling, "fp", "fp", NULL);
		fputc('\n', compiling->out);
	}
	free(functions.list);
}

/* Frames are kept as distances from here: from where the lowest code begins. */
static uint64_t lowest_text(struct compiling *compiling)
{
	uint64_t lowest = UINT64_MAX;

	for (size_t n = 0; (compiling->item = kd_item(compiling->kd, KD_TEXT, n)); n++) {
		uint64_t from = number_of(compiling, "from", 0);
		lowest = from < lowest ? from : lowest;
	}
	return lowest == UINT64_MAX ? 0 : lowest & ~0xfffULL;
}

static void compile_stack(struct compiling *compiling)
{
	const struct kd_item *stack = kd_item(compiling->kd, KD_STACK, 0);

	fprintf(compiling->out, "stack base=%#" PRIx64, lowest_text(compiling));
	if (stack) {
		compiling->item = stack;
		put_expression(compiling, "size", "size", NULL);
		put_expression(compiling, "top", "top", NULL);
		put_words(compiling, "unwind");
	}
	fputc('\n', compiling->out);
}

static void compile_item(struct compiling *compiling)
{
	static const char *const text[][2] = {{"from", "lo"}, {"to", "hi"}, {NULL, NULL}},
				 *const ram[][2] = {{"base", "base"}, {NULL, NULL}},
				 *const map[][2] = {{"va", "va"},
						    {"pa", "pa"},
						    {"size", "size"},
						    {NULL, NULL}},
				 *const pid[][2] = {{"at", "at"}, {NULL, NULL}},
				 *const pages[][2] = {
				     {"base", "base"}, {"stride", "stride"}, {"pa", "pa"}, {NULL, NULL}};
	const char *const(*simple[KD_NR])[2] = {
	    [KD_TEXT] = text, [KD_RAM] = ram, [KD_MAP] = map, [KD_PID] = pid, [KD_PAGES] = pages};
	struct place place;

	switch (compiling->item->verb) {
	case KD_ALLOC:
	case KD_FREE:
	case KD_GET:
	case KD_PUT:
		compile_call(compiling);
		break;
	case KD_COUNT:
	case KD_STATE:
		compile_array(compiling);
		break;
	case KD_TRAP:
		compile_trap(compiling);
		break;
	case KD_PTE:
		fprintf(compiling->out, "pte");
		if (kd_get(compiling->item, "funcs")) {
			fprintf(compiling->out, " funcs=");
			put_ranges(compiling, "funcs");
		}
		put_expression(compiling, "levels", "levels", NULL);
		fputc('\n', compiling->out);
		break;
	case KD_CONSOLE:
		compile_console(compiling);
		break;
	case KD_MARK:
		compile_mark(compiling);
		break;
	case KD_LIST:
		check_list(compiling);
		break;
	case KD_PROCS:
	case KD_TABLE:
		check_slots(compiling);
		break;
	case KD_ROOT:
		find_place(compiling, compiling->item->subject, &place);
		break;
	case KD_WEAK:
		compile_weak(compiling);
		break;
	case KD_SLAB:
		check_members(compiling, describe_frame_type(compiling->kd, compiling->types), "free");
		check_members(compiling, describe_frame_type(compiling->kd, compiling->types), "used");
		break;
	case KD_OBJALLOC:
	case KD_OBJFREE:
		check_functions(compiling);
		break;
	case KD_HARTS:
		number_of(compiling, "most", 0);
		break;
	default:
		if (simple[compiling->item->verb])
			compile_simple(compiling, simple[compiling->item->verb]);
	}
}

static void put_writers(struct compiling *compiling)
{
	for (size_t i = 0; i < compiling->writers.nr; i++)
		fprintf(compiling->out, "%s%#" PRIx64 "-%#" PRIx64,
			i ? "," : "check writers=", compiling->writers.list[i]->low,
			compiling->writers.list[i]->high);
	if (compiling->writers.nr)
		fputc('\n', compiling->out);
}

char *hooks_compile(const struct kd *kd, const struct types *types, struct code *code, char **error)
{
	struct text_buffer buffer;
	struct compiling compiling = {.kd = kd, .types = types, .code = code, .out = text_begin(&buffer)};

	fprintf(compiling.out, "# %s, by names: see the description it was made from\n", types_path(types));
	for (enum kd_verb verb = 0; verb < KD_NR; verb++) {
		for (size_t n = 0; !compiling.error && (compiling.item = kd_item(kd, verb, n)); n++)
			compile_item(&compiling);
		if (verb == KD_STACK && !compiling.error)
			compile_stack(&compiling);
	}
	put_writers(&compiling);
	char *text = text_end(&buffer);
	free(compiling.writers.list);
	*error = compiling.error;
	if (!compiling.error)
		return text;
	free(text);
	return NULL;
}
