/* SPDX-License-Identifier: MIT
 *
 * stores_priv: what stores.c and counts.c share of a store instruction.
 */
#ifndef PLUGIN_STORES_PRIV_H
#define PLUGIN_STORES_PRIV_H

#include "insn.h"
#include "pages.h"
#include "stores.h"

/* One store instruction, found by its address: code may be translated many times. */
struct site {
	uint64_t pc;
	struct store store;
	uint8_t size;
	bool frameless; /* before the function has set up its frame */
	bool pte, uart, count, check;
	uint64_t pushes; /* mask of hooks */
};

/* What was stored, after the fact (STORES-1); false: it cannot be read. */
bool store_value(unsigned hart, const struct site *site, uint64_t va, unsigned bytes, uint64_t *value);
/* What stands in guest memory now. */
bool store_read_back(unsigned hart, uint64_t va, unsigned bytes, uint64_t *value);
/* Who stores, with the stack of the store. */
struct act store_act(unsigned hart, const struct site *site, const char *name);

/* counts.c. False: no memory. */
bool counts_init(void);
/* A store that may touch one of the arrays of counts and states. */
void counts_stored(unsigned hart, const struct site *site, uint64_t va, unsigned bytes);

static inline uint64_t store_mask(unsigned bytes)
{
	return bytes >= 8 ? UINT64_MAX : (1ULL << bytes * 8) - 1;
}

#endif
