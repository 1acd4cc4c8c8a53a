/* SPDX-License-Identifier: MIT */
/*
 * code: what a function does with memory, read from its instructions: which addresses it loads and stores, whom it calls.
 *
 * The problem: a kernel writes its reference counts wherever it likes, `refs[(pa - KERNBASE) >> 12]++` in the middle of
 * fork. Who may write them, and which element belongs to which page, is known only to the compiled code. The idea:
 * follow every register and stack slot through the function as a *value*,
 *
 *     [via] + c + k * ((x - [less]) >> shift)
 *
 * with constants c, k, shift, one unknown x (an argument, a loaded word, a result), and `via` and `less` that were loaded
 * from fixed addresses. An access whose value lands in `refs` touches the counts, and k and c say the index rule:
 *
 *     srli a5,a0,12        x >> 12
 *     slli a5,a5,2         4 * (x >> 12)
 *     lla  a4,refs - 4*0x80000
 *     add  a5,a5,a4        refs - 0x200000 + 4 * (x >> 12)      element (x >> 12) - 0x80000
 *     lw   a4,0(a5)
 *
 * CODE-1  It is a reading, no proof: instructions in the order of their addresses, each join keeping what either side
 *         knew. A value may be wrong in odd code; what is concluded from it is checked while the kernel runs.
 * CODE-2  x is taken to be the address of a page in RAM, or a PTE, where it is shifted right by 10 and more: it is aligned,
 *         and to take bits off above the size of RAM is to subtract where RAM begins.
 * CODE-3  A damaged function gives few accesses, never a crash; a function is read when it is first asked for.
 */
#ifndef TOOLS_DESCRIBE_CODE_H
#define TOOLS_DESCRIBE_CODE_H

#include "target/types.h"
#include "value.h"

enum access_kind { ACCESS_LOAD, ACCESS_STORE, ACCESS_ATOMIC };

struct access {
	enum access_kind kind;
	uint64_t pc;
	uint32_t bytes;
	struct value address, stored,
	    loaded; /* stored: of a store; loaded: what is known of a load's result */
};

struct call {
	uint64_t pc, target;       /* target 0: through a pointer */
	bool tail;                 /* a jump out of the function: it returns to our caller */
	struct value arguments[4]; /* a0 to a3 */
};

struct code_function {
	const struct function *function;
	struct access *accesses;
	struct call *calls;
	size_t nr_accesses, accesses_capacity, nr_calls, calls_capacity, nr_instructions, nr_unknown;
	bool returns, ecall;
	struct value
	    result; /* a0 where it first returns: a small function of its arguments is followed by its callers */
	bool frame_pointer; /* s0 is set to the stack pointer at entry */
};

struct code;

struct code *code_open(const struct types *types);
void code_close(struct code *code);
const struct types *code_types(const struct code *code);
/*
 * Reads all functions for variables of 8 bytes that are 0 in the file and that one constant is stored to, an address of
 * RAM, as `refs = (int *)PGROUNDUP(end)` at boot; from then on a load of such a variable is known. What code_of gave out
 * before is gone.
 */
void code_learn_variables(struct code *code);
/* Never NULL: a function whose code is not in the file does nothing. */
const struct code_function *code_of(struct code *code, const struct function *function);

/* Whether the access is to [low, high) at a fixed address or in an array there. */
bool access_in(const struct access *access, uint64_t low, uint64_t high);
/* Whether the function loads, stores or takes the address of something in [low, high). */
bool code_addresses(struct code *code, const struct function *function, uint64_t low, uint64_t high);
/* Whether the function calls `other` (by the address where it is entered), or jumps to it. */
bool code_calls(struct code *code, const struct function *function, const struct function *other);

#endif
