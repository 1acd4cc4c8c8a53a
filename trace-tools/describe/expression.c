/* SPDX-License-Identifier: MIT */
/*
 * expression: see expression.h. A recursive descent over C's grammar that carries the text for the plugin along.
 *
 * An operand is a value or a place: a place has a type and an address, and becomes a value when an operator wants one.
 */
#include "expression.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define NESTING_MAX 64

struct operand {
	bool constant, place; /* place: text is its address */
	uint64_t value;
	char *text;
	const struct type *type; /* of what is there, of a pointer's value; NULL: a number */
};

struct compiler {
	const struct types *types;
	const char *all, *at;
	const struct expression_memory *memory; /* NULL: loads are of run time */
	char *error;
	int depth;
};

static const char *const run_time_names[] = {
    "ret", "hart", "i",   "v",   "old", "frame", "ra", "sp", "gp", "tp", "fp", "t0", "t1",
    "t2",  "t3",   "t4",  "t5",  "t6",  "s0",    "s1", "s2", "s3", "s4", "s5", "s6", "s7",
    "s8",  "s9",   "s10", "s11", "a0",  "a1",    "a2", "a3", "a4", "a5", "a6", "a7"};

#define FAIL(compiler, ...)                                                                                  \
	do {                                                                                                 \
		if (!(compiler)->error) {                                                                    \
			char *what_ = xasprintf(__VA_ARGS__);                                                \
			(compiler)->error = xasprintf("%s: %s", (compiler)->all, what_);                     \
			free(what_);                                                                         \
		}                                                                                            \
	} while (0)

static struct operand expression(struct compiler *compiler, int level);

/* ---- operands ---- */

static struct operand number(uint64_t value)
{
	return (struct operand){true, false, value, xasprintf(value < 10 ? "%" PRIu64 : "%#" PRIx64, value),
				NULL};
}

static struct operand computed(char *text, const struct type *type)
{
	return (struct operand){false, false, 0, text, type};
}

static struct operand place_at(struct operand address, const struct type *type)
{
	address.place = true;
	address.type = type;
	return address;
}

/* Takes `by` bytes further; uses the operand up. */
static struct operand moved(struct operand from, uint64_t by)
{
	struct operand to;

	if (from.constant)
		to = number(from.value + by);
	else if (by)
		to = computed(xasprintf("(%s+%#" PRIx64 ")", from.text, by), NULL);
	else
		return from;
	free(from.text);
	return to;
}

/* What stands at a place of this many bytes. */
static struct operand loaded(struct compiler *compiler, struct operand place, uint64_t bytes)
{
	uint64_t value;

	if (compiler->memory && place.constant) {
		if (!compiler->memory->load(compiler->memory->context, place.value, bytes, &value))
			FAIL(compiler, "there is no memory at %s", place.text);
		struct operand result = number(compiler->error ? 0 : value);
		result.type = place.type;
		free(place.text);
		return result;
	}
	/* Brackets are parentheses enough: every computed text stands in one pair. */
	size_t length = strlen(place.text);
	bool pair = place.text[0] == '(';
	char *text = xasprintf("u%" PRIu64 "[%.*s]", bytes * 8, (int)(length - 2 * pair), place.text + pair);

	free(place.text);
	return computed(text, place.type);
}

/* The value of an operand: of a place what is there, of an array its address. */
static struct operand value_of(struct compiler *compiler, struct operand operand)
{
	uint64_t bytes = type_size(operand.type);

	if (!operand.place)
		return operand;
	operand.place = false;
	switch (type_kind(operand.type)) {
	case TYPE_ARRAY:
	case TYPE_FUNCTION:
		return operand;
	case TYPE_INTEGER:
	case TYPE_ENUM:
	case TYPE_POINTER:
		if (bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8)
			return loaded(compiler, operand, bytes); /* fall through */
	default: {
		char text[96];
		FAIL(compiler, "a %s is no number", type_text(operand.type, text, sizeof(text)));
		return operand;
	}
	}
}

/* ---- the words ---- */

static void skip_blanks(struct compiler *compiler)
{
	while (*compiler->at == ' ' || *compiler->at == '\t')
		compiler->at++;
}

