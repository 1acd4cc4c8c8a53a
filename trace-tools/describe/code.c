/* SPDX-License-Identifier: MIT */
/* code: see code.h. */
#include "code.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "insn.h"
#include "value.h"

#define SLOTS_MAX 128
/* Unknowns below this are the arguments. */
#define FIRST_UNKNOWN 8
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
	struct known_variable *known; /* by address */
	size_t nr_known, known_capacity;
	bool learned; /* known is whole */
};

struct known_variable {
	uint64_t address, value;
	bool several; /* other values are stored, too */
};

struct reading {
	struct code *code;
	struct code_function *out;
	struct state state;
	struct label *labels; /* targets of jumps forward that are ahead */
	size_t nr_labels, labels_capacity;
	struct label
	    *back; /* targets of jumps back: used where nothing else leads, when the function is read again */
	size_t nr_back, back_capacity;
	uint32_t next_unknown;
	bool reached; /* the next instruction, from the one before it */
};

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

static const struct label *label_at(const struct label *labels, size_t nr, uint64_t pc)
{
	for (size_t i = 0; i < nr; i++) {
		if (labels[i].pc == pc)
			return &labels[i];
	}
	return NULL;
}

static void remember(struct reading *reading, uint64_t from, uint64_t to)
{
	if (to <= from && !label_at(reading->back, reading->nr_back, to))
		ARRAY_PUSH(reading->back, reading->nr_back, reading->back_capacity) =
		    (struct label){to, reading->state};
	if (to > from && !label_at(reading->labels, reading->nr_labels, to))
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
	const struct label *label = label_at(reading->labels, reading->nr_labels, pc);

	if (label) {
		join(reading, &label->state);
		reading->labels[label - reading->labels] = reading->labels[--reading->nr_labels];
	} else if (!reading->reached && (label = label_at(reading->back, reading->nr_back, pc))) {
		reading->state = label->state;
	}
	reading->reached |= label != NULL;
}

/* What a callee gives back that only shifts and adds to its argument, as `(pa - base) / 4096` in a function of its own. */
static struct value call_result(struct reading *reading, uint64_t target, const struct value *arguments)
{
	const struct function *function = target ? types_function_at(reading->code->types, target) : NULL;

	if (!function || function->low != target || reading->code->depth > CALLS_DEEP)
		return value_fresh(&reading->next_unknown);
	const struct code_function *callee = code_of(reading->code, function);
	struct value result = callee->result, argument;
	bool followed =
	    callee->returns && result.base == VALUE_UNKNOWN && result.x < 8 && !result.via && result.k;
	if (!followed)
		return value_fresh(&reading->next_unknown);
	argument = arguments[result.x];
	if (result.less && (argument.base != VALUE_UNKNOWN || argument.k != 1 || argument.shift ||
			    argument.via || argument.less))
		return value_fresh(&reading->next_unknown);
	if (result.less)
		argument.less = result.less;
	if (result.shift)
		argument = value_shift_right(&reading->next_unknown, argument, result.shift, true);
	if (argument.base == VALUE_FRAME || (argument.via && result.k != 1))
		return value_fresh(&reading->next_unknown);
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
			reading->state.regs[i] = value_fresh(&reading->next_unknown);
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

static struct value loaded(struct reading *reading, const struct value *address, uint32_t bytes)
{
	struct value value = value_fresh(&reading->next_unknown);

	if (address->base != VALUE_CONST || bytes != 8)
		return value;
	for (size_t i = 0; reading->code->learned && i < reading->code->nr_known; i++) {
		if (reading->code->known[i].address == (uint64_t)address->c)
			return value_constant((int64_t)reading->code->known[i].value);
	}
	value.via = (uint64_t)address->c;
	value.k = 0;
	return value;
}

static void access(struct reading *reading, uint64_t pc, const struct insn *insn)
{
	static const enum access_kind kinds[] = {[INSN_LOAD] = ACCESS_LOAD,
						 [INSN_LR] = ACCESS_LOAD,
						 [INSN_STORE] = ACCESS_STORE,
						 [INSN_AMO] = ACCESS_ATOMIC};
	struct code_function *out = reading->out;
	struct value address = value_add(
			 &reading->next_unknown,
			 value_constant(insn->kind == INSN_LOAD || insn->kind == INSN_STORE ? insn->imm : 0),
			 reading->state.regs[insn->rs1]),
		     stored = insn->rs2 >= 0 ? reading->state.regs[insn->rs2] : value_constant(0), *slot;

	if (address.base == VALUE_FRAME) {
		if (insn->kind == INSN_STORE)
			slot_set(reading, address.c, stored);
		else if (insn->rd > 0)
			reading->state.regs[insn->rd] =
			    (slot = slot_at(reading, address.c)) && insn->bytes >= 4
				? *slot
				: value_fresh(&reading->next_unknown);
		return;
	}
	struct value found = insn->rd > 0
				 ? loaded(reading, &address, insn->kind == INSN_AMO ? 0 : insn->bytes)
				 : value_constant(0);
	ARRAY_PUSH(out->accesses, out->nr_accesses, out->accesses_capacity) =
	    (struct access){kinds[insn->kind], pc, insn->bytes, address, stored, found};
	if (insn->rd > 0)
		reading->state.regs[insn->rd] = found;
}

static struct value computed(struct reading *reading, uint64_t pc, const struct insn *insn)
{
	struct value a = insn->rs1 >= 0 ? reading->state.regs[insn->rs1] : value_constant(0),
		     b = insn->rs2 >= 0 ? reading->state.regs[insn->rs2] : value_constant(insn->imm);

