/* SPDX-License-Identifier: MIT */
/* value: what is known of a register or a stack slot, and arithmetic with it; what it is for: code.h. */
#ifndef TOOLS_DESCRIBE_VALUE_H
#define TOOLS_DESCRIBE_VALUE_H

#include <stdbool.h>
#include <stdint.h>
#include <uapi/layout.h> /* RAM_BASE, which is the machine's and so other kernels', too */

enum value_base {
	VALUE_UNKNOWN, /* [via] + c + k * ((x - [less]) >> shift) */
	VALUE_CONST,   /* c */
	VALUE_FRAME,   /* c behind the stack pointer at entry */
};

struct value {
	enum value_base base;
	uint32_t x; /* which unknown: 0 to 7 are the arguments a0 to a7, others are made at an instruction */
	uint32_t shift;
	int64_t c, k;  /* k 0 with via: the pointer alone */
	uint64_t via;  /* address of the variable whose content is added; 0: none */
	uint64_t less; /* address of the variable whose content is taken off x first; 0: none */
	bool gap;      /* x is what lies between two unknowns: no address, whatever it is shifted by */
};

/*
 * `next` numbers the unknowns: what cannot be said as one value is a new one. None fails; numbers wrap around.
 */
struct value value_fresh(uint32_t *next);
struct value value_constant(int64_t c);
struct value value_add(uint32_t *next, struct value a, struct value b);
struct value value_subtract(uint32_t *next, struct value a, struct value b);
struct value value_multiply(uint32_t *next, struct value a, struct value b);
struct value value_shift_left(uint32_t *next, struct value v, int64_t bits);
struct value value_shift_right(uint32_t *next, struct value v, int64_t bits, bool is_signed);
struct value value_mask(uint32_t *next, struct value a, struct value b);

#endif
