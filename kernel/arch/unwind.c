/*
 * Unwinding by frame pointers: a function's fp points above its frame, where the return address stands at
 * fp - 8 and the caller's fp at fp - 16. A leaf that calls nobody keeps only the caller's fp, at fp - 8; it
 * can only be met as the function that a trap interrupted.
 *
 * Every stack is two pages on a boundary of two pages (kernel stack slots, boot stacks), so the bounds come
 * from the stack pointer itself. Each step goes strictly up within them: it ends, and cannot fault.
 */
#include "arch_priv.h"

#define STACK_BYTES (2 * PAGE_SIZE)

STATIC_ASSERT((u32)PHYS_OFFSET == 0, "frames are the low halves of addresses");

static bool in_text(u64 va)
{
	return va - (u64)image_start < (u64)(text_end - image_start);
}

/* This runs once for each traced event: about a dozen instructions a frame. */
static inline u32 unwind(u64 fp, u64 low, u64 high, u32 *frames, u32 max_frames, u32 skip)
{
	u32 *out = frames, *end = frames + max_frames;

	if (fp < low + 16 || fp > high || fp & 7)
		return 0;
	while (out < end) {
		u64 ra = ((const u64 *)fp)[-1];
		u64 caller_fp = ((const u64 *)fp)[-2];
		if (UNLIKELY(!in_text(ra)))
			caller_fp = ra; /* a leaf's; or nonsense, which the bounds end */
		else if (skip > 0)
			skip--;
		else
			*out++ = (u32)ra; /* less PHYS_OFFSET, whose low half is 0 */
		if (caller_fp <= fp || caller_fp > high || caller_fp & 7)
			break;
		fp = caller_fp;
	}
	return (u32)(out - frames);
}

u32 arch_unwind(u32 *frames, u32 max_frames, u32 skip)
{
	u64 fp = (u64)__builtin_frame_address(0);
	u64 low = (fp - 16) & ~(STACK_BYTES - 1);
	/* If the compiler made this a leaf, its own return address is not on the stack and must not be counted. */
	u32 own = in_text(((const u64 *)fp)[-1]);

	return unwind(fp, low, low + STACK_BYTES, frames, max_frames, skip + own);
}

u32 arch_unwind_from(u64 pc, u64 fp, u64 low, u64 high, u32 *frames, u32 max_frames)
{
	if (max_frames == 0)
		return 0;
	frames[0] = (u32)(pc - PHYS_OFFSET);
	return 1 + unwind(fp, low, high, frames + 1, max_frames - 1, 0);
}
