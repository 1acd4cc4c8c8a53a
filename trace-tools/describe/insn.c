/* SPDX-License-Identifier: MIT */
/* insn: see insn.h. The numbers are the formats of the unprivileged ISA manual, version 20191213, chapters 2 to 24. */
#include "insn.h"

static uint32_t field(uint32_t word, int high, int low)
{
	return word >> low & ((2U << (high - low)) - 1);
}

/* The lowest `bits` bits as a signed number. */
static int64_t extend(uint64_t value, int bits)
{
	return (int64_t)(value << (64 - bits)) >> (64 - bits);
}

/* ---- 32 bits ---- */

static int64_t imm_i(uint32_t w)
{
	return extend(w >> 20, 12);
}
static int64_t imm_s(uint32_t w)
{
	return extend(field(w, 31, 25) << 5 | field(w, 11, 7), 12);
}
static int64_t imm_b(uint32_t w)
{
	return extend(
	    field(w, 31, 31) << 12 | field(w, 7, 7) << 11 | field(w, 30, 25) << 5 | field(w, 11, 8) << 1, 13);
}
static int64_t imm_j(uint32_t w)
{
	return extend(field(w, 31, 31) << 20 | field(w, 19, 12) << 12 | field(w, 20, 20) << 11 |
			  field(w, 30, 21) << 1,
		      21);
}

static void decode_immediate(uint32_t w, struct insn *insn)
{
	static const enum insn_kind kinds[8] = {
	    [0] = INSN_ADDI, [1] = INSN_SLLI, [5] = INSN_SRLI, [7] = INSN_ANDI};
	uint32_t function = field(w, 14, 12);

	insn->kind = kinds[function];
	insn->imm = imm_i(w);
	if (function == 1 || function == 5) {
		insn->imm = field(w, 25, 20);
		if (function == 5 && field(w, 30, 30))
			insn->kind = INSN_SRAI;
		/* The bits above the amount name other extensions' instructions. */
		if (field(w, 31, 31) || field(w, 29, 26))
			insn->kind = INSN_UNKNOWN;
	}
}

static void decode_registers(uint32_t w, struct insn *insn)
{
	uint32_t function = field(w, 14, 12), more = field(w, 31, 25);

	insn->rs2 = (int)field(w, 24, 20);
	if (function == 0 && more == 0)
		insn->kind = INSN_ADD;
	else if (function == 0 && more == 0x20)
		insn->kind = INSN_SUB;
	else if (function == 0 && more == 1)
		insn->kind = INSN_MUL;
	else if (function == 7 && more == 0)
		insn->kind = INSN_AND;
}

static void decode_memory(uint32_t w, struct insn *insn, uint32_t opcode)
{
	uint32_t function = field(w, 14, 12);

	insn->bytes = 1U << (function & 3);
	if (opcode == 0x03) {
		insn->kind = INSN_LOAD;
		insn->imm = imm_i(w);
	} else if (opcode == 0x23) {
		*insn = (struct insn){INSN_STORE, -1,          insn->rs1, (int)field(w, 24, 20),
				      false,      insn->bytes, 4,         imm_s(w)};
	} else {
		insn->kind = field(w, 31, 27) == 2 ? INSN_LR : INSN_AMO;
		insn->rs2 = (int)field(w, 24, 20);
	}
}

static void decode_system(uint32_t w, struct insn *insn)
{
	if (w == 0x00000073)
		insn->kind = INSN_ECALL;
	else if (w == 0x10200073 || w == 0x30200073)
		insn->kind = INSN_RETURN;
	if (field(w, 14, 12) == 0)
		insn->rd = -1;
}

static struct insn decode_long(uint32_t w)
{
	struct insn insn = {INSN_UNKNOWN, (int)field(w, 11, 7), (int)field(w, 19, 15), -1, false, 0, 4, 0};
	uint32_t opcode = w & 0x7f;

