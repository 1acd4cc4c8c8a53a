/* SPDX-License-Identifier: MIT */
/*
 * leak_point_code: whether the function that overwrote the last pointer could know what it overwrote.
 *
 * A setter stores what it is told to where it is told to. What stood there before was its caller's to keep:
 *
 *	void task_set_mm(struct task *task, struct mm *mm)	int proc_exec(...)
 *	{							{
 *		task->mm = mm;						struct mm *old = task->mm;
 *	}								...task_set_mm(task, image.mm);
 *
 * No list of names says which functions are setters, the code does: the place of the store is an argument, what is stored is no constant,
 * the function takes nothing from that place, and it was neither given the thing itself nor under way when that began. Then its caller
 * is heard instead, for whom the same holds: one that was told the place by his caller, and took nothing from it, knew it no better.
 * What the place is in a caller's terms, the arguments of the call say.
 *
 * Rules
 * KNEW-1  Who stores a constant (NULL) decided so: he stays. So does one whose store cannot be read (an atomic, no code in the file).
 * KNEW-2  Who neither uses as an address, keeps, passes on nor returns what he loaded has looked at it and knew it no more than one without a
 *         load: set_leaf() asks whether the entry was valid.
 * KNEW-3  Where nobody in SETTERS_MAX frames knew it or chose the place, nothing is said.
 */
#include <stdlib.h>

#include "leak_point_priv.h"

#define SETTERS_MAX 4
#define ARGUMENTS 8 /* unknowns of a value that are arguments: describe/value.h */

static struct code *code_at_hand(struct judge *judge)
{
	char *error = NULL;

	if (!judge->types && !judge->no_types && judge->stacks->run->kernel_path)
		judge->types = types_open(judge->stacks->run->kernel_path, &error);
	judge->no_types = !judge->types;
	free(error);
	if (judge->types && !judge->code)
		judge->code = code_open(judge->types);
	return judge->code;
}

void leak_point_code_close(struct judge *judge)
{
	if (judge->code)
		code_close(judge->code);
	if (judge->types)
		types_close(judge->types);
}

/* An argument, and an offset to it? What was computed from one (a struct page from an address) is the function's own. */
static bool is_told(const struct value *value)
{
	return value->base == VALUE_UNKNOWN && value->x < ARGUMENTS && value->k == 1 && !value->shift &&
	       !value->via;
}

/* What is overwritten, in terms of one function of the stack. */
struct place {
	struct value at;
	uint32_t bytes;
};

/* The setter's store that ends at `behind`: what is stored is no constant, and where, an argument. */
static bool setters_store(const struct code_function *code, uint64_t behind, struct place *place)
{
	for (size_t i = 0; i < code->nr_accesses; i++) {
		const struct access *access = &code->accesses[i];
		if (access->kind != ACCESS_STORE || access->pc >= behind || behind - access->pc > 4 ||
		    !is_told(&access->address) || access->stored.base == VALUE_CONST)
			continue;
		*place = (struct place){access->address, access->bytes};
		return true;
	}
	return false;
}

static bool same_place(const struct value *a, const struct value *b)
{
	return a->base == b->base && a->x == b->x && a->c == b->c && a->k == b->k && a->shift == b->shift &&
	       a->via == b->via;
}

/* Has the frame, one of those inlined into each other, this instruction? */
static bool is_in(struct judge *judge, uint64_t pc, const char *function)
{
	const struct symbol_frame *frames;
	size_t nr = leak_point_frames(judge->stacks, pc + 1, &frames);

	for (size_t i = 0; i < nr; i++) {
		if (same_function(frames[i].function, function))
			return true;
	}
	return false;
}

static bool uses(const struct value *value, uint32_t x)
{
	return value->base == VALUE_UNKNOWN && value->x == x && value->k;
}

