/* SPDX-License-Identifier: MIT */
/* code: see code.h. */
#include "code.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "insn.h"

#define SLOTS_MAX 128
/* Unknowns below this are the arguments. */
#define FIRST_UNKNOWN 8
/* Where the RAM of QEMU's virt machine begins. */
#define RAM_BEGINS 0x80000000ULL
/* How far results of callees are followed. */
#define CALLS_DEEP 3
/* A function longer than this is a damaged one. */
#define FUNCTION_MAX (1U << 20)

struct slot {
	int64_t offset; /* of the stack pointer at entry */
	struct value value;
};

/* What is known between two instructions. */
struct state {
	struct value regs[32];
	struct slot slots[SLOTS_MAX];
	uint32_t nr_slots;
};

struct label {
	uint64_t pc;
	struct state state;
};

struct code {
	const struct types *types;
	struct code_function **functions; /* by the function's number */
	size_t nr;
	int depth;
};

struct reading {
	struct code *code;
	struct code_function *out;
	struct state state;
	struct label *labels; /* targets of jumps forward that are ahead */
	size_t nr_labels, labels_capacity;
	uint32_t next_unknown;
	bool reached; /* the next instruction, from the one before it */
};

/* ---- values ---- */

static struct value fresh(struct reading *reading)
{
	return (struct value){VALUE_UNKNOWN, reading->next_unknown++, 0, 0, 1, 0};
}

static struct value constant(int64_t c)
{
	return (struct value){VALUE_CONST, 0, 0, c, 0, 0};
}

/* The pointer loaded from a fixed address, by itself. */
static bool is_pointer(struct value v)
{
	return v.base == VALUE_UNKNOWN && v.via && v.k == 0;
}

/* The same as an unknown of which nothing more is asked than its bits. */
static struct value plain(struct value v)
{
	if (is_pointer(v)) {
		v.via = 0;
		v.k = 1;
	}
	return v;
}

static struct value add(struct reading *reading, struct value a, struct value b)
{
	if (b.base == VALUE_CONST || (is_pointer(b) && a.base != VALUE_CONST)) {
		struct value swap = a;
		a = b;
		b = swap;
	}
	b.c = (int64_t)((uint64_t)b.c + (uint64_t)a.c);
	if (a.base == VALUE_CONST)
		return b;
	if (is_pointer(a) && b.base == VALUE_UNKNOWN && !b.via) {
		b.via = a.via;
		return b;
	}
	if (a.base == VALUE_UNKNOWN && b.base == VALUE_UNKNOWN && a.x == b.x && a.shift == b.shift &&
	    !a.via && !b.via) {
		b.k = (int64_t)((uint64_t)b.k + (uint64_t)a.k);
		return b;
	}
	if (is_pointer(a) || is_pointer(b))
		return add(reading, plain(a), plain(b));
	/* Two unknowns: their sum is one, and the constants stay, as one may be an array's address. */
	struct value sum = fresh(reading);
	if (a.base != VALUE_FRAME && b.base != VALUE_FRAME)
		sum.c = b.c;
	return sum;
}

static struct value negated(struct reading *reading, struct value v)
{
	v = plain(v);
	if (v.base == VALUE_FRAME || v.via)
		return fresh(reading);
	v.c = (int64_t)(0 - (uint64_t)v.c);
	v.k = (int64_t)(0 - (uint64_t)v.k);
	return v;
}

static struct value subtract(struct reading *reading, struct value a, struct value b)
{
	a = b.base == VALUE_CONST ? a : plain(a);
	b = plain(b);
	if (b.base == VALUE_UNKNOWN && !(a.base == VALUE_UNKNOWN && a.x == b.x && a.shift == b.shift))
		return fresh(reading); /* No array lies at a pointer taken off. */
	struct value difference = add(reading, a, negated(reading, b));
	if (difference.base == VALUE_UNKNOWN && difference.k == 0 && !difference.via)
		return constant(difference.c);
	return difference;
}

