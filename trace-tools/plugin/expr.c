/* SPDX-License-Identifier: MIT
 *
 * expr: see expr.h. Precedence climbing over a table of operators.
 */
#include "expr.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"
#include "qemu_api.h"

enum op {
	OP_NUMBER,
	OP_REGISTER,
	OP_RET,
	OP_HART,
	OP_I,
	OP_V,
	OP_OLD,
	OP_FRAME,
	OP_LOAD, /* value: bytes */
	OP_NEGATE,
	OP_NOT,
	OP_MUL,
	OP_DIV,
	OP_MOD,
	OP_ADD,
	OP_SUB,
	OP_SHL,
	OP_SHR,
	OP_LE,
	OP_GE,
	OP_LT,
	OP_GT,
	OP_EQ,
	OP_NE,
	OP_AND,
	OP_XOR,
	OP_OR,
};

/* Longer texts first where one begins like another. */
static const struct {
	const char *text;
	enum op op;
	int level;
} binaries[] = {
    {"<<", OP_SHL, 8}, {">>", OP_SHR, 8}, {"<=", OP_LE, 7},  {">=", OP_GE, 7},
    {"==", OP_EQ, 6},  {"!=", OP_NE, 6},  {"<", OP_LT, 7},   {">", OP_GT, 7},
    {"*", OP_MUL, 10}, {"/", OP_DIV, 10}, {"%", OP_MOD, 10}, {"+", OP_ADD, 9},
    {"-", OP_SUB, 9},  {"&", OP_AND, 5},  {"^", OP_XOR, 4},  {"|", OP_OR, 3},
};

static const struct {
	const char *name;
	enum op op;
	uint64_t value;
} names[] = {
    {"ret", OP_RET, 0},      {"hart", OP_HART, 0},     {"i", OP_I, 0},           {"v", OP_V, 0},
    {"old", OP_OLD, 0},      {"frame", OP_FRAME, 0},   {"zero", OP_REGISTER, 0}, {"ra", OP_REGISTER, 1},
    {"sp", OP_REGISTER, 2},  {"gp", OP_REGISTER, 3},   {"tp", OP_REGISTER, 4},   {"t0", OP_REGISTER, 5},
    {"t1", OP_REGISTER, 6},  {"t2", OP_REGISTER, 7},   {"s0", OP_REGISTER, 8},   {"fp", OP_REGISTER, 8},
    {"s1", OP_REGISTER, 9},  {"a0", OP_REGISTER, 10},  {"a1", OP_REGISTER, 11},  {"a2", OP_REGISTER, 12},
    {"a3", OP_REGISTER, 13}, {"a4", OP_REGISTER, 14},  {"a5", OP_REGISTER, 15},  {"a6", OP_REGISTER, 16},
    {"a7", OP_REGISTER, 17}, {"s2", OP_REGISTER, 18},  {"s3", OP_REGISTER, 19},  {"s4", OP_REGISTER, 20},
    {"s5", OP_REGISTER, 21}, {"s6", OP_REGISTER, 22},  {"s7", OP_REGISTER, 23},  {"s8", OP_REGISTER, 24},
    {"s9", OP_REGISTER, 25}, {"s10", OP_REGISTER, 26}, {"s11", OP_REGISTER, 27}, {"t3", OP_REGISTER, 28},
    {"t4", OP_REGISTER, 29}, {"t5", OP_REGISTER, 30},  {"t6", OP_REGISTER, 31},
};
#define NR(table) (sizeof(table) / sizeof((table)[0]))

struct reader {
	const char *at;
	struct expr *expr;
	int depth;
	const char *error;
};

static void read_binary(struct reader *reader, int level);

/* Appends a step that takes `takes` values and leaves one. */
static void add(struct reader *reader, enum op op, uint64_t value, int takes)
{
	struct expr *expr = reader->expr;

	reader->depth += 1 - takes;
	if (expr->nr == EXPR_OPS || reader->depth > EXPR_DEPTH) {
		reader->error = "the formula is too long";
		return;
	}
	expr->ops[expr->nr].op = (uint8_t)op;
	expr->ops[expr->nr++].value = value;
	if (op == OP_REGISTER)
		expr->registers |= 1U << value;
}

static void expect(struct reader *reader, char c)
{
	if (*reader->at == c)
		reader->at++;
	else if (!reader->error)
		reader->error = c == ']' ? "] is missing in a formula" : ") is missing in a formula";
}

/* A name, or a load: u32[…]. */
static void read_name(struct reader *reader)
{
	size_t length = 0;

	while (isalnum((unsigned char)reader->at[length]))
		length++;
	const char *word = reader->at;
	reader->at += length;
	if (*word == 'u' && *reader->at == '[') {
		unsigned long bits = strtoul(word + 1, NULL, 10);
		if (bits != 8 && bits != 16 && bits != 32 && bits != 64) {
			reader->error = "loads are u8[…], u16[…], u32[…] and u64[…]";
			return;
		}
		reader->at++;
		read_binary(reader, 0);
		expect(reader, ']');
		add(reader, OP_LOAD, bits / 8, 1);
		return;
	}
	for (size_t i = 0; i < NR(names); i++) {
		if (strlen(names[i].name) == length && !strncmp(names[i].name, word, length)) {
			add(reader, names[i].op, names[i].value, 0);
			return;
		}
	}
	reader->error = "unknown name in a formula";
}