	switch (insn->kind) {
	case INSN_LUI:
		return value_constant(insn->imm);
	case INSN_AUIPC:
		return value_constant((int64_t)pc + insn->imm);
	case INSN_ADDI:
	case INSN_ADD:
		return value_add(&reading->next_unknown, a, b);
	case INSN_SUB:
		return value_subtract(&reading->next_unknown, a, b);
	case INSN_MUL:
		return value_multiply(&reading->next_unknown, a, b);
	case INSN_SLLI:
		return value_shift_left(&reading->next_unknown, a, insn->imm);
	case INSN_SRLI:
	case INSN_SRAI:
		return value_shift_right(&reading->next_unknown, a, insn->imm, insn->kind == INSN_SRAI);
	case INSN_ANDI:
	case INSN_AND:
		return value_mask(&reading->next_unknown, a, b);
	default:
		return value_fresh(&reading->next_unknown);
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
		reading->state.regs[REG_A0] = value_fresh(&reading->next_unknown);
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

static void begin(struct reading *reading)
{
	reading->next_unknown = FIRST_UNKNOWN;
	reading->reached = true;
	reading->nr_labels = 0;
	reading->state.nr_slots = 0;
	for (int i = 0; i < 32; i++)
		reading->state.regs[i] = value_fresh(&reading->next_unknown);
	for (uint32_t i = 0; i < 8; i++)
		reading->state.regs[REG_A0 + i].x = i;
	reading->state.regs[REG_ZERO] = value_constant(0);
	reading->state.regs[REG_SP] = (struct value){.base = VALUE_FRAME};
	reading->out->nr_accesses = reading->out->nr_calls = 0;
	reading->out->nr_instructions = reading->out->nr_unknown = 0;
	reading->out->returns = false;
}

static void read_once(struct reading *reading, const uint8_t *code, uint64_t bytes)
{
	struct code_function *out = reading->out;
	uint64_t low = out->function->low;

	begin(reading);
	for (uint64_t at = 0; at < bytes;) {
		struct insn insn = insn_decode(code + at, bytes - at);
		if (insn.size == 0)
			break;
		arrive(reading, low + at);
		out->nr_instructions++;
		out->nr_unknown += insn.kind == INSN_UNKNOWN;
		step(reading, low + at, &insn);
		at += insn.size;
	}
}

/* Twice where there are loops that are entered at their end: what holds in them is known only when they were read. */
static void read_function(struct code *codes, struct code_function *out)
{
	const struct function *function = out->function;
	uint64_t bytes = function->high - function->low;
	const uint8_t *code =
	    bytes && bytes <= FUNCTION_MAX ? types_bytes(codes->types, function->low, bytes) : NULL;
	struct reading *reading = xcalloc(1, sizeof(*reading));

	*reading = (struct reading){.code = codes, .out = out};
	if (code)
		read_once(reading, code, bytes);
	if (code && reading->nr_back)
		read_once(reading, code, bytes);
	free(reading->labels);
	free(reading->back);
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

static void forget(struct code *code)
{
	for (size_t i = 0; i < code->nr; i++) {
		if (!code->functions[i])
			continue;
		free(code->functions[i]->accesses);
		free(code->functions[i]->calls);
		free(code->functions[i]);
		code->functions[i] = NULL;
	}
}

void code_close(struct code *code)
{
	forget(code);
	free(code->functions);
	free(code->known);
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

/* ---- variables with one value ---- */

static bool starts_as_zero(const struct types *types, uint64_t address)
{
	const uint64_t *word = types_bytes(types, address, sizeof(*word));
	uint64_t value = 0;

	if (word)
		memcpy(&value, word, sizeof(value));
	return value == 0;
}

static void note_store(struct code *code, const struct access *access)
{
	uint64_t address = (uint64_t)access->address.c, value = (uint64_t)access->stored.c;
	bool known = access->stored.base == VALUE_CONST && access->bytes == 8 && value >= RAM_BASE &&
		     starts_as_zero(code->types, address);

	for (size_t i = 0; i < code->nr_known; i++) {
		if (code->known[i].address == address) {
			code->known[i].several |= !known || code->known[i].value != value;
			return;
		}
	}
	ARRAY_PUSH(code->known, code->nr_known, code->known_capacity) =
	    (struct known_variable){address, value, !known};
}

void code_learn_variables(struct code *code)
{
	size_t kept = 0;

	if (code->learned)
		return;
	for (size_t i = 0; i < code->nr; i++) {
		const struct code_function *read = code_of(code, types_function_by_number(code->types, i));
		for (size_t k = 0; k < read->nr_accesses; k++) {
			if (read->accesses[k].kind != ACCESS_LOAD &&
			    read->accesses[k].address.base == VALUE_CONST)
				note_store(code, &read->accesses[k]);
		}
	}
	for (size_t i = 0; i < code->nr_known; i++) {
		if (!code->known[i].several)
			code->known[kept++] = code->known[i];
	}
	code->nr_known = kept;
	code->learned = true;
	forget(code);
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