/*
 * Of `unit` bytes only the lowest `width` bits are kept: of a page's address, or number, that takes the start of RAM
 * off, where RAM begins at a multiple of what is kept.
 */
static struct value truncated(struct value v, int width)
{
	uint64_t ram = v.shift ? RAM_BEGINS >> 12 : RAM_BEGINS;

	if (v.base == VALUE_UNKNOWN && v.k > 0 && width < 63 && ram % (1ULL << width) == 0)
		v.c = (int64_t)((uint64_t)v.c - (uint64_t)v.k * ram);
	return v;
}

static bool power_of_two(int64_t k, int *log)
{
	*log = k > 0 ? __builtin_ctzll((uint64_t)k) : 0;
	return k > 0 && (k & (k - 1)) == 0;
}

static struct value shift_left(struct reading *reading, struct value v, int64_t bits)
{
	v = plain(v);
	if (v.base == VALUE_FRAME || v.via || bits < 0 || bits > 63)
		return fresh(reading);
	v.c = (int64_t)((uint64_t)v.c << bits);
	v.k = (int64_t)((uint64_t)v.k << bits);
	return v;
}

static struct value multiply(struct reading *reading, struct value a, struct value b)
{
	struct value v = plain(a.base == VALUE_CONST ? b : a), by = a.base == VALUE_CONST ? a : b;

	if (by.base != VALUE_CONST || v.base == VALUE_FRAME || v.via)
		return fresh(reading);
	v.c = (int64_t)((uint64_t)v.c * (uint64_t)by.c);
	v.k = (int64_t)((uint64_t)v.k * (uint64_t)by.c);
	return v;
}

static struct value shift_right(struct reading *reading, struct value v, int64_t bits, bool is_signed)
{
	v = plain(v);
	if (v.base == VALUE_FRAME || v.via || bits < 0 || bits > 63)
		return fresh(reading);
	if (v.base == VALUE_CONST)
		return constant(is_signed ? v.c >> bits : (int64_t)((uint64_t)v.c >> bits));
	int64_t rest = (int64_t)((1ULL << bits) - 1);
	int left;
	/* What was shifted left comes back, but for what was lost on the way; 32 bits and more are a whole number. */
	if (!(v.k & rest) && !(v.c & rest)) {
		bool lost = power_of_two(v.k, &left) && left > 32;
		v.c >>= bits;
		v.k >>= bits;
		return lost ? truncated(v, 64 - left) : v;
	}
	/* Bits out of the middle of an address: left to lose those above, right to lose those below. */
	if (!power_of_two(v.k, &left) || v.shift != 0 || bits - left < 10 || (left && v.c))
		return fresh(reading);
	v.k = 1;
	v.shift = (uint32_t)(bits - left);
	v.c >>= bits;
	return left ? truncated(v, 64 - (int)bits) : v;
}

static struct value mask(struct reading *reading, struct value a, struct value b)
{
	if (a.base == VALUE_CONST) {
		struct value swap = a;
		a = b;
		b = swap;
	}
	if (b.base != VALUE_CONST)
		return fresh(reading);
	if (a.base == VALUE_CONST)
		return constant(a.c & b.c);
	a = plain(a);
	/* Down to a page: x is a page's address, or the constant decides. */
	if (a.base == VALUE_UNKNOWN && b.c == -4096 && a.k == 1 && !a.shift && !a.via) {
		a.c &= b.c;
		return a;
	}
	/* All below a power of two. */
	int width;
	if (a.base == VALUE_UNKNOWN && a.k == 1 && !a.via && b.c < INT64_MAX &&
	    power_of_two(b.c + 1, &width) && width >= 12)
		return truncated(a, width);
	return fresh(reading);
}

/* ---- stack slots ---- */

static struct value *slot_at(struct reading *reading, int64_t offset)
{
	for (uint32_t i = 0; i < reading->state.nr_slots; i++) {
		if (reading->state.slots[i].offset == offset)
			return &reading->state.slots[i].value;
	}
	return NULL;
}