static void read_unary(struct reader *reader)
{
	char *end;

	if (reader->error)
		return;
	if (*reader->at == '-' || *reader->at == '~') {
		enum op op = *reader->at++ == '-' ? OP_NEGATE : OP_NOT;
		read_unary(reader);
		add(reader, op, 0, 1);
	} else if (*reader->at == '(') {
		reader->at++;
		read_binary(reader, 0);
		expect(reader, ')');
	} else if (isdigit((unsigned char)*reader->at)) {
		add(reader, OP_NUMBER, strtoull(reader->at, &end, 0), 0);
		reader->at = end;
	} else if (isalpha((unsigned char)*reader->at)) {
		read_name(reader);
	} else {
		reader->error = "a formula ends early or has a sign that is none of its";
	}
}

static void read_binary(struct reader *reader, int level)
{
	read_unary(reader);
	for (size_t i = 0; i < NR(binaries) && !reader->error;) {
		size_t length = strlen(binaries[i].text);
		if (binaries[i].level <= level || strncmp(reader->at, binaries[i].text, length)) {
			i++;
			continue;
		}
		reader->at += length;
		read_binary(reader, binaries[i].level);
		add(reader, binaries[i].op, 0, 2);
		i = 0;
	}
}

const char *expr_read(struct expr *expr, const char *text)
{
	struct reader reader = {.at = text, .expr = expr};

	memset(expr, 0, sizeof(*expr));
	read_binary(&reader, 0);
	if (!reader.error && *reader.at)
		reader.error = "something follows the formula";
	return reader.error;
}

void expr_constant(struct expr *expr, uint64_t value)
{
	memset(expr, 0, sizeof(*expr));
	expr->nr = 1;
	expr->ops[0].op = OP_NUMBER;
	expr->ops[0].value = value;
}

void expr_fetch(struct expr_context *context, uint32_t set)
{
	for (; set; set &= set - 1) {
		unsigned number = (unsigned)__builtin_ctz(set);
		context->x[number] = qemu_register(context->hart, number);
	}
}

/* ---- computing ---- */

static bool load(unsigned hart, uint64_t va, uint64_t bytes, uint64_t *value)
{
	const uint8_t *host = guest_va(hart, va, bytes);

	*value = 0;
	if (host)
		memcpy(value, host, bytes);
	return host != NULL;
}

static bool two(enum op op, uint64_t a, uint64_t b, uint64_t *value)
{
	switch (op) {
	case OP_MUL:
		*value = a * b;
		break;
	case OP_DIV:
		*value = b ? a / b : 0;
		break;
	case OP_MOD:
		*value = b ? a % b : 0;
		break;
	case OP_ADD:
		*value = a + b;
		break;
	case OP_SUB:
		*value = a - b;
		break;
	case OP_SHL:
		*value = b < 64 ? a << b : 0;
		break;
	case OP_SHR:
		*value = b < 64 ? a >> b : 0;
		break;
	case OP_LE:
		*value = a <= b;
		break;
	case OP_GE:
		*value = a >= b;
		break;
	case OP_LT:
		*value = a < b;
		break;
	case OP_GT:
		*value = a > b;
		break;
	case OP_EQ:
		*value = a == b;
		break;
	case OP_NE:
		*value = a != b;
		break;
	case OP_AND:
		*value = a & b;
		break;
	case OP_XOR:
		*value = a ^ b;
		break;
	default:
		*value = a | b;
		break;
	}
	return b || (op != OP_DIV && op != OP_MOD);
}

bool expr_compute(const struct expr *expr, const struct expr_context *context, uint64_t *value)
{
	uint64_t stack[EXPR_DEPTH + 1];
	int top = 0;

	for (unsigned n = 0; n < expr->nr; n++) {
		uint64_t operand = expr->ops[n].value;
		switch ((enum op)expr->ops[n].op) {
		case OP_NUMBER:
			stack[top++] = operand;
			break;
		case OP_REGISTER:
			stack[top++] = context->x[operand];
			break;
		case OP_RET:
			stack[top++] = context->ret;
			break;
		case OP_HART:
			stack[top++] = context->hart;
			break;
		case OP_I:
			stack[top++] = context->i;
			break;
		case OP_V:
			stack[top++] = context->v;
			break;
		case OP_OLD:
			stack[top++] = context->old;
			break;
		case OP_FRAME:
			stack[top++] = context->frame;
			break;
		case OP_NEGATE:
			stack[top - 1] = -stack[top - 1];
			break;
		case OP_NOT:
			stack[top - 1] = ~stack[top - 1];
			break;
		case OP_LOAD:
			if (!load(context->hart, stack[top - 1], operand, &stack[top - 1]))
				return false;
			break;
		default:
			top--;
			if (!two((enum op)expr->ops[n].op, stack[top - 1], stack[top], &stack[top - 1]))
				return false;
		}
	}
	*value = top ? stack[top - 1] : 0;
	return top == 1;
}
