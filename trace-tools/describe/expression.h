/* SPDX-License-Identifier: MIT */
/*
 * expression: what a description says in names, turned into numbers for the plugin.
 *
 *     cpus[hart].proc->pid     becomes    u32[u64[0x8000f988+hart*0x80]+0x30]
 *
 * C's expressions over the kernel's variables, with C's meaning: a variable's value, with the members of its type; an
 * array, a function and a symbol without a type (`end`) mean their address; & takes the address of a variable; -> and *
 * follow pointers; enumerators are numbers. Beside them what the plugin knows at run time: registers (a0, sp, …), ret,
 * hart, i, v, old, frame; and u8[E] u16[E] u32[E] u64[E], memory at an address. Arithmetic is of 64 bits without sign,
 * on pointers too: p + 1 is one byte further.
 */
#ifndef TOOLS_DESCRIBE_EXPRESSION_H
#define TOOLS_DESCRIBE_EXPRESSION_H

#include "target/types.h"

struct expression {
	bool constant;
	uint64_t value; /* of a constant */
	char *text;     /* for the hooks file, always; no blanks */
};

/* False and what was expected, and where in the text, in *error (caller frees). out->text is the caller's to free. */
bool expression_compile(const struct types *types, const char *text, struct expression *out, char **error);

/* Memory to compute in, instead of compiling: a copy of RAM. */
struct expression_memory {
	bool (*load)(const void *context, uint64_t address, uint64_t bytes, uint64_t *value);
	const void *context;
	uint64_t i, v; /* what these names mean */
};
/* The value now; false and why not in *error (caller frees). Names of registers have none. */
bool expression_evaluate(const struct types *types, const char *text, const struct expression_memory *memory,
			 uint64_t *value, char **error);

/*
 * A place in memory: "refs", "kmem.counts", "ref[].count" (the member in every element), "kmem[].freelist", or a number.
 * nr 1 without [].
 */
struct place {
	uint64_t address; /* of the first */
	uint64_t stride, nr;
	const struct type *type; /* of one; NULL: only a symbol is known */
	uint64_t bytes;          /* of all, from address: the symbol's where there is no type */
};
bool place_find(const struct types *types, const char *text, struct place *out, char **error);

#endif