static void slot_set(struct reading *reading, int64_t offset, struct value value)
{
	struct value *slot = slot_at(reading, offset);

	if (slot)
		*slot = value;
	else if (reading->state.nr_slots < SLOTS_MAX)
		reading->state.slots[reading->state.nr_slots++] = (struct slot){offset, value};
}

/* ---- jumps ---- */

static void remember(struct reading *reading, uint64_t from, uint64_t to)
{
	if (to <= from)
		return;
	for (size_t i = 0; i < reading->nr_labels; i++) {
		if (reading->labels[i].pc == to)
			return;
	}
	ARRAY_PUSH(reading->labels, reading->nr_labels, reading->labels_capacity) =
	    (struct label){to, reading->state};
}

/* Both sides of a join: a side that knows wins over one that does not. */
static void join(struct reading *reading, const struct state *other)
{
	if (!reading->reached) {
		reading->state = *other;
		return;
	}
	for (int i = 1; i < 32; i++) {
		struct value *mine = &reading->state.regs[i];
		const struct value *theirs = &other->regs[i];
		bool known = theirs->base != VALUE_UNKNOWN || theirs->x < FIRST_UNKNOWN || theirs->shift ||
			     theirs->via;
		if (mine->base == VALUE_UNKNOWN && mine->x >= FIRST_UNKNOWN && !mine->shift && !mine->via &&
		    known)
			*mine = *theirs;
	}
}

static void arrive(struct reading *reading, uint64_t pc)
{
	for (size_t i = 0; i < reading->nr_labels; i++) {
		if (reading->labels[i].pc != pc)
			continue;
		join(reading, &reading->labels[i].state);
		reading->reached = true;
		reading->labels[i] = reading->labels[--reading->nr_labels];
		return;
	}
}

/* What a callee gives back that only shifts and adds to its argument, as `(pa - base) / 4096` in a function of its own. */
static struct value call_result(struct reading *reading, uint64_t target, const struct value *arguments)
{
	const struct function *function = target ? types_function_at(reading->code->types, target) : NULL;

	if (!function || function->low != target || reading->code->depth > CALLS_DEEP)
		return fresh(reading);
	const struct code_function *callee = code_of(reading->code, function);
	struct value result = callee->result, argument;
	bool followed =
	    callee->returns && result.base == VALUE_UNKNOWN && result.x < 8 && !result.via && result.k;
	if (!followed)
		return fresh(reading);
	argument = arguments[result.x];
	if (result.shift)
		argument = shift_right(reading, argument, result.shift, true);
	if (argument.base == VALUE_FRAME || (argument.via && result.k != 1))
		return fresh(reading);
	argument.c = (int64_t)((uint64_t)argument.c * (uint64_t)result.k + (uint64_t)result.c);
	argument.k = (int64_t)((uint64_t)argument.k * (uint64_t)result.k);
	return argument;
}

static void call_to(struct reading *reading, uint64_t pc, uint64_t target, bool tail)
{
	struct code_function *out = reading->out;
	const struct value *arguments = &reading->state.regs[REG_A0];

	ARRAY_PUSH(out->calls, out->nr_calls, out->calls_capacity) =
	    (struct call){pc, target, tail, {arguments[0], arguments[1], arguments[2], arguments[3]}};
	if (tail)
		return;
	struct value result = call_result(reading, target, arguments);
	for (int i = 1; i < 32; i++) {
		bool saved = i == REG_SP || i == REG_GP || i == REG_TP || i == REG_S0 || i == 9 ||
			     (i >= 18 && i <= 27);
		if (!saved)
			reading->state.regs[i] = fresh(reading);
	}
	reading->state.regs[REG_A0] = result;
}

