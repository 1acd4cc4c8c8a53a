/* SPDX-License-Identifier: MIT */
/* functions: a set of functions, none twice, in the order in which they came; and who calls whom. */
#ifndef TOOLS_DESCRIBE_FUNCTIONS_H
#define TOOLS_DESCRIBE_FUNCTIONS_H

#include "code.h"

struct functions {
	const struct function **list; /* the caller frees it */
	size_t nr, capacity;
};

bool functions_have(const struct functions *set, const struct function *function);
void functions_add(struct functions *set, const struct function *function);
/* "kalloc,kfree", of symbols; caller frees. */
char *functions_text(const struct functions *set);
/* Those that a description means by a name: with that symbol, or with that name in the source (clones). */
void functions_named(const struct types *types, const char *name, struct functions *out);
/* Every function that calls it or jumps to it, but for itself; `tails`: only those that jump. */
void functions_calling(struct code *code, const struct function *function, bool tails, struct functions *out);
/* The functions of the same unit that it calls, directly and through others of them. */
void functions_called(struct code *code, const struct function *function, struct functions *out);

#endif
