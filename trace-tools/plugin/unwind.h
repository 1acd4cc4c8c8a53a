/* SPDX-License-Identifier: MIT
 *
 * unwind: who called, by frame pointers.
 *
 * A function compiled with frame pointers has s0 = its caller's stack pointer, its return address at s0 - 8 and its caller's
 * s0 at s0 - 16. Following that gives the stack, to the first address that is not kernel text (assembly that set s0 to
 * something else, or the end). Three cases differ:
 *
 *	entry of a function	s0 is still the caller's: the first frame is ra, the rest from s0
 *	a store, usual function	the first frame is the store itself, then from s0
 *	a store in a leaf	gcc saves only s0, at s0 - 8, and keeps the return address in ra: what stands at s0 - 8 is
 *				then no text address, so ra is the second frame and s0 - 8 holds the caller's s0
 *
 * Without frame pointers there is only the first frame; who called the functions that free is then known from their entry
 * (calls.c).
 *
 * Frames are return addresses: the byte before one belongs to the call. A store's frame is the address behind the store,
 * and an interrupted instruction's is its own address + 2, so that the same look-up gives their line.
 */
#ifndef PLUGIN_UNWIND_H
#define PLUGIN_UNWIND_H

#include <stdbool.h>
#include <stdint.h>

#include "hooks.h"

/* Ids of the depot. At the entry of a function, from its registers ra, sp, s0. */
uint32_t unwind_entry(unsigned hart, uint64_t ra, uint64_t sp, uint64_t fp);
/* At a store that ends at after_pc. */
uint32_t unwind_store(unsigned hart, uint64_t after_pc, bool frameless);
/* Who called the functions of `code`, at a store within them: the frames within are left out. */
uint32_t unwind_callers(unsigned hart, const struct ranges *code, bool frameless);

bool unwind_is_text(uint64_t address);

#endif
