/* SPDX-License-Identifier: MIT */
/* gives: see gives.h. */
#include "gives.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define DEPTH_MAX 16

/* What a function has to do with a type, by the type's name. */
enum relation { IS_THERE, RETURNS, OUT_PARAMETER, IN_STRUCT, LOCAL_STRUCT, TAKES, INLINES, IS_INLINED };

struct relation_to {
	/* IS_THERE: to is its unit; INLINES: a function; IN_STRUCT: in is the struct of which it is a member */
	const char *function, *to, *in;
	enum relation relation;
};

struct gives {
	struct relation_to *all; /* by function */
	size_t nr, capacity;
};

/* ---- types ---- */

static bool type_of(Dwarf_Die *die, Dwarf_Die *type)
{
	Dwarf_Attribute attribute;

	if (!dwarf_formref_die(dwarf_attr_integrate(die, DW_AT_type, &attribute), type))
		return false;
	for (int i = 0; i < DEPTH_MAX; i++) {
		int tag = dwarf_tag(type);
		if (tag != DW_TAG_typedef && tag != DW_TAG_const_type && tag != DW_TAG_volatile_type)
			return true;
		if (!dwarf_formref_die(dwarf_attr(type, DW_AT_type, &attribute), type))
			return false;
	}
	return false;
}

/* The name of what a pointer type points to; NULL: it is no pointer, or to what has no name. */
static const char *pointee(Dwarf_Die *pointer, Dwarf_Die *to)
{
	if (dwarf_tag(pointer) != DW_TAG_pointer_type)
		return NULL;
	return type_of(pointer, to) ? dwarf_diename(to) : "void";
}

static void add(struct gives *gives, const char *function, enum relation relation, const char *to,
		const char *in)
{
	ARRAY_PUSH(gives->all, gives->nr, gives->capacity) = (struct relation_to){function, to, in, relation};
}

static void add_members(struct gives *gives, const char *function, Dwarf_Die *structure)
{
	Dwarf_Die member, type, to;
	const char *in = dwarf_diename(structure);

	if (dwarf_tag(structure) != DW_TAG_structure_type || !in || dwarf_child(structure, &member))
		return;
	do {
		const char *name = type_of(&member, &type) ? pointee(&type, &to) : NULL;
		if (name)
			add(gives, function, IN_STRUCT, name, in);
	} while (!dwarf_siblingof(&member, &member));
}

static bool is_to_const(Dwarf_Die *pointer)
{
	Dwarf_Attribute attribute;
	Dwarf_Die to;

	return dwarf_formref_die(dwarf_attr(pointer, DW_AT_type, &attribute), &to) &&
	       dwarf_tag(&to) == DW_TAG_const_type;
}

static void add_parameter(struct gives *gives, const char *function, Dwarf_Die *parameter)
{
	Dwarf_Die type, to, inner;

	if (!type_of(parameter, &type) || dwarf_tag(&type) != DW_TAG_pointer_type || !type_of(&type, &to))
		return;
	if (dwarf_tag(&to) == DW_TAG_pointer_type && pointee(&to, &inner))
		add(gives, function, OUT_PARAMETER, pointee(&to, &inner), NULL);
	else
		add_members(gives, function, &to);
	/* `const struct page *from`: it looks at it, and whose it is does not change. */
	if (dwarf_diename(&to) && !is_to_const(&type))
		add(gives, function, TAKES, dwarf_diename(&to), NULL);
}

static void read_inlined(struct gives *gives, const char *function, Dwarf_Die *parent, int depth)
{
	Dwarf_Die child;

	if (depth == DEPTH_MAX || dwarf_child(parent, &child))
		return;
	do {
		int tag = dwarf_tag(&child);
		if (tag == DW_TAG_inlined_subroutine && dwarf_diename(&child))
			add(gives, function, INLINES, dwarf_diename(&child), NULL);
		if (tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block)
			read_inlined(gives, function, &child, depth + 1);
	} while (!dwarf_siblingof(&child, &child));
}

static bool is_inlined(Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	Dwarf_Word how = DW_INL_not_inlined;

	return !dwarf_formudata(dwarf_attr(die, DW_AT_inline, &attribute), &how) &&
	       (how == DW_INL_inlined || how == DW_INL_declared_inlined);
}

/* Parameters, and the structs among the variables, of its blocks too. */
static void read_inside(struct gives *gives, const char *function, Dwarf_Die *parent, int depth)
{
	Dwarf_Die child, type;

	if (depth == DEPTH_MAX || dwarf_child(parent, &child))
		return;
	do {
		switch (dwarf_tag(&child)) {
		case DW_TAG_formal_parameter:
			add_parameter(gives, function, &child);
			break;
		case DW_TAG_variable:
			if (type_of(&child, &type) && dwarf_tag(&type) == DW_TAG_structure_type &&
			    dwarf_diename(&type))
				add(gives, function, LOCAL_STRUCT, dwarf_diename(&type), NULL);
			break;
		case DW_TAG_lexical_block:
			read_inside(gives, function, &child, depth + 1);
			break;
		}
	} while (!dwarf_siblingof(&child, &child));
}

static void read_unit(struct gives *gives, Dwarf_Die *unit)
{
	Dwarf_Die child, type, to;
	const char *file = dwarf_diename(unit);

	if (dwarf_child(unit, &child))
		return;
	do {
		const char *name = dwarf_tag(&child) == DW_TAG_subprogram ? dwarf_diename(&child) : NULL;
		if (!name)
			continue;
		add(gives, name, IS_THERE, file ? file : "", NULL);
		if (is_inlined(&child))
			add(gives, name, IS_INLINED, "", NULL);
		read_inlined(gives, name, &child, 0);
		const char *returned = type_of(&child, &type) ? pointee(&type, &to) : NULL;
		if (returned)
			add(gives, name, RETURNS, returned, NULL);
		read_inside(gives, name, &child, 0);
	} while (!dwarf_siblingof(&child, &child));
}

