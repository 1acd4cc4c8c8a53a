/* SPDX-License-Identifier: MIT */
/*
 * Memory and strings. Whole pages are set and copied word by word: they are most of what a boot does.
 */
#include "kernel.h"

static int aligned(const void *a, const void *b, u64 size)
{
	return (((u64)a | (u64)b | size) & 7) == 0;
}

void *memset(void *to, int value, u64 size)
{
	u8 *bytes = to;
	u64 word = 0x0101010101010101UL * (u8)value;

	if (aligned(to, to, size)) {
		for (u64 i = 0; i < size / 8; i++)
			((volatile u64 *)to)[i] = word;
		return to;
	}
	for (u64 i = 0; i < size; i++)
		((volatile u8 *)bytes)[i] = (u8)value;
	return to;
}

void *memmove(void *to, const void *from, u64 size)
{
	volatile u8 *target = to;
	const u8 *source = from;

	if (aligned(to, from, size) && (to <= from || (u8 *)to >= source + size)) {
		for (u64 i = 0; i < size / 8; i++)
			((volatile u64 *)to)[i] = ((const u64 *)from)[i];
	} else if (to <= from) {
		for (u64 i = 0; i < size; i++)
			target[i] = source[i];
	} else {
		for (u64 i = size; i-- > 0;)
			target[i] = source[i];
	}
	return to;
}

int strncmp(const char *a, const char *b, u64 size)
{
	for (; size > 0; a++, b++, size--)
		if (*a != *b || !*a)
			return (u8)*a - (u8)*b;
	return 0;
}

/* Copies a string and ends it, cut if need be. */
void copy_name(char *to, const char *from, u64 size)
{
	while (--size > 0 && *from)
		*to++ = *from++;
	*to = 0;
}
