/* SPDX-License-Identifier: MIT
 *
 * insn: see insn.h.
 */
#include "insn.h"

static struct store compressed_store(uint32_t insn)
{
	unsigned quadrant = insn & 3, funct = insn >> 13 & 7;
	uint8_t short_source = (uint8_t)(8 + (insn >> 2 & 7)), source = (uint8_t)(insn >> 2 & 31);

	uint8_t bytes = funct == 6 ? 4 : 8;

	if (quadrant == 0 && funct >= 6) /* c.sw, c.sd */
		return (struct store){STORE_PLAIN, short_source, bytes};
	if (quadrant == 0 && funct == 4 && (insn >> 11 & 3) == 1) /* Zcb: c.sb, c.sh */
		return (struct store){STORE_PLAIN, short_source, insn >> 10 & 1 ? 2 : 1};
	if (quadrant == 2 && funct >= 6) /* c.swsp, c.sdsp */
		return (struct store){STORE_PLAIN, source, bytes};
	if (funct == 5 && quadrant != 1) /* c.fsd, c.fsdsp */
		return (struct store){STORE_FLOAT, 0, 8};
	return (struct store){STORE_NOT, 0, 0};
}

struct store insn_store(uint32_t insn, unsigned size)
{
	uint8_t source = (uint8_t)(insn >> 20 & 31), bytes = (uint8_t)(1U << (insn >> 12 & 3));

	if (size == 2)
		return compressed_store(insn);
	switch (insn & 0x7f) {
	case 0x23:
		return (struct store){STORE_PLAIN, source, bytes};
	case 0x27:
		return (struct store){STORE_FLOAT, 0, bytes};
	case 0x2f:
		if (insn >> 27 == 2) /* lr */
			return (struct store){STORE_NOT, 0, 0};
		return (struct store){insn >> 27 == 0 ? STORE_AMO_ADD : STORE_AMO_OTHER, source, bytes};
	default:
		return (struct store){STORE_NOT, 0, 0};
	}
}

bool insn_changes_tables(uint32_t insn, unsigned size)
{
	bool sfence = (insn & 0xfe007fff) == 0x12000073;
	bool csr = (insn & 0x7f) == 0x73 && (insn >> 12 & 3) != 0 && insn >> 20 == 0x180;

	return size == 4 && (sfence || csr);
}

bool insn_sets_frame(uint32_t insn, unsigned size)
{
	if (size == 4)
		return (insn & 0xfffff) == 0x10413;          /* addi s0, sp, n */
	return (insn & 0xe01f) == 0 && (insn & 0xffff) != 0; /* c.addi4spn s0, sp, n */
}
