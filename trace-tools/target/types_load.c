/* SPDX-License-Identifier: MIT */
/*
 * types_load: what has a name in DWARF, read once at opening: functions, global variables, structures, typedefs.
 *
 * An entry may refer to another for what it does not say itself: a clone (kalloc.part.0) or an inlined copy to its
 * abstract origin, a variable's definition to its `extern` declaration. libdw's *_integrate functions follow these.
 */
#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "types_priv.h"

/* What is being read: the unit, and the function around. */
struct place {
	struct types *types;
	const char *unit;
	const char *function;
};

static const char *name_of(Dwarf_Die *die)
{
	const char *name = dwarf_diename(die);

	return name ? name : "";
}

static bool flag(Dwarf_Die *die, unsigned int attribute)
{
	Dwarf_Attribute value;
	bool set = false;

	return dwarf_attr_integrate(die, attribute, &value) && !dwarf_formflag(&value, &set) && set;
}

/* ---- globals ---- */

static bool static_address(Dwarf_Die *die, uint64_t *address)
{
	Dwarf_Attribute location;
	Dwarf_Op *ops;
	size_t nr;

	if (!dwarf_attr(die, DW_AT_location, &location) || dwarf_getlocation(&location, &ops, &nr) ||
	    nr != 1 || ops[0].atom != DW_OP_addr)
		return false;
	*address = ops[0].number;
	return true;
}

static void add_global(const struct place *place, Dwarf_Die *die)
{
	struct types *types = place->types;
	uint64_t address;

	if (!static_address(die, &address))
		return;
	const struct type *type = type_of_die(types, die);
	uint64_t bytes = type_size(type);
	const struct symbol *symbol = bytes ? NULL : types_symbol_at(types, address);
	ARRAY_PUSH(types->globals, types->nr_globals, types->globals_capacity) =
	    (struct global){.name = name_of(die),
			    .function = place->function,
			    .address = address,
			    .bytes = bytes    ? bytes
				     : symbol ? symbol->bytes
					      : 0,
			    .type = type,
			    .unit = place->unit};
}

/* ---- functions ---- */

struct variables {
	struct variable *list;
	size_t nr, capacity;
};

/* Variables of a function, of its blocks and of what was inlined into it; static ones are globals. */
static void read_variables(const struct place *place, Dwarf_Die *function, struct variables *variables,
			   int depth)
{
	Dwarf_Die entry;

	if (depth > DEPTH_MAX || dwarf_child(function, &entry))
		return;
	do {
		int tag = dwarf_tag(&entry);
		if (tag == DW_TAG_formal_parameter && depth == 0)
			continue; /* These came first. */
		if (tag == DW_TAG_formal_parameter || tag == DW_TAG_variable)
			ARRAY_PUSH(variables->list, variables->nr, variables->capacity) =
			    (struct variable){name_of(&entry), type_of_die(place->types, &entry), false};
		if (tag == DW_TAG_variable)
			add_global(place, &entry);
		if (tag == DW_TAG_lexical_block || tag == DW_TAG_inlined_subroutine)
			read_variables(place, &entry, variables, depth + 1);
	} while (!dwarf_siblingof(&entry, &entry));
}

static void read_parameters(const struct place *place, Dwarf_Die *function, struct variables *variables)
{
	Dwarf_Die entry;

	for (int none = dwarf_child(function, &entry); !none; none = dwarf_siblingof(&entry, &entry)) {
		if (dwarf_tag(&entry) == DW_TAG_formal_parameter)
			ARRAY_PUSH(variables->list, variables->nr, variables->capacity) =
			    (struct variable){name_of(&entry), type_of_die(place->types, &entry), true};
	}
}

/* The linker's name of the function here: a clone's has a suffix that DWARF does not say. */
static const char *linker_name(const struct types *types, uint64_t address, const char *name)
{
	const struct symbol *symbol = types_symbol_at(types, address);
	size_t bytes = strlen(name);

	if (!symbol)
		return name;
	const char *best = symbol->address == address ? symbol->name : name;
	/* Several may stand here: aliases. The one with the source's name is right. */
	size_t first = (size_t)(symbol - types->symbols);
	while (first > 0 && types->symbols[first - 1].address == address)
		first--;
	for (size_t i = first; i < types->nr_symbols && types->symbols[i].address <= address; i++) {
		const char *other = types->symbols[i].name;
		if (types->symbols[i].address == address && !strncmp(other, name, bytes) &&
		    (other[bytes] == 0 || other[bytes] == '.'))
			best = other;
	}
	return best;
}