	switch (opcode) {
	case 0x37:
	case 0x17:
		insn.kind = opcode == 0x37 ? INSN_LUI : INSN_AUIPC;
		insn.imm = extend(w & 0xfffff000, 32);
		break;
	case 0x6f:
		insn.kind = INSN_JAL;
		insn.imm = imm_j(w);
		break;
	case 0x67:
		insn.kind = INSN_JALR;
		insn.imm = imm_i(w);
		break;
	case 0x63:
		insn = (struct insn){INSN_BRANCH, -1, insn.rs1, (int)field(w, 24, 20), false, 0, 4, imm_b(w)};
		break;
	case 0x03:
	case 0x23:
	case 0x2f:
		decode_memory(w, &insn, opcode);
		break;
	case 0x1b:
		insn.word = true; /* fall through */
	case 0x13:
		decode_immediate(w, &insn);
		break;
	case 0x3b:
		insn.word = true; /* fall through */
	case 0x33:
		decode_registers(w, &insn);
		break;
	case 0x73:
		decode_system(w, &insn);
		break;
	case 0x07: /* Loads, stores and arithmetic of floating point write no integer register we follow. */
	case 0x27:
	case 0x43:
	case 0x47:
	case 0x4b:
	case 0x4f:
	case 0x0f:
		insn.rd = -1;
		break;
	}
	return insn;
}

/* ---- 16 bits ---- */

static struct insn of(enum insn_kind kind, int rd, int rs1, int rs2, uint32_t bytes, int64_t imm)
{
	return (struct insn){kind, rd, rs1, rs2, false, bytes, 2, imm};
}

static struct insn decode_quadrant0(uint32_t h)
{
	int rd = 8 + (int)field(h, 4, 2), rs1 = 8 + (int)field(h, 9, 7);
	int64_t word = field(h, 12, 10) << 3 | field(h, 6, 6) << 2 | field(h, 5, 5) << 6;
	int64_t twice = field(h, 12, 10) << 3 | field(h, 6, 5) << 6;
	int64_t above_sp =
	    field(h, 12, 11) << 4 | field(h, 10, 7) << 6 | field(h, 6, 6) << 2 | field(h, 5, 5) << 3;

	switch (field(h, 15, 13)) {
	case 0:
		return above_sp ? of(INSN_ADDI, rd, REG_SP, -1, 0, above_sp)
				: of(INSN_UNKNOWN, -1, -1, -1, 0, 0);
	case 2:
		return of(INSN_LOAD, rd, rs1, -1, 4, word);
	case 3:
		return of(INSN_LOAD, rd, rs1, -1, 8, twice);
	case 6:
		return of(INSN_STORE, -1, rs1, rd, 4, word);
	case 7:
		return of(INSN_STORE, -1, rs1, rd, 8, twice);
	default: /* floating point */
		return of(INSN_UNKNOWN, -1, -1, -1, 0, 0);
	}
}

static struct insn decode_arithmetic(uint32_t h)
{
	static const enum insn_kind kinds[2][4] = {{INSN_SUB, INSN_UNKNOWN, INSN_UNKNOWN, INSN_AND},
						   {INSN_SUB, INSN_ADD, INSN_UNKNOWN, INSN_UNKNOWN}};
	int rd = 8 + (int)field(h, 9, 7);
	int64_t amount = field(h, 12, 12) << 5 | field(h, 6, 2);
	struct insn insn;

	switch (field(h, 11, 10)) {
	case 0:
		return of(INSN_SRLI, rd, rd, -1, 0, amount);
	case 1:
		return of(INSN_SRAI, rd, rd, -1, 0, amount);
	case 2:
		return of(INSN_ANDI, rd, rd, -1, 0, extend((uint64_t)amount, 6));
	default:
		insn = of(kinds[field(h, 12, 12)][field(h, 6, 5)], rd, rd, 8 + (int)field(h, 4, 2), 0, 0);
		insn.word = field(h, 12, 12);
		return insn;
	}
}

