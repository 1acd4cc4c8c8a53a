/* SPDX-License-Identifier: MIT
 *
 * calls: the functions of the hooks file, from their entry to their return.
 *
 * An allocation is known only when the function returns, but who asked is best seen at its entry. Between the two the
 * thread may be preempted, even move to another hart, and others may be in the same function. So a call is remembered by
 * what does not change: its stack pointer and its return address. Where a thread goes on after a call (the *return site*),
 * the call with this (sp, address) is over:
 *
 *	entry   kalloc, sp 0x3fffffdf40, ra 0x80001246 -> remembered, with its stack
 *	site    0x80001246, sp 0x3fffffdf40            -> found: a0 is the page
 *
 * Return sites are found when code is translated: the instruction before the site calls a hooked function. A site that is
 * reached otherwise (a pointer to the function; a function that jumps to it) is learned at the first such call: the
 * address is noted and translated code forgotten, so the site gets its callback before the call returns.
 *
 * CALLS-1  The list of calls under way is short (one or two a hart, and those of threads that wait); it is searched through.
 * CALLS-2  A call with the sp and hook of one in the list replaces it: that one never returned.
 */
#ifndef PLUGIN_CALLS_H
#define PLUGIN_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "hooks.h"

struct qemu_plugin_insn;

struct call_counters {
	uint64_t hits;      /* entries */
	uint64_t pages;     /* events, not counting several pages of one */
	uint64_t failed;    /* allocations that returned failure */
	uint64_t skipped;   /* notinside */
	uint64_t misses;    /* a formula was invalid: nothing recorded */
	uint64_t unmatched; /* returned where no call was under way, or never seen to return */
};

/* With check_writes, or where all is followed, the calls that take pages back are waited for, too: within them free pages may be written. */
void calls_init(bool check_writes);
/* Attaches what belongs to the instruction at va, the `first` of its block or not. */
void calls_translate(struct qemu_plugin_insn *insn, uint64_t va, bool first);

/* On the stack of sp: is a call under way of one of the hooks in the mask? */
bool calls_inside(uint64_t sp, uint64_t mask);
/* The stack at the entry of the innermost call of the hook on the stack of sp; 0: none is under way. */
uint32_t calls_stack(uint64_t sp, unsigned hook);
/* Mask of the hooks of a kind whose returns are waited for. */
uint64_t calls_of_kind(enum hook_kind kind);

struct call_counters calls_counters(unsigned hook);
/* The counters of a hook on a hart, for the stores that are its frees. */
struct call_counters *calls_mine(unsigned hart, unsigned hook);
uint64_t calls_under_way(void);

#endif