static bool accept(struct compiler *compiler, const char *token)
{
	size_t bytes = strlen(token);

	skip_blanks(compiler);
	if (strncmp(compiler->at, token, bytes))
		return false;
	compiler->at += bytes;
	return true;
}

static void expect(struct compiler *compiler, const char *token)
{
	if (!accept(compiler, token))
		FAIL(compiler, "expected %s at \"%s\"", token, compiler->at);
}

static char *take_name(struct compiler *compiler)
{
	size_t bytes = 0;

	skip_blanks(compiler);
	/* A clone's symbol has dots in it, but so has a member's path: a variable's name has none. */
	while (isalnum((unsigned char)compiler->at[bytes]) || compiler->at[bytes] == '_' ||
	       compiler->at[bytes] == '$')
		bytes++;
	if (bytes == 0)
		return NULL;
	char *name = xasprintf("%.*s", (int)bytes, compiler->at);
	compiler->at += bytes;
	return name;
}

/* ---- primaries ---- */

static bool is_run_time_name(const char *name)
{
	for (size_t i = 0; i < sizeof(run_time_names) / sizeof(run_time_names[0]); i++) {
		if (!strcmp(run_time_names[i], name))
			return true;
	}
	return false;
}

/* u8[E] */
static bool memory_width(const char *name, uint64_t *bytes)
{
	*bytes = !strcmp(name, "u8")    ? 1
		 : !strcmp(name, "u16") ? 2
		 : !strcmp(name, "u32") ? 4
		 : !strcmp(name, "u64") ? 8
					: 0;
	return *bytes != 0;
}

static struct operand named(struct compiler *compiler, const char *name)
{
	const struct global *global = types_global(compiler->types, name);
	const struct function *function;
	const struct symbol *symbol;
	uint64_t bytes;
	int64_t value;

	if (compiler->memory && (!strcmp(name, "i") || !strcmp(name, "v")))
		return number(*name == 'i' ? compiler->memory->i : compiler->memory->v);
	if (is_run_time_name(name))
		return computed(xstrdup(name), NULL);
	if (memory_width(name, &bytes) && accept(compiler, "[")) {
		struct operand at = value_of(compiler, expression(compiler, 0));
		expect(compiler, "]");
		at.type = NULL;
		return loaded(compiler, at, bytes);
	}
	if (global)
		return place_at(number(global->address), global->type);
	if ((function = types_function(compiler->types, name)))
		return number(function->low);
	if ((symbol = types_symbol(compiler->types, name)))
		return number(symbol->address);
	if (types_enumerator(compiler->types, name, &value))
		return number((uint64_t)value);
	FAIL(compiler, "there is no %s in %s", name, types_path(compiler->types));
	return number(0);
}

static struct operand primary(struct compiler *compiler)
{
	skip_blanks(compiler);
	if (accept(compiler, "(")) {
		struct operand inner = expression(compiler, 0);
		expect(compiler, ")");
		return inner;
	}
	if (isdigit((unsigned char)*compiler->at)) {
		char *end;
		uint64_t value = strtoull(compiler->at, &end, 0);
		if (isalnum((unsigned char)*end) || *end == '_')
			FAIL(compiler, "expected a number at \"%s\"", compiler->at);
		compiler->at = end;
		return number(value);
	}
	char *name = take_name(compiler);
	if (!name) {
		FAIL(compiler,
		     *compiler->at ? "expected a name or a number at \"%s\""
				   : "expected a name or a number%s",
		     *compiler->at ? compiler->at : " at its end");
		return number(0);
	}
	struct operand operand = named(compiler, name);
	free(name);
	return operand;
}

static struct operand member(struct compiler *compiler, struct operand of, bool through)
{
	char *name = take_name(compiler), text[96];
	struct member_of found;

	if (through) {
		of = value_of(compiler, of);
		of = place_at(of, type_kind(of.type) == TYPE_POINTER ? type_target(of.type) : NULL);
	}
	if (!name)
		FAIL(compiler, "expected a member at \"%s\"", compiler->at);
	else if (!of.place || !type_find_member(of.type, name, &found))
		FAIL(compiler, "there is no member %s in %s", name, type_text(of.type, text, sizeof(text)));
	else if (found.bits)
		FAIL(compiler, "%s is a bit-field: say u32[&…] with a shift and a mask", name);
	else
		of = place_at(moved(of, found.offset), found.type);
	free(name);
	return of;
}

