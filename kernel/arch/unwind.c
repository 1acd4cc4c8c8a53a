/* SPDX-License-Identifier: MIT */
/*
 * Unwinding a stack that does not run: a sleeping task's, or one that a panic stopped. The step is arch.h's, where the
 * layout of frames is told.
 */
#include "arch_priv.h"

STATIC_ASSERT((u32)PHYS_OFFSET == 0, "frames are the low halves of addresses");

u32 arch_unwind_from(u64 pc, u64 fp, u64 low, u64 high, u32 *frames, u32 max_frames)
{
	struct arch_unwind unwind = {.fp = fp >= low + 16 && fp <= high && !(fp & 7) ? fp : 0, .high = high};
	u32 nr = 0;
	u64 address;

	if (max_frames == 0)
		return 0;
	frames[nr++] = (u32)pc; /* less PHYS_OFFSET, whose low half is 0 */
	while (nr < max_frames && arch_unwind_next(&unwind, &address))
		frames[nr++] = (u32)address;
	return nr;
}
