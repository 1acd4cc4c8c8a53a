/* SPDX-License-Identifier: MIT */
/*
 * What the compiler calls for __builtin_ctzl, __builtin_clzl and __builtin_popcountl, since the kernel's
 * instruction set has no such instructions (and the compiler's own library is built for another one).
 */
#include <kernel/lib.h>

#ifndef PAGETRAIL_HOST

int __ctzdi2(u64 value);
int __clzdi2(u64 value);
int __popcountdi2(u64 value);

/* Zeros below the lowest bit set; of 0, nobody asks. */
int __ctzdi2(u64 value)
{
	int n = 0;

	for (int step = 32; step > 0; step /= 2) {
		if (!(value & ((1UL << step) - 1))) {
			value >>= step;
			n += step;
		}
	}
	return n;
}

int __clzdi2(u64 value)
{
	int n = 0;

	for (int step = 32; step > 0; step /= 2) {
		if (!(value >> (64 - step))) {
			value <<= step;
			n += step;
		}
	}
	return n;
}

/* Sums in fields of 2, 4, then 8 bits; the product adds the bytes up in the topmost. */
int __popcountdi2(u64 value)
{
	value -= value >> 1 & 0x5555555555555555UL;
	value = (value & 0x3333333333333333UL) + (value >> 2 & 0x3333333333333333UL);
	value = (value + (value >> 4)) & 0x0f0f0f0f0f0f0f0fUL;
	return (int)(value * 0x0101010101010101UL >> 56);
}

#endif