static int compare_functions(const void *a, const void *b)
{
	return strcmp(((const struct relation_to *)a)->function, ((const struct relation_to *)b)->function);
}

struct gives *gives_open(struct symbols *symbols)
{
	struct gives *gives = xcalloc(1, sizeof(*gives));
	Dwarf *dwarf = symbols_dwarf(symbols);
	Dwarf_Off offset = 0, next;
	size_t header;

	while (dwarf && !dwarf_nextcu(dwarf, offset, &next, &header, NULL, NULL, NULL)) {
		Dwarf_Die unit;
		if (next <= offset || !dwarf_offdie(dwarf, offset + header, &unit))
			break;
		read_unit(gives, &unit);
		offset = next;
	}
	if (gives->nr)
		qsort(gives->all, gives->nr, sizeof(*gives->all), compare_functions);
	return gives;
}

void gives_close(struct gives *gives)
{
	free(gives->all);
	free(gives);
}

/* ---- who keeps it ---- */

/* The next relation of this kind that the function has, from *at on; NULL: none. *at is 0 at first. */
static const struct relation_to *next_of(const struct gives *gives, const char *function,
					 enum relation relation, size_t *at)
{
	if (*at == 0) {
		size_t low = 0, high = gives->nr;
		while (low < high) {
			size_t middle = low + (high - low) / 2;
			if (strcmp(gives->all[middle].function, function) < 0)
				low = middle + 1;
			else
				high = middle;
		}
		*at = low;
	}
	for (; *at < gives->nr && !strcmp(gives->all[*at].function, function); ++*at) {
		if (gives->all[*at].relation == relation)
			return &gives->all[(*at)++];
	}
	return NULL;
}

bool gives_has(const struct gives *gives, const char *function)
{
	size_t at = 0;

	return next_of(gives, function, IS_THERE, &at) != NULL;
}

static bool same(const char *to, const char *other)
{
	return !strcmp(to, other) || !strcmp(to, "void");
}

static bool has(const struct gives *gives, const char *function, enum relation relation, const char *to)
{
	const struct relation_to *one;

	for (size_t at = 0; (one = next_of(gives, function, relation, &at));) {
		if (same(to, one->to))
			return true;
	}
	return false;
}

/* The frame further out that has the struct in which this function may have put it; 0: there is none. */
static uint32_t frame_with_struct(const struct gives *gives, const struct stack_view *view, uint32_t frame,
				  const char *to)
{
	const struct relation_to *one;

	for (size_t at = 0; (one = next_of(gives, view->frames[frame].function, IN_STRUCT, &at));) {
		for (uint32_t i = frame + 1; strcmp(to, one->to) == 0 && i < view->nr; i++) {
			if (has(gives, view->frames[i].function, LOCAL_STRUCT, one->in))
				return i;
		}
	}
	return 0;
}

uint32_t gives_keeper(const struct gives *gives, const struct stack_view *view, uint32_t frame,
		      const char *to)
{
	while (frame + 1 < view->nr && !symbols_is_entry(&view->frames[frame + 1])) {
		const char *function = view->frames[frame].function;
		size_t at = 0;
		const struct relation_to *given = next_of(gives, function, RETURNS, &at);
		at = 0;
		if (!given)
			given = next_of(gives, function, OUT_PARAMETER, &at);
		if (!to)
			to = given ? given->to : NULL;
		if (!to)
			break;
		uint32_t further = frame_with_struct(gives, view, frame, to);
		if (has(gives, function, RETURNS, to) || has(gives, function, OUT_PARAMETER, to))
			frame++;
		else if (further)
			frame = further;
		else
			break;
	}
	return frame;
}

/* ---- what else is asked ---- */

bool gives_swaps(const struct gives *gives, const char *function)
{
	const struct relation_to *one;

	for (size_t at = 0; (one = next_of(gives, function, TAKES, &at));) {
		size_t returned = 0;
		const struct relation_to *other = next_of(gives, function, RETURNS, &returned);
		if (other && !strcmp(one->to, other->to))
			return true;
	}
	return false;
}

/* Has the one this relation to anything to which the other has it? */
static bool both_have(const struct gives *gives, enum relation relation, const char *a, const char *b)
{
	const struct relation_to *one, *other;

	for (size_t at = 0; (one = next_of(gives, a, relation, &at));) {
		for (size_t k = 0; (other = next_of(gives, b, relation, &k));) {
			if (!strcmp(one->to, other->to))
				return true;
		}
	}
	return false;
}

bool gives_take_alike(const struct gives *gives, const char *a, const char *b)
{
	return both_have(gives, TAKES, a, b);
}

const char *gives_inlined(const struct gives *gives, const char *function, size_t *at)
{
	const struct relation_to *one = next_of(gives, function, INLINES, at);

	return one ? one->to : NULL;
}

bool gives_vanished(const struct gives *gives, const char *gone, const char *function)
{
	size_t at = 0;

	for (size_t i = 0; i < gives->nr; i++) {
		if (gives->all[i].relation == INLINES && !strcmp(gives->all[i].to, gone))
			return false;
	}
	return next_of(gives, gone, IS_INLINED, &at) && both_have(gives, IS_THERE, gone, function);
}
