/* SPDX-License-Identifier: MIT
 *
 * expr: the small formulas of the hooks file, read once and computed in callbacks.
 *
 * `u32[u64[0x80010e50+hart*0x88]+0x30]` is the pid of the process on this hart in one kernel, `1<<a1` the pages of a call in
 * another. The text becomes a postfix program of at most EXPR_OPS steps; computing it allocates nothing and ends in a
 * value or in "invalid" (a load from an address that is not RAM). The syntax is in hooks.h.
 *
 * EXPR-1  A program never needs more than EXPR_DEPTH values at once: checked when it is read.
 * EXPR-2  `registers` is the set of registers that it names: only those are fetched from QEMU, each costs time.
 */
#ifndef PLUGIN_EXPR_H
#define PLUGIN_EXPR_H

#include <stdbool.h>
#include <stdint.h>

#define EXPR_OPS 32
#define EXPR_DEPTH 12

struct expr {
	uint32_t registers;
	uint8_t nr; /* 0: no formula */
	struct {
		uint8_t op;
		uint64_t value;
	} ops[EXPR_OPS];
};

/* What a formula may name. `x` holds the registers of the set that was asked for. */
struct expr_context {
	unsigned hart;
	uint64_t x[32];
	uint64_t ret, i, v, old, frame;
};

/* NULL, or what is wrong. */
const char *expr_read(struct expr *expr, const char *text);
void expr_constant(struct expr *expr, uint64_t value);
bool expr_compute(const struct expr *expr, const struct expr_context *context, uint64_t *value);
/* Fetches the registers of `set` into the context. */
void expr_fetch(struct expr_context *context, uint32_t set);

#endif
