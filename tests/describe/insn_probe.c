/* SPDX-License-Identifier: MIT */
/* insn_probe: decodes instructions given in hex, one a line, for test_insn.py: kind rd rs1 rs2 word bytes size imm. */
#include <inttypes.h>
#include <stdio.h>

#include "describe/insn.h"

int main(void)
{
	static const char *const kinds[] = {
	    [INSN_UNKNOWN] = "unknown", [INSN_LUI] = "lui",     [INSN_AUIPC] = "auipc",
	    [INSN_JAL] = "jal",         [INSN_JALR] = "jalr",   [INSN_BRANCH] = "branch",
	    [INSN_LOAD] = "load",       [INSN_STORE] = "store", [INSN_AMO] = "amo",
	    [INSN_LR] = "lr",           [INSN_ADDI] = "addi",   [INSN_ANDI] = "andi",
	    [INSN_SLLI] = "slli",       [INSN_SRLI] = "srli",   [INSN_SRAI] = "srai",
	    [INSN_ADD] = "add",         [INSN_SUB] = "sub",     [INSN_MUL] = "mul",
	    [INSN_AND] = "and",         [INSN_ECALL] = "ecall", [INSN_RETURN] = "return"};
	uint32_t word;

	while (scanf("%" SCNx32, &word) == 1) {
		uint8_t code[4] = {word & 0xff, word >> 8 & 0xff, word >> 16 & 0xff, word >> 24};
		struct insn insn = insn_decode(code, sizeof(code));
		printf("%s %d %d %d %d %u %u %" PRId64 "\n", kinds[insn.kind], insn.rd, insn.rs1, insn.rs2,
		       insn.word, insn.bytes, insn.size, insn.imm);
	}
	return 0;
}
