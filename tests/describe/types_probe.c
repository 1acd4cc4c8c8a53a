/* SPDX-License-Identifier: MIT */
/*
 * types_probe: prints what target/types.h says of a file, for test_types.py.
 *
 *   types_probe ELF                          symbols, functions, globals, all leaves of all globals
 *   types_probe ELF path PATH…               address and type of each path, or what is wrong
 *   types_probe ELF enum NAME…               values of enumerators
 *   types_probe --map MAP IMAGE VA           the same as the first for a System.map
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target/types.h"

static bool leaf(void *context, const struct type_leaf *leaf)
{
	char text[96];

	printf("leaf %s%s +%" PRIu64 " %s", (const char *)context, leaf->path, leaf->offset,
	       type_text(leaf->type, text, sizeof(text)));
	if (leaf->bits)
		printf(" bits %u-%u", leaf->bit, leaf->bit + leaf->bits - 1);
	printf("\n");
	return true;
}

static void print_function(const struct function *function)
{
	char text[96];

	printf("function %s %s %#" PRIx64 " %" PRIu64 " %s %s(", function->name, function->symbol,
	       function->low, function->high - function->low, function->typed ? "typed" : "untyped",
	       type_text(function->returns, text, sizeof(text)));
	for (size_t i = 0; i < function->nr_variables; i++)
		printf("%s%s %s",
		       i == 0                         ? ""
		       : i == function->nr_parameters ? "; "
						      : ", ",
		       type_text(function->variables[i].type, text, sizeof(text)),
		       function->variables[i].name);
	printf(")\n");
}

static void print_all(const struct types *types)
{
	char text[96];

	printf("problem %s\n", types_problem(types) ? types_problem(types) : "none");
	for (size_t i = 0; i < types_nr_symbols(types); i++) {
		const struct symbol *symbol = types_symbol_by_number(types, i);
		printf("symbol %s %#" PRIx64 " %" PRIu64 "\n", symbol->name, symbol->address, symbol->bytes);
	}
	for (size_t i = 0; i < types_nr_functions(types); i++)
		print_function(types_function_by_number(types, i));
	for (size_t i = 0; i < types_nr_globals(types); i++) {
		const struct global *global = types_global_by_number(types, i);
		printf("global %s %#" PRIx64 " %" PRIu64 " %s%s%s\n", global->name, global->address,
		       global->bytes, type_text(global->type, text, sizeof(text)),
		       global->function ? " of " : "", global->function ? global->function : "");
		type_walk(global->type, leaf, (void *)global->name);
	}
}

static void print_path(const struct types *types, const char *path)
{
	const struct type *type;
	uint64_t address;
	char *error, text[96];

	if (types_path_find(types, path, &address, &type, &error)) {
		printf("path %s %#" PRIx64 " %s %" PRIu64 "\n", path, address,
		       type_text(type, text, sizeof(text)), type_size(type));
	} else {
		printf("path %s: %s\n", path, error);
		free(error);
	}
}

int main(int argc, char **argv)
{
	char *error = NULL;
	bool map = argc == 5 && !strcmp(argv[1], "--map");
	struct types *types = map ? types_open_map(argv[2], argv[3], strtoull(argv[4], NULL, 0), &error)
				  : types_open(argv[1], &error);

	if (!types) {
		fprintf(stderr, "%s\n", error);
		free(error);
		return 2;
	}
	if (map || argc == 2)
		print_all(types);
	for (int i = 3; !map && i < argc; i++) {
		int64_t value;
		if (!strcmp(argv[2], "path"))
			print_path(types, argv[i]);
		else if (types_enumerator(types, argv[i], &value))
			printf("enum %s %" PRId64 "\n", argv[i], value);
		else
			printf("enum %s none\n", argv[i]);
	}
	types_close(types);
	return 0;
}