static struct operand element(struct compiler *compiler, struct operand of)
{
	struct operand index = value_of(compiler, expression(compiler, 0));

	expect(compiler, "]");
	bool pointer = type_kind(of.type) == TYPE_POINTER;
	if (pointer)
		of = value_of(compiler, of);
	const struct type *type = type_target(of.type);
	uint64_t bytes = type_size(type);
	if ((!pointer && type_kind(of.type) != TYPE_ARRAY) || bytes == 0) {
		FAIL(compiler, "[ ] behind what is no array");
		free(index.text);
		return of;
	}
	struct operand at;
	if (index.constant)
		at = moved(of, index.value * bytes);
	else {
		at = computed(xasprintf("(%s+%s*%#" PRIx64 ")", of.text, index.text, bytes), NULL);
		free(of.text);
	}
	free(index.text);
	return place_at(at, type);
}

static struct operand postfix(struct compiler *compiler)
{
	struct operand operand = primary(compiler);

	while (!compiler->error) {
		if (accept(compiler, "->"))
			operand = member(compiler, operand, true);
		else if (accept(compiler, "."))
			operand = member(compiler, operand, false);
		else if (accept(compiler, "["))
			operand = element(compiler, operand);
		else
			break;
	}
	return operand;
}

static struct operand unary(struct compiler *compiler)
{
	struct operand operand;
	char op;

	skip_blanks(compiler);
	op = *compiler->at;
	if (!op || !strchr("-~*&", op) || ++compiler->depth > NESTING_MAX)
		return postfix(compiler);
	compiler->at++;
	operand = unary(compiler);
	compiler->depth--;
	if (op == '&') {
		if (!operand.place && !operand.constant)
			FAIL(compiler, "& of what is no variable");
		operand.place = false;
		operand.type = NULL;
		return operand;
	}
	operand = value_of(compiler, operand);
	if (op == '*') {
		if (type_kind(operand.type) != TYPE_POINTER)
			FAIL(compiler, "* of what is no pointer: say u64[…]");
		return place_at(operand, type_target(operand.type));
	}
	struct operand result = operand.constant ? number(op == '-' ? 0 - operand.value : ~operand.value)
						 : computed(xasprintf("%c(%s)", op, operand.text), NULL);
	free(operand.text);
	return result;
}

/* ---- operators ---- */

/* Loosest first; of one level the longer ones first. */
static const char *const operators[][5] = {
    {"|"}, {"^"}, {"&"}, {"==", "!="}, {"<=", ">=", "<", ">"}, {"<<", ">>"}, {"+", "-"}, {"*", "/", "%"}};
#define LEVELS (sizeof(operators) / sizeof(operators[0]))

static uint64_t calculate(struct compiler *compiler, const char *op, uint64_t a, uint64_t b)
{
	switch (op[0] + (op[1] ? 256 : 0)) {
	case '|':
		return a | b;
	case '^':
		return a ^ b;
	case '&':
		return a & b;
	case '=' + 256:
		return a == b;
	case '!' + 256:
		return a != b;
	case '<':
		return a < b;
	case '>':
		return a > b;
	case '+':
		return a + b;
	case '-':
		return a - b;
	case '*':
		return a * b;
	case '/':
	case '%':
		if (b == 0)
			FAIL(compiler, "division by 0");
		return b == 0 ? 0 : op[0] == '/' ? a / b : a % b;
	case '<' + 256:
		return op[1] == '=' ? a <= b : a << (b & 63);
	default:
		return op[1] == '=' ? a >= b : a >> (b & 63);
	}
}

static const char *accept_operator(struct compiler *compiler, int level)
{
	skip_blanks(compiler);
	for (size_t i = 0; i < 5 && operators[level][i]; i++) {
		const char *op = operators[level][i];
		size_t bytes = strlen(op);
		if (strncmp(compiler->at, op, bytes) || !strncmp(compiler->at, "->", 2))
			continue;
		/* "<" is no "<<", "&" no "&&". */
		if (bytes == 1 && strchr("<>&|", op[0]) && compiler->at[1] == op[0])
			continue;
		compiler->at += bytes;
		return op;
	}
	return NULL;
}

