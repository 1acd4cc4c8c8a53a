/* SPDX-License-Identifier: MIT */
/* call_sites: see call_sites.h. */
#include "call_sites.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "insn.h"

/* A function longer than this is a damaged one. */
#define FUNCTION_MAX (1U << 20)

/* One line of one function that calls another. Names live as long as types and symbols do. */
struct call_site {
	const char *caller, *callee;
	uint32_t line;
};

struct call_sites {
	const struct types *types;
	struct symbols *symbols;
	uint64_t base;
	struct call_site *sites;
	size_t nr, capacity;
};

static int compare_sites(const void *a, const void *b)
{
	const struct call_site *left = a, *right = b;
	int order = strcmp(left->caller, right->caller);

	if (!order)
		order = strcmp(left->callee, right->callee);
	return order ? order : (left->line > right->line) - (left->line < right->line);
}

/* The call that returns to `behind`, and the calls that the compiler inlined around it. */
static void add_call(struct call_sites *sites, uint64_t behind, const char *callee)
{
	const struct symbol_frame *frames;
	size_t nr = symbols_find(sites->symbols, (uint32_t)(behind - sites->base), &frames);

	for (size_t i = 0; i < nr; i++) {
		ARRAY_PUSH(sites->sites, sites->nr, sites->capacity) =
		    (struct call_site){frames[i].function, callee, frames[i].line};
		callee = frames[i].function;
	}
}

/* The function that is called with this jump, with a return address or without one (a tail call); NULL: it is no call. */
static const struct function *callee_of(const struct call_sites *sites, const struct function *caller,
					const struct insn *insn, uint64_t target)
{
	const struct function *callee = target ? types_function_at(sites->types, target) : NULL;

	if (insn->rd == REG_RA)
		return callee;
	return callee && callee != caller && callee->low == target ? callee : NULL;
}

static void read_function(struct call_sites *sites, const struct function *function)
{
	uint64_t bytes = function->high - function->low, upper[32] = {0};
	const uint8_t *code =
	    bytes && bytes < FUNCTION_MAX ? types_bytes(sites->types, function->low, bytes) : NULL;

	for (uint64_t at = 0; code && at < bytes;) {
		struct insn insn = insn_decode(code + at, bytes - at);
		uint64_t pc = function->low + at, target = 0;
		if (!insn.size)
			break;
		at += insn.size;
		if (insn.kind == INSN_JAL)
			target = pc + (uint64_t)insn.imm;
		else if (insn.kind == INSN_JALR && insn.rs1 >= 0 && upper[insn.rs1])
			target = upper[insn.rs1] + (uint64_t)insn.imm;
		if (insn.rd >= 0)
			upper[insn.rd] = insn.kind == INSN_AUIPC ? pc + (uint64_t)insn.imm : 0;
		const struct function *callee = callee_of(sites, function, &insn, target);
		if (callee)
			add_call(sites, pc + insn.size, callee->name);
	}
}

struct call_sites *call_sites_open(const struct types *types, struct symbols *symbols, uint64_t base)
{
	struct call_sites *sites = xcalloc(1, sizeof(*sites));
	size_t nr = 0;

	sites->types = types;
	sites->symbols = symbols;
	sites->base = base;
	for (size_t i = 0; i < types_nr_functions(types); i++)
		read_function(sites, types_function_by_number(types, i));
	if (sites->nr)
		qsort(sites->sites, sites->nr, sizeof(*sites->sites), compare_sites);
	for (size_t i = 0; i < sites->nr; i++) {
		if (i == 0 || compare_sites(&sites->sites[nr - 1], &sites->sites[i]))
			sites->sites[nr++] = sites->sites[i];
	}
	sites->nr = nr;
	return sites;
}

void call_sites_close(struct call_sites *sites)
{
	free(sites->sites);
	free(sites);
}

/* Position of the first site that is not before these. */
static size_t first_of(const struct call_sites *sites, const char *caller, const char *callee)
{
	const struct call_site wanted = {caller, callee, 0};
	size_t low = 0, high = sites->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare_sites(&sites->sites[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint32_t call_sites_nr(const struct call_sites *sites, const char *caller, const char *callee)
{
	size_t at = first_of(sites, caller, callee);
	uint32_t nr = 0;

	for (; at < sites->nr && !strcmp(sites->sites[at].caller, caller) &&
	       !strcmp(sites->sites[at].callee, callee);
	     at++)
		nr++;
	return nr;
}

static int compare_lines(const void *a, const void *b)
{
	const struct call_site *left = a, *right = b;

	return left->line == right->line ? strcmp(left->callee, right->callee)
					 : (left->line > right->line) - (left->line < right->line);
}

uint64_t call_sites_order(const struct call_sites *sites, const char *caller)
{
	size_t first = first_of(sites, caller, ""), nr = 0;
	struct call_site *ordered;
	uint64_t order = 0;

	while (first + nr < sites->nr && !strcmp(sites->sites[first + nr].caller, caller))
		nr++;
	ordered = xcalloc(nr + 1, sizeof(*ordered));
	memcpy(ordered, &sites->sites[first], nr * sizeof(*ordered));
	qsort(ordered, nr, sizeof(*ordered), compare_lines);
	for (size_t i = 0; i < nr; i++) {
		for (const char *c = ordered[i].callee; *c; c++)
			order = hash_mix(order ^ (unsigned char)*c);
		order = hash_mix(order);
	}
	free(ordered);
	return order;
}

bool call_sites_called(const struct call_sites *sites, const char *function)
{
	for (size_t i = 0; i < sites->nr; i++) {
		if (!strcmp(sites->sites[i].callee, function))
			return true;
	}
	return false;
}

uint32_t call_sites_next(const struct call_sites *sites, size_t *at, const char **caller, const char **callee)
{
	uint32_t nr = 0;

	if (*at == sites->nr)
		return 0;
	*caller = sites->sites[*at].caller;
	*callee = sites->sites[*at].callee;
	for (; *at < sites->nr && !strcmp(sites->sites[*at].caller, *caller) &&
	       !strcmp(sites->sites[*at].callee, *callee);
	     ++*at)
		nr++;
	return nr;
}