static void add_function(struct place place, Dwarf_Die *die)
{
	struct types *types = place.types;
	struct variables variables = {0};
	Dwarf_Addr low = 0, high = 0;
	bool code = !dwarf_lowpc(die, &low);

	place.function = name_of(die);
	if (!code) {
		/* A function in parts: the first is where it is entered. */
		Dwarf_Addr base;
		code = dwarf_ranges(die, 0, &base, &low, &high) > 0;
	} else if (dwarf_highpc(die, &high)) {
		high = low;
	}
	if (!code || !*place.function)
		return;
	if (high < low || high - low > SIZE_BELIEVED)
		high = low;
	read_parameters(&place, die, &variables);
	size_t nr_parameters = variables.nr;
	read_variables(&place, die, &variables, 0);
	ARRAY_PUSH(types->functions, types->nr_functions, types->functions_capacity) =
	    (struct function){.name = place.function,
			      .symbol = linker_name(types, low, place.function),
			      .low = low,
			      .high = high,
			      .typed = true,
			      .external = flag(die, DW_AT_external),
			      .returns = type_of_die(types, die),
			      .nr_parameters = nr_parameters,
			      .nr_variables = variables.nr,
			      .variables = variables.list,
			      .unit = place.unit};
}

/* ---- units ---- */

static void add_name(struct types *types, Dwarf_Die *die, int tag)
{
	const char *name = name_of(die);

	/* A nameless enumeration is here for its enumerators. */
	if ((*name || tag == DW_TAG_enumeration_type) && !dwarf_hasattr(die, DW_AT_declaration))
		ARRAY_PUSH(types->named, types->nr_named, types->named_capacity) =
		    (struct named){name, dwarf_dieoffset(die), tag};
}

static void read_entries(const struct place *place, Dwarf_Die *parent, int depth)
{
	Dwarf_Die entry;

	if (depth > DEPTH_MAX || dwarf_child(parent, &entry))
		return;
	do {
		int tag = dwarf_tag(&entry);
		switch (tag) {
		case DW_TAG_subprogram:
			add_function(*place, &entry);
			break;
		case DW_TAG_variable:
			add_global(place, &entry);
			break;
		case DW_TAG_structure_type:
		case DW_TAG_class_type:
		case DW_TAG_union_type:
		case DW_TAG_enumeration_type:
		case DW_TAG_typedef:
			add_name(place->types, &entry, tag);
			break;
		case DW_TAG_namespace:
			read_entries(place, &entry, depth + 1);
			break;
		}
	} while (!dwarf_siblingof(&entry, &entry));
}

static int functions_by_address(const void *a, const void *b)
{
	const struct function *x = a, *y = b;

	if (x->low != y->low)
		return x->low < y->low ? -1 : 1;
	return x->typed != y->typed ? (x->typed ? -1 : 1) : strcmp(x->name, y->name);
}

static int globals_by_address(const void *a, const void *b)
{
	const struct global *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return strcmp(x->name, y->name);
}

void types_load_dwarf(struct types *types)
{
	Dwarf_Off offset = 0, next;
	size_t header;
	int end;

	while ((end = dwarf_nextcu(types->dwarf, offset, &next, &header, NULL, NULL, NULL)) == 0) {
		Dwarf_Die unit;
		if (next <= offset || !dwarf_offdie(types->dwarf, offset + header, &unit))
			break;
		const char *name = name_of(&unit);
		struct place place = {types, *name ? name : NULL, NULL};
		read_entries(&place, &unit, 0);
		offset = next;
	}
	if (end <= 0)
		types->problem = xasprintf("%s: damaged debug information in the unit at %#llx (%s)",
					   types->path, (unsigned long long)offset, dwarf_errmsg(-1));
	if (types->nr_globals)
		qsort(types->globals, types->nr_globals, sizeof(*types->globals), globals_by_address);
}

void types_load_functions_without_dwarf(struct types *types)
{
	size_t nr_typed = types->nr_functions;

	if (nr_typed)
		qsort(types->functions, nr_typed, sizeof(*types->functions), functions_by_address);
	for (size_t i = 0, at = 0; i < types->nr_symbols; i++) {
		const struct symbol *symbol = &types->symbols[i];
		if (!symbol->code || symbol->bytes == 0)
			continue;
		while (at < nr_typed && types->functions[at].high <= symbol->address)
			at++;
		if (at < nr_typed && types->functions[at].low <= symbol->address)
			continue;
		if (i > 0 && types->symbols[i - 1].address == symbol->address && types->symbols[i - 1].code)
			continue; /* An alias. */
		ARRAY_PUSH(types->functions, types->nr_functions, types->functions_capacity) =
		    (struct function){.name = symbol->name,
				      .symbol = symbol->name,
				      .low = symbol->address,
				      .high = symbol->address + symbol->bytes};
	}
	if (types->nr_functions)
		qsort(types->functions, types->nr_functions, sizeof(*types->functions), functions_by_address);
}