static void jump(struct reading *reading, uint64_t pc, const struct insn *insn)
{
	const struct function *function = reading->out->function;
	uint64_t target = pc + (uint64_t)insn->imm;

	if (insn->kind == INSN_JALR) {
		struct value to = reading->state.regs[insn->rs1];
		if (insn->rd == REG_ZERO && insn->rs1 == REG_RA) {
			if (!reading->out->returns)
				reading->out->result = reading->state.regs[REG_A0];
			reading->out->returns = true;
			reading->reached = false;
			return;
		}
		target = to.base == VALUE_CONST ? (uint64_t)(to.c + insn->imm) : 0;
	}
	bool inside = target >= function->low && target < function->high;
	if (insn->rd != REG_ZERO) {
		call_to(reading, pc, target, false);
		return;
	}
	if (inside && target != function->low)
		remember(reading, pc, target);
	else if (target)
		call_to(reading, pc, target, true);
	reading->reached = false;
}

static void branch(struct reading *reading, uint64_t pc, const struct insn *insn)
{
	const struct function *function = reading->out->function;
	uint64_t target = pc + (uint64_t)insn->imm;

	if (target >= function->low && target < function->high)
		remember(reading, pc, target);
	else
		call_to(reading, pc, target, true);
}

/* ---- instructions ---- */

static void access(struct reading *reading, uint64_t pc, const struct insn *insn)
{
	static const enum access_kind kinds[] = {[INSN_LOAD] = ACCESS_LOAD,
						 [INSN_LR] = ACCESS_LOAD,
						 [INSN_STORE] = ACCESS_STORE,
						 [INSN_AMO] = ACCESS_ATOMIC};
	struct code_function *out = reading->out;
	struct value address =
			 add(reading,
			     constant(insn->kind == INSN_LOAD || insn->kind == INSN_STORE ? insn->imm : 0),
			     reading->state.regs[insn->rs1]),
		     stored = insn->rs2 >= 0 ? reading->state.regs[insn->rs2] : constant(0), *slot;

	if (address.base == VALUE_FRAME) {
		if (insn->kind == INSN_STORE)
			slot_set(reading, address.c, stored);
		else if (insn->rd > 0)
			reading->state.regs[insn->rd] =
			    (slot = slot_at(reading, address.c)) && insn->bytes >= 4 ? *slot : fresh(reading);
		return;
	}
	ARRAY_PUSH(out->accesses, out->nr_accesses, out->accesses_capacity) =
	    (struct access){kinds[insn->kind], pc, insn->bytes, address, stored};
	if (insn->rd > 0) {
		struct value loaded = fresh(reading);
		if (address.base == VALUE_CONST && insn->bytes == 8) {
			loaded.via = (uint64_t)address.c;
			loaded.k = 0;
		}
		reading->state.regs[insn->rd] = loaded;
	}
}

static struct value computed(struct reading *reading, uint64_t pc, const struct insn *insn)
{
	struct value a = insn->rs1 >= 0 ? reading->state.regs[insn->rs1] : constant(0),
		     b = insn->rs2 >= 0 ? reading->state.regs[insn->rs2] : constant(insn->imm);

	switch (insn->kind) {
	case INSN_LUI:
		return constant(insn->imm);
	case INSN_AUIPC:
		return constant((int64_t)pc + insn->imm);
	case INSN_ADDI:
	case INSN_ADD:
		return add(reading, a, b);
	case INSN_SUB:
		return subtract(reading, a, b);
	case INSN_MUL:
		return multiply(reading, a, b);
	case INSN_SLLI:
		return shift_left(reading, a, insn->imm);
	case INSN_SRLI:
	case INSN_SRAI:
		return shift_right(reading, a, insn->imm, insn->kind == INSN_SRAI);
	case INSN_ANDI:
	case INSN_AND:
		return mask(reading, a, b);
	default:
		return fresh(reading);
	}
}

