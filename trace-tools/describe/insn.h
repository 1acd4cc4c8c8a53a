/* SPDX-License-Identifier: MIT */
/*
 * insn: one RISC-V instruction, decoded as far as finding out who touches which memory needs: RV64IMAC, and of the
 * rest (floating point, vectors, CSRs) the length and the register that is written.
 *
 * A compressed instruction is given as the long one that it stands for. What is no instruction is INSN_UNKNOWN with
 * the length that its lowest bits say.
 */
#ifndef TOOLS_DESCRIBE_INSN_H
#define TOOLS_DESCRIBE_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum insn_kind {
	INSN_UNKNOWN, /* rd is -1 or the register that it writes */
	INSN_LUI,     /* rd = imm */
	INSN_AUIPC,   /* rd = pc + imm */
	INSN_JAL,     /* rd = behind; to pc + imm */
	INSN_JALR,    /* rd = behind; to rs1 + imm */
	INSN_BRANCH,  /* to pc + imm, if */
	INSN_LOAD,    /* rd = bytes at rs1 + imm */
	INSN_STORE,   /* bytes at rs1 + imm = rs2 */
	INSN_AMO,     /* rd = bytes at rs1, changed by rs2; SC too */
	INSN_LR,
	INSN_ADDI, /* rd = rs1 + imm */
	INSN_ANDI,
	INSN_SLLI,
	INSN_SRLI,
	INSN_SRAI,
	INSN_ADD, /* rd = rs1 + rs2 */
	INSN_SUB,
	INSN_MUL,
	INSN_AND,
	INSN_ECALL,
	INSN_RETURN, /* sret, mret */
};

struct insn {
	enum insn_kind kind;
	int rd, rs1, rs2;     /* -1: none */
	bool word;            /* of the arithmetic: on 32 bits, sign-extended */
	uint32_t bytes, size; /* of the access; of the instruction */
	int64_t imm;
};

enum { REG_ZERO, REG_RA, REG_SP, REG_GP, REG_TP, REG_T0, REG_T1, REG_T2, REG_S0, REG_A0 = 10, REG_A7 = 17 };

/* Decodes at most `available` bytes; size 0: there are not enough. */
struct insn insn_decode(const uint8_t *code, size_t available);

#endif
