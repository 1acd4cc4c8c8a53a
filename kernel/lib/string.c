/* SPDX-License-Identifier: MIT */
/*
 * Memory and strings. The byte movers work in eight-byte words, eight to a round, since pages are copied and
 * filled here: a page costs about 100 instructions a KiB instead of 4000.
 *
 * Words are aligned on both sides: the compiler puts a word that is not together from eight loads. memcpy of what is aligned
 * on one side only goes that way.
 * The compiler must not turn these loops back into calls of the functions they define.
 */
#include <kernel/lib.h>

typedef u64 __attribute__((may_alias)) word_t;

#define WORDS_A_ROUND 8
#define ROUND_BYTES (WORDS_A_ROUND * sizeof(word_t))

#ifndef PAGETRAIL_HOST /* the host has a C library of its own */

#pragma GCC optimize("no-tree-loop-distribute-patterns")

typedef u64 __attribute__((may_alias, aligned(1))) loose_word_t;

void *memset(void *dst, int byte, size_t size_bytes)
{
	u8 *d = dst;
	u64 word = (u8)byte * 0x0101010101010101UL;

	while (size_bytes > 0 && ((uintptr_t)d & 7)) {
		*d++ = (u8)byte;
		size_bytes--;
	}
	size_t rounds_bytes = size_bytes & ~(ROUND_BYTES - 1);
	if (rounds_bytes) {
		mem_fill_words(d, word, rounds_bytes);
		d += rounds_bytes;
		size_bytes -= rounds_bytes;
	}
	for (; size_bytes >= 8; size_bytes -= 8, d += 8)
		*(word_t *)d = word;
	while (size_bytes-- > 0)
		*d++ = (u8)byte;
	return dst;
}

/* Both at a multiple of 8. Returns how many bytes that were. */
static inline size_t copy_rounds(void *dst, const void *src, size_t size_bytes)
{
	word_t *to = dst;
	const word_t *from = src;
	size_t left_bytes = size_bytes;

	for (; left_bytes >= ROUND_BYTES; left_bytes -= ROUND_BYTES, to += 8, from += 8) {
		u64 a = from[0], b = from[1], c = from[2], e = from[3];
		u64 f = from[4], g = from[5], h = from[6], i = from[7];
		to[0] = a, to[1] = b, to[2] = c, to[3] = e;
		to[4] = f, to[5] = g, to[6] = h, to[7] = i;
	}
	for (; left_bytes >= 8; left_bytes -= 8)
		*to++ = *from++;
	return size_bytes - left_bytes;
}

/* A word that lies across two is put together of bytes, eight loads instead of one: pages, inodes and most else do not. */
void *memcpy(void *dst, const void *src, size_t size_bytes)
{
	u8 *d = dst;
	const u8 *s = src;
	size_t done_bytes;

	while (size_bytes > 0 && ((uintptr_t)d & 7)) {
		*d++ = *s++;
		size_bytes--;
	}
	if (!((uintptr_t)s & 7)) {
		done_bytes = copy_rounds(d, s, size_bytes);
		d += done_bytes;
		s += done_bytes;
		size_bytes -= done_bytes;
	}
	for (; size_bytes >= 8; size_bytes -= 8, d += 8, s += 8)
		*(word_t *)d = *(const loose_word_t *)s;
	while (size_bytes-- > 0)
		*d++ = *s++;
	return dst;
}

void *memmove(void *dst, const void *src, size_t size_bytes)
{
	u8 *d = dst;
	const u8 *s = src;

	/* A forward copy reads each byte before it writes it unless dst lies inside [src, src + size). */
	if ((uintptr_t)d - (uintptr_t)s >= size_bytes)
		return memcpy(dst, src, size_bytes);
	d += size_bytes;
	s += size_bytes;
	while (size_bytes > 0 && ((uintptr_t)d & 7)) {
		*--d = *--s;
		size_bytes--;
	}
	for (; size_bytes >= 8; size_bytes -= 8) {
		d -= 8;
		s -= 8;
		*(word_t *)d = *(const loose_word_t *)s;
	}
	while (size_bytes-- > 0)
		*--d = *--s;
	return dst;
}

int memcmp(const void *a, const void *b, size_t size_bytes)
{
	const u8 *x = a, *y = b;

	for (; size_bytes >= 8; size_bytes -= 8, x += 8, y += 8)
		if (*(const loose_word_t *)x != *(const loose_word_t *)y)
			break;
	for (; size_bytes > 0; size_bytes--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strlen(const char *s)
{
	const char *end = s;

	while (*end)
		end++;
	return (size_t)(end - s);
}

size_t strnlen(const char *s, size_t max_bytes)
{
	size_t length = 0;

	while (length < max_bytes && s[length])
		length++;
	return length;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (u8)*a - (u8)*b;
}

int strncmp(const char *a, const char *b, size_t max_bytes)
{
	for (; max_bytes > 0; max_bytes--, a++, b++)
		if (*a != *b || !*a)
			return (u8)*a - (u8)*b;
	return 0;
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)s;
		if (!*s)
			return NULL;
	}
}

#endif /* PAGETRAIL_HOST */

size_t str_copy(char *dst, const char *src, size_t size_bytes)
{
	size_t length = strlen(src);

	if (size_bytes > 0) {
		size_t n = MIN(length, size_bytes - 1);
		memcpy(dst, src, n);
		dst[n] = 0;
	}
	return length;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

bool str_to_u64(const char *s, u64 *value)
{
	u64 result = 0;
	u64 base = 10;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
	}
	if (!*s)
		return false;
	for (; *s; s++) {
		u64 digit = (u64)digit_value(*s);
		if (digit >= base || result > (UINT64_MAX - digit) / base)
			return false;
		result = result * base + digit;
	}
	*value = result;
	return true;
}

void mem_fill_words(void *ptr, u64 word, size_t size_bytes)
{
	word_t *w = ptr;
	word_t *end = (word_t *)((char *)ptr + size_bytes);

	for (; w < end; w += WORDS_A_ROUND) {
		w[0] = word, w[1] = word, w[2] = word, w[3] = word;
		w[4] = word, w[5] = word, w[6] = word, w[7] = word;
	}
}

size_t mem_find_difference(const void *ptr, u64 word, size_t size_bytes)
{
	const word_t *w = ptr;
	const word_t *end = (const word_t *)((const char *)ptr + size_bytes);

	for (; w < end; w += WORDS_A_ROUND) {
		u64 any = (w[0] ^ word) | (w[1] ^ word) | (w[2] ^ word) | (w[3] ^ word);
		any |= (w[4] ^ word) | (w[5] ^ word) | (w[6] ^ word) | (w[7] ^ word);
		if (LIKELY(!any))
			continue;
		while (*w == word)
			w++;
		return (size_t)((const char *)w - (const char *)ptr);
	}
	return size_bytes;
}