/* ---- looking up ---- */

size_t types_nr_functions(const struct types *types)
{
	return types->nr_functions;
}

const struct function *types_function_by_number(const struct types *types, size_t i)
{
	return &types->functions[i];
}

const struct function *types_function(const struct types *types, const char *name)
{
	const struct function *found = NULL;

	for (size_t i = 0; i < types->nr_functions; i++) {
		const struct function *function = &types->functions[i];
		if (!strcmp(function->symbol, name))
			return function;
		if (!found && !strcmp(function->name, name))
			found = function;
	}
	return found;
}

const struct function *types_function_at(const struct types *types, uint64_t address)
{
	size_t low = 0, high = types->nr_functions;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (types->functions[middle].low <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || address >= types->functions[low - 1].high)
		return NULL;
	return &types->functions[low - 1];
}

size_t types_nr_globals(const struct types *types)
{
	return types->nr_globals;
}
const struct global *types_global_by_number(const struct types *types, size_t i)
{
	return &types->globals[i];
}

const struct global *types_global(const struct types *types, const char *name)
{
	const struct global *found = NULL;

	for (size_t i = 0; i < types->nr_globals; i++) {
		if (strcmp(types->globals[i].name, name))
			continue;
		if (!types->globals[i].function)
			return &types->globals[i];
		if (!found)
			found = &types->globals[i];
	}
	return found;
}

const struct global *types_global_at(const struct types *types, uint64_t address)
{
	size_t low = 0, high = types->nr_globals;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (types->globals[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || address - types->globals[low - 1].address >= types->globals[low - 1].bytes)
		return NULL;
	return &types->globals[low - 1];
}

bool types_path_find(const struct types *types, const char *path, uint64_t *address, const struct type **type,
		     char **error)
{
	size_t bytes = strcspn(path, ".[");
	char *name = xasprintf("%.*s", (int)bytes, path), *problem = NULL;
	const struct global *global = types_global(types, name);
	struct member_of member;

	if (!global) {
		problem = xasprintf("there is no variable %s in %s", name, types->path);
	} else if (!path[bytes]) {
		*address = global->address;
		*type = global->type;
	} else if (!type_find_member(global->type, path + bytes + (path[bytes] == '.'), &member)) {
		char text[96];
		problem = xasprintf("%s is a %s, which has no %s", name,
				    type_text(global->type, text, sizeof(text)), path + bytes);
	} else {
		*address = global->address + member.offset;
		*type = member.type;
	}
	free(name);
	bool found = !problem;
	if (error)
		*error = problem;
	else
		free(problem);
	return found;
}

static const struct type *named_type(const struct types *types, const char *name, bool typedefs)
{
	for (size_t i = 0; i < types->nr_named; i++) {
		if ((types->named[i].tag == DW_TAG_typedef) == typedefs &&
		    !strcmp(types->named[i].name, name))
			return type_from_offset((struct types *)types, types->named[i].die);
	}
	return NULL;
}

const struct type *types_struct(const struct types *types, const char *tag)
{
	return named_type(types, tag, false);
}

const struct type *types_typedef(const struct types *types, const char *name)
{
	return named_type(types, name, true);
}

bool types_enumerator(const struct types *types, const char *name, int64_t *value)
{
	for (size_t i = 0; i < types->nr_named; i++) {
		Dwarf_Die whole, entry;
		if (types->named[i].tag != DW_TAG_enumeration_type ||
		    !dwarf_offdie(types->dwarf, types->named[i].die, &whole) || dwarf_child(&whole, &entry))
			continue;
		do {
			Dwarf_Attribute attribute;
			Dwarf_Sword found;
			if (dwarf_tag(&entry) == DW_TAG_enumerator && !strcmp(name_of(&entry), name) &&
			    !dwarf_formsdata(dwarf_attr(&entry, DW_AT_const_value, &attribute), &found)) {
				*value = found;
				return true;
			}
		} while (!dwarf_siblingof(&entry, &entry));
	}
	return false;
}