static struct operand expression(struct compiler *compiler, int level)
{
	const char *op;

	if (level == (int)LEVELS)
		return unary(compiler);
	if (level == 0 && ++compiler->depth > NESTING_MAX) {
		FAIL(compiler, "too deep");
		return number(0);
	}
	struct operand left = expression(compiler, level + 1);
	while (!compiler->error && (op = accept_operator(compiler, level))) {
		struct operand right, both;
		left = value_of(compiler, left);
		right = value_of(compiler, expression(compiler, level + 1));
		if (left.constant && right.constant)
			both = number(calculate(compiler, op, left.value, right.value));
		else
			both = computed(xasprintf("(%s%s%s)", left.text, op, right.text), NULL);
		free(left.text);
		free(right.text);
		left = both;
	}
	if (level == 0)
		compiler->depth--;
	return left;
}

static bool compile(struct compiler *from, struct expression *out, char **error)
{
	struct compiler compiler = *from;
	struct operand operand = value_of(&compiler, expression(&compiler, 0));

	skip_blanks(&compiler);
	if (*compiler.at)
		FAIL(&compiler, "expected an operator at \"%s\"", compiler.at);
	*error = compiler.error;
	*out = (struct expression){operand.constant, operand.value, operand.text};
	if (!compiler.error)
		return true;
	free(operand.text);
	out->text = NULL;
	return false;
}

bool expression_compile(const struct types *types, const char *text, struct expression *out, char **error)
{
	return compile(&(struct compiler){.types = types, .all = text, .at = text}, out, error);
}

bool expression_evaluate(const struct types *types, const char *text, const struct expression_memory *memory,
			 uint64_t *value, char **error)
{
	struct expression expression;

	if (!compile(&(struct compiler){.types = types, .all = text, .at = text, .memory = memory},
		     &expression, error))
		return false;
	*value = expression.value;
	if (!expression.constant)
		*error = xasprintf("%s is known only while the kernel runs", text);
	free(expression.text);
	return expression.constant;
}

/* ---- places ---- */

/* What the text names up to its end, from a type on: "[].count" behind "ref". */
static bool place_rest(struct place *place, const char *rest)
{
	struct member_of found;

	const char *every = strstr(rest, "[]");
	char *before = xasprintf("%.*s", (int)(every ? (size_t)(every - rest) : strlen(rest)), rest);
	bool there = type_find_member(place->type, before + (*before == '.'), &found);
	free(before);
	if (!there)
		return false;
	place->address += found.offset;
	place->type = found.type;
	place->stride = type_size(found.type);
	place->nr = 1;
	if (!every)
		return true;
	if (type_kind(place->type) != TYPE_ARRAY || strstr(every + 2, "[]"))
		return false;
	place->nr = type_count(place->type);
	place->type = type_target(place->type);
	place->stride = type_size(place->type);
	if (!type_find_member(place->type, every + 2 + (every[2] == '.'), &found))
		return false;
	place->address += found.offset;
	place->type = found.type;
	return true;
}

bool place_find(const struct types *types, const char *text, struct place *out, char **error)
{
	size_t bytes = strcspn(text, ".[");
	char *name = xasprintf("%.*s", (int)bytes, text), buf[96];
	const struct global *global = types_global(types, name);
	const struct symbol *symbol = types_symbol(types, name);

	*error = NULL;
	if (isdigit((unsigned char)*text)) {
		struct expression number;
		*out = (struct place){.nr = 1};
		if (expression_compile(types, text, &number, error)) {
			out->address = number.value;
			free(number.text);
		}
	} else if (global) {
		*out = (struct place){.address = global->address, .type = global->type};
		if (!place_rest(out, text + bytes))
			*error = xasprintf("%s is a %s, which has no %s", name,
					   type_text(global->type, buf, sizeof(buf)), text + bytes);
		out->bytes = out->nr ? (out->nr - 1) * out->stride + type_size(out->type) : 0;
	} else if (symbol && !text[bytes]) {
		*out = (struct place){symbol->address, symbol->bytes, 1, NULL, symbol->bytes};
	} else {
		*error =
		    xasprintf(symbol ? "the type of %s is not known in %s" : "there is no variable %s in %s",
			      name, types_path(types));
	}
	free(name);
	return !*error;
}