static struct insn decode_quadrant1(uint32_t h)
{
	int rd = (int)field(h, 11, 7);
	int64_t small = extend(field(h, 12, 12) << 5 | field(h, 6, 2), 6);
	int64_t jump = extend(field(h, 12, 12) << 11 | field(h, 11, 11) << 4 | field(h, 10, 9) << 8 |
				  field(h, 8, 8) << 10 | field(h, 7, 7) << 6 | field(h, 6, 6) << 7 |
				  field(h, 5, 3) << 1 | field(h, 2, 2) << 5,
			      12);
	int64_t branch = extend(field(h, 12, 12) << 8 | field(h, 11, 10) << 3 | field(h, 6, 5) << 6 |
				    field(h, 4, 3) << 1 | field(h, 2, 2) << 5,
				9);
	int64_t on_sp = extend(field(h, 12, 12) << 9 | field(h, 6, 6) << 4 | field(h, 5, 5) << 6 |
				   field(h, 4, 3) << 7 | field(h, 2, 2) << 5,
			       10);
	struct insn insn;

	switch (field(h, 15, 13)) {
	case 0:
		return of(INSN_ADDI, rd, rd, -1, 0, small);
	case 1:
		insn = of(rd ? INSN_ADDI : INSN_UNKNOWN, rd, rd, -1, 0, small);
		insn.word = true;
		return insn;
	case 2:
		return of(INSN_ADDI, rd, REG_ZERO, -1, 0, small);
	case 3:
		return rd == REG_SP ? of(INSN_ADDI, rd, rd, -1, 0, on_sp)
				    : of(INSN_LUI, rd, -1, -1, 0, (int64_t)((uint64_t)small << 12));
	case 4:
		return decode_arithmetic(h);
	case 5:
		return of(INSN_JAL, REG_ZERO, -1, -1, 0, jump);
	default:
		return of(INSN_BRANCH, -1, 8 + (int)field(h, 9, 7), REG_ZERO, 0, branch);
	}
}

static struct insn decode_jump_or_move(uint32_t h)
{
	int rd = (int)field(h, 11, 7), rs2 = (int)field(h, 6, 2);
	bool second = field(h, 12, 12);

	if (rs2)
		return of(INSN_ADD, rd, second ? rd : REG_ZERO, rs2, 0, 0);
	if (rd)
		return of(INSN_JALR, second ? REG_RA : REG_ZERO, rd, -1, 0, 0);
	return of(INSN_UNKNOWN, -1, -1, -1, 0, 0); /* ebreak */
}

static struct insn decode_quadrant2(uint32_t h)
{
	int rd = (int)field(h, 11, 7), rs2 = (int)field(h, 6, 2);
	uint32_t bit5 = field(h, 12, 12) << 5;

	switch (field(h, 15, 13)) {
	case 0:
		return of(INSN_SLLI, rd, rd, -1, 0, bit5 | field(h, 6, 2));
	case 2:
		return of(INSN_LOAD, rd, REG_SP, -1, 4, bit5 | field(h, 6, 4) << 2 | field(h, 3, 2) << 6);
	case 3:
		return of(INSN_LOAD, rd, REG_SP, -1, 8, bit5 | field(h, 6, 5) << 3 | field(h, 4, 2) << 6);
	case 4:
		return decode_jump_or_move(h);
	case 6:
		return of(INSN_STORE, -1, REG_SP, rs2, 4, field(h, 12, 9) << 2 | field(h, 8, 7) << 6);
	case 7:
		return of(INSN_STORE, -1, REG_SP, rs2, 8, field(h, 12, 10) << 3 | field(h, 9, 7) << 6);
	default: /* floating point */
		return of(INSN_UNKNOWN, -1, -1, -1, 0, 0);
	}
}

struct insn insn_decode(const uint8_t *code, size_t available)
{
	if (available < 2)
		return (struct insn){.rd = -1, .rs1 = -1, .rs2 = -1};
	uint32_t half = code[0] | (uint32_t)code[1] << 8;
	switch (half & 3) {
	case 0:
		return decode_quadrant0(half);
	case 1:
		return decode_quadrant1(half);
	case 2:
		return decode_quadrant2(half);
	default:
		if (available < 4)
			return (struct insn){.rd = -1, .rs1 = -1, .rs2 = -1};
		return decode_long(half | (uint32_t)code[2] << 16 | (uint32_t)code[3] << 24);
	}
}