/* Is what was loaded used as an address, kept, returned, or given to a call? Else it was only looked at. */
static bool is_taken(const struct code_function *code, const struct access *load)
{
	uint32_t x = load->loaded.x;

	for (size_t i = 0; i < code->nr_accesses; i++) {
		const struct access *access = &code->accesses[i];
		if (uses(&access->address, x) || (access->kind != ACCESS_LOAD && uses(&access->stored, x)))
			return true;
	}
	for (size_t i = 0; i < code->nr_calls; i++) {
		for (int a = 0; a < 4; a++) {
			if (uses(&code->calls[i].arguments[a], x))
				return true;
		}
	}
	return uses(&code->result, x);
}

/* A load from there, in this function or what is inlined into it. */
static bool loads(struct judge *judge, const struct code_function *code, const char *function,
		  const struct place *place)
{
	for (size_t i = 0; i < code->nr_accesses; i++) {
		const struct access *access = &code->accesses[i];
		if (access->kind != ACCESS_STORE && access->bytes == place->bytes &&
		    same_place(&access->address, &place->at) && is_in(judge, access->pc, function) &&
		    is_taken(code, access))
			return true;
	}
	return false;
}

/* Was it given the thing itself since that was kept anywhere (a setter is, when it keeps it), or under way when that began? */
static bool had_it(struct judge *judge, const struct life *life, const char *function)
{
	const struct symbol_frame *frames;

	if (leak_point_born_in(judge->stacks, life, function))
		return true;
	for (uint32_t i = 0; i < life->nr_given; i++) {
		size_t nr = leak_point_frames(judge->stacks, life->given[i].function + 1, &frames);
		if (nr && life->given[i].handled == HANDLED_ITSELF && life->given[i].when >= life->kept &&
		    same_function(frames[nr - 1].function, function))
			return true;
	}
	return false;
}

/* The innermost of the frames of this address that knew what stood there; NULL: none. */
static const struct symbol_frame *knower_at(struct judge *judge, const struct life *life, uint64_t pc,
					    const struct code_function *code, const struct place *place)
{
	const struct symbol_frame *frames;
	size_t nr = leak_point_frames(judge->stacks, pc, &frames);

	for (size_t i = 0; i < nr; i++) {
		if (loads(judge, code, frames[i].function, place) || had_it(judge, life, frames[i].function))
			return &frames[i];
	}
	return NULL;
}

/* The same place as the caller has it, at the call that returns to `back`; false: it cannot be told. */
static bool as_caller_has_it(const struct code_function *caller, uint64_t back, struct place *place)
{
	uint32_t next = UINT32_MAX / 2;

	for (size_t i = 0; i < caller->nr_calls && place->at.x < 4 && place->at.k == 1; i++) {
		const struct call *call = &caller->calls[i];
		if (call->tail || call->pc >= back || back - call->pc > 4)
			continue;
		place->at = value_add(&next, call->arguments[place->at.x], value_constant(place->at.c));
		return true;
	}
	return false;
}

uint32_t leak_point_knower(struct judge *judge, const struct life *life, struct symbol_frame *knower)
{
	const struct life_end *end = &life->location;
	struct code *code = code_at_hand(judge);
	uint64_t pc = life->location.pc;
	struct place place = {0};

	for (uint32_t at = 0; code && at < end->nr && at <= SETTERS_MAX; pc = end->stack[++at]) {
		const struct function *function = types_function_at(judge->types, pc - 1);
		const struct code_function *read = function ? code_of(code, function) : NULL;
		bool known =
		    read && (at ? as_caller_has_it(read, pc, &place) : setters_store(read, pc, &place));
		const struct symbol_frame *found = known ? knower_at(judge, life, pc, read, &place) : NULL;
		if (found)
			*knower = *found;
		if (found)
			return at;
		/* Who chose the place himself need not look at it: his it is. */
		if (at && (!known || !is_told(&place.at)) &&
		    leak_point_frame(judge->stacks, life, pc, knower))
			return at;
		if (!known)
			break;
	}
	return end->nr;
}
