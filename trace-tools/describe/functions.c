/* SPDX-License-Identifier: MIT */
/* functions: see functions.h. */
#include "functions.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

bool functions_have(const struct functions *set, const struct function *function)
{
	for (size_t i = 0; i < set->nr; i++) {
		if (set->list[i] == function)
			return true;
	}
	return false;
}

void functions_add(struct functions *set, const struct function *function)
{
	if (!functions_have(set, function))
		ARRAY_PUSH(set->list, set->nr, set->capacity) = function;
}

char *functions_text(const struct functions *set)
{
	char *text = xstrdup("");

	for (size_t i = 0; i < set->nr; i++) {
		char *longer = xasprintf("%s%s%s", text, i ? "," : "", set->list[i]->symbol);
		free(text);
		text = longer;
	}
	return text;
}

void functions_named(const struct types *types, const char *name, struct functions *out)
{
	for (size_t i = 0; i < types_nr_functions(types); i++) {
		const struct function *function = types_function_by_number(types, i);
		if (!strcmp(function->symbol, name) || !strcmp(function->name, name))
			functions_add(out, function);
	}
}

void functions_calling(struct code *code, const struct function *function, bool tails, struct functions *out)
{
	for (size_t i = 0; i < types_nr_functions(code_types(code)); i++) {
		const struct function *other = types_function_by_number(code_types(code), i);
		const struct code_function *read = code_of(code, other);
		for (size_t k = 0; other != function && k < read->nr_calls; k++) {
			if (read->calls[k].target == function->low && (!tails || read->calls[k].tail))
				functions_add(out, other);
		}
	}
}

static bool same_unit(const struct function *a, const struct function *b)
{
	return a->unit && b->unit && !strcmp(a->unit, b->unit);
}

void functions_called(struct code *code, const struct function *function, struct functions *out)
{
	const struct code_function *read = code_of(code, function);

	for (size_t i = 0; i < read->nr_calls; i++) {
		const struct function *callee = types_function_at(code_types(code), read->calls[i].target);
		if (!callee || callee == function || !same_unit(callee, function) ||
		    functions_have(out, callee))
			continue;
		functions_add(out, callee);
		functions_called(code, callee, out);
	}
}