static void step(struct reading *reading, uint64_t pc, const struct insn *insn)
{
	switch (insn->kind) {
	case INSN_JAL:
	case INSN_JALR:
		jump(reading, pc, insn);
		return;
	case INSN_BRANCH:
		branch(reading, pc, insn);
		return;
	case INSN_LOAD:
	case INSN_STORE:
	case INSN_AMO:
	case INSN_LR:
		access(reading, pc, insn);
		return;
	case INSN_ECALL:
		reading->out->ecall = true;
		reading->state.regs[REG_A0] = fresh(reading);
		return;
	case INSN_RETURN:
		reading->reached = false;
		return;
	default:
		break;
	}
	if (insn->rd <= 0)
		return;
	struct value value = computed(reading, pc, insn);
	/* On 32 bits: the same number while it is one of 32 bits. */
	if (insn->word && value.base == VALUE_CONST)
		value.c = (int32_t)value.c;
	if (insn->rd == REG_S0 && value.base == VALUE_FRAME && value.c == 0)
		reading->out->frame_pointer = true;
	reading->state.regs[insn->rd] = value;
}

static void begin(struct reading *reading, struct code *code, struct code_function *out)
{
	*reading = (struct reading){.code = code, .out = out, .next_unknown = FIRST_UNKNOWN, .reached = true};
	for (int i = 0; i < 32; i++)
		reading->state.regs[i] = fresh(reading);
	for (uint32_t i = 0; i < 8; i++)
		reading->state.regs[REG_A0 + i].x = i;
	reading->state.regs[REG_ZERO] = constant(0);
	reading->state.regs[REG_SP] = (struct value){.base = VALUE_FRAME};
}

static void read_function(struct code *codes, struct code_function *out)
{
	const struct function *function = out->function;
	uint64_t bytes = function->high - function->low;
	const uint8_t *code =
	    bytes && bytes <= FUNCTION_MAX ? types_bytes(codes->types, function->low, bytes) : NULL;
	struct reading *reading = xcalloc(1, sizeof(*reading));

	begin(reading, codes, out);
	for (uint64_t at = 0; code && at < bytes;) {
		struct insn insn = insn_decode(code + at, bytes - at);
		if (insn.size == 0)
			break;
		arrive(reading, function->low + at);
		out->nr_instructions++;
		out->nr_unknown += insn.kind == INSN_UNKNOWN;
		step(reading, function->low + at, &insn);
		at += insn.size;
	}
	free(reading->labels);
	free(reading);
}

/* ---- asking ---- */

struct code *code_open(const struct types *types)
{
	struct code *code = xcalloc(1, sizeof(*code));

	code->types = types;
	code->nr = types_nr_functions(types);
	code->functions = xcalloc(code->nr + 1, sizeof(*code->functions));
	return code;
}

void code_close(struct code *code)
{
	for (size_t i = 0; i < code->nr; i++) {
		if (!code->functions[i])
			continue;
		free(code->functions[i]->accesses);
		free(code->functions[i]->calls);
		free(code->functions[i]);
	}
	free(code->functions);
	free(code);
}

const struct types *code_types(const struct code *code)
{
	return code->types;
}

const struct code_function *code_of(struct code *code, const struct function *function)
{
	size_t i = (size_t)(function - types_function_by_number(code->types, 0));

	if (!code->functions[i]) {
		code->functions[i] = xcalloc(1, sizeof(**code->functions));
		code->functions[i]->function = function;
		code->depth++;
		read_function(code, code->functions[i]);
		code->depth--;
	}
	return code->functions[i];
}

bool access_in(const struct access *access, uint64_t low, uint64_t high)
{
	return access->address.base != VALUE_FRAME && !access->address.via &&
	       (uint64_t)access->address.c >= low && (uint64_t)access->address.c < high;
}

bool code_addresses(struct code *code, const struct function *function, uint64_t low, uint64_t high)
{
	const struct code_function *read = code_of(code, function);

	for (size_t i = 0; i < read->nr_accesses; i++) {
		if (access_in(&read->accesses[i], low, high))
			return true;
	}
	return false;
}

bool code_calls(struct code *code, const struct function *function, const struct function *other)
{
	const struct code_function *read = code_of(code, function);

	for (size_t i = 0; i < read->nr_calls; i++) {
		if (read->calls[i].target == other->low)
			return true;
	}
	return false;
}
