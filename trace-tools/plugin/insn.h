/* SPDX-License-Identifier: MIT
 *
 * insn: the few RISC-V instructions that the plugin must recognise (RISC-V unprivileged and privileged ISA manuals).
 */
#ifndef PLUGIN_INSN_H
#define PLUGIN_INSN_H

#include <stdbool.h>
#include <stdint.h>

enum store_kind { STORE_NOT, STORE_PLAIN, STORE_FLOAT, STORE_AMO_ADD, STORE_AMO_OTHER };

struct store {
	enum store_kind kind;
	uint8_t source; /* the register that is stored, or added */
	uint8_t bytes;
};

/* size: 2 or 4 bytes. */
struct store insn_store(uint32_t insn, unsigned size);
/* Writes satp, or is sfence.vma: translations may change. */
bool insn_changes_tables(uint32_t insn, unsigned size);
/* `addi s0, sp, n`: from here on s0 is this function's frame pointer. */
bool insn_sets_frame(uint32_t insn, unsigned size);
static inline bool insn_is_ecall(uint32_t insn)
{
	return insn == 0x73;
}
/* csrrw rX, mscratch, rX */
static inline bool insn_exchanges_mscratch(uint32_t insn)
{
	return (insn & 0xfff0707f) == 0x34001073 && (insn >> 7 & 31) == (insn >> 15 & 31);
}
static inline unsigned insn_size(uint32_t insn)
{
	return (insn & 3) == 3 ? 4 : 2;
}

#endif
