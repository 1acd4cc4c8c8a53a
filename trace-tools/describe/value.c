/* SPDX-License-Identifier: MIT */
/* value: see value.h. */
#include "value.h"

struct value value_fresh(uint32_t *next)
{
	return (struct value){.base = VALUE_UNKNOWN, .x = (*next)++, .k = 1};
}

struct value value_constant(int64_t c)
{
	return (struct value){.base = VALUE_CONST, .c = c};
}

/* The pointer loaded from a fixed address, by itself. */
static bool is_pointer(struct value v)
{
	return v.base == VALUE_UNKNOWN && v.via && v.k == 0;
}

/* The same as an unknown of which nothing more is asked than its bits. */
static struct value plain(struct value v)
{
	if (is_pointer(v)) {
		v.via = 0;
		v.k = 1;
	}
	return v;
}

struct value value_add(uint32_t *next, struct value a, struct value b)
{
	if (b.base == VALUE_CONST || (is_pointer(b) && a.base != VALUE_CONST)) {
		struct value swap = a;
		a = b;
		b = swap;
	}
	if (is_pointer(a) && is_pointer(b))
		b = plain(b);
	b.c = (int64_t)((uint64_t)b.c + (uint64_t)a.c);
	if (a.base == VALUE_CONST)
		return b;
	if (is_pointer(a) && b.base == VALUE_UNKNOWN && !b.via) {
		b.via = a.via;
		return b;
	}
	if (a.base == VALUE_UNKNOWN && b.base == VALUE_UNKNOWN && a.x == b.x && a.shift == b.shift &&
	    a.less == b.less && !a.via && !b.via) {
		b.k = (int64_t)((uint64_t)b.k + (uint64_t)a.k);
		return b;
	}
	/* Two unknowns: their sum is one, and the constants stay, as one may be an array's address. */
	struct value sum = value_fresh(next);
	sum.gap = a.gap || b.gap;
	if (a.base != VALUE_FRAME && b.base != VALUE_FRAME)
		sum.c = b.c;
	return sum;
}

static struct value negated(uint32_t *next, struct value v)
{
	v = plain(v);
	if (v.base == VALUE_FRAME || v.via || v.less)
		return value_fresh(next);
	v.c = (int64_t)(0 - (uint64_t)v.c);
	v.k = (int64_t)(0 - (uint64_t)v.k);
	return v;
}

struct value value_subtract(uint32_t *next, struct value a, struct value b)
{
	uint64_t pointer = is_pointer(b) && b.c == 0 ? b.via : 0;

	a = b.base == VALUE_CONST ? a : plain(a);
	b = plain(b);
	bool same = a.base == VALUE_UNKNOWN && a.x == b.x && a.shift == b.shift && a.less == b.less;
	if (b.base == VALUE_UNKNOWN && !same) {
		/* How far an address is behind what a variable points to. No array lies at a pointer taken off. */
		if (pointer && a.base == VALUE_UNKNOWN && a.k == 1 && a.shift == 0 && !a.via && !a.less &&
		    !a.gap) {
			a.less = pointer;
			return a;
		}
		struct value difference = value_fresh(next);
		difference.gap = true;
		return difference;
	}
	struct value difference = value_add(next, a, negated(next, b));
	if (difference.base == VALUE_UNKNOWN && difference.k == 0 && !difference.via)
		return value_constant(difference.c);
	return difference;
}

/* Fewer bits of an address than of 8 MiB: it is none. */
#define ADDRESS_BITS_MIN 23

/*
 * Only the lowest `width` bits are kept: of a page's address, or number, that takes the start of RAM off, where RAM
 * begins at a multiple of what is kept.
 */
static struct value truncated(uint32_t *next, struct value v, int width)
{
	uint64_t ram = v.shift ? RAM_BASE >> 12 : RAM_BASE;

	if (v.base != VALUE_UNKNOWN || v.k <= 0 || width >= 63)
		return v;
	if (v.less) /* No address any more, but how far one is: that is a small number already. */
		return v;
	if (v.gap || width + (v.shift ? 12 : 0) < ADDRESS_BITS_MIN)
		return value_fresh(next);
	if (ram % (1ULL << width) == 0)
		v.c = (int64_t)((uint64_t)v.c - (uint64_t)v.k * ram);
	return v;
}

static bool power_of_two(int64_t k, int *log)
{
	*log = k > 0 ? __builtin_ctzll((uint64_t)k) : 0;
	return k > 0 && (k & (k - 1)) == 0;
}

struct value value_shift_left(uint32_t *next, struct value v, int64_t bits)
{
	v = plain(v);
	if (v.base == VALUE_FRAME || v.via || bits < 0 || bits > 63)
		return value_fresh(next);
	v.c = (int64_t)((uint64_t)v.c << bits);
	v.k = (int64_t)((uint64_t)v.k << bits);
	return v;
}

struct value value_multiply(uint32_t *next, struct value a, struct value b)
{
	struct value v = plain(a.base == VALUE_CONST ? b : a), by = a.base == VALUE_CONST ? a : b;

	if (by.base != VALUE_CONST || v.base == VALUE_FRAME || v.via)
		return value_fresh(next);
	v.c = (int64_t)((uint64_t)v.c * (uint64_t)by.c);
	v.k = (int64_t)((uint64_t)v.k * (uint64_t)by.c);
	return v;
}

struct value value_shift_right(uint32_t *next, struct value v, int64_t bits, bool is_signed)
{
	v = plain(v);
	if (v.base == VALUE_FRAME || v.via || bits < 0 || bits > 63)
		return value_fresh(next);
	if (v.base == VALUE_CONST)
		return value_constant(is_signed ? v.c >> bits : (int64_t)((uint64_t)v.c >> bits));
	int64_t rest = (int64_t)((1ULL << bits) - 1);
	int left;
	/* What was shifted left comes back, but for what was lost on the way; 32 bits and more are a whole number. */
	if (!(v.k & rest) && !(v.c & rest)) {
		bool lost = power_of_two(v.k, &left) && left > 32;
		v.c >>= bits;
		v.k >>= bits;
		return lost ? truncated(next, v, 64 - left) : v;
	}
	/* Bits out of the middle of an address: left to lose those above, right to lose those below. */
	if (!power_of_two(v.k, &left) || v.shift != 0 || v.gap || bits - left < 10 || (left && v.c))
		return value_fresh(next);
	v.k = 1;
	v.shift = (uint32_t)(bits - left);
	v.c >>= bits;
	return left ? truncated(next, v, 64 - (int)bits) : v;
}

struct value value_mask(uint32_t *next, struct value a, struct value b)
{
	if (a.base == VALUE_CONST) {
		struct value swap = a;
		a = b;
		b = swap;
	}
	if (b.base != VALUE_CONST)
		return value_fresh(next);
	if (a.base == VALUE_CONST)
		return value_constant(a.c & b.c);
	a = plain(a);
	/* Down to a page: x is a page's address, or the constant decides. */
	if (a.base == VALUE_UNKNOWN && b.c == -4096 && a.k == 1 && !a.shift && !a.via) {
		a.c &= b.c;
		return a;
	}
	/* All below a power of two. */
	int width;
	if (a.base == VALUE_UNKNOWN && a.k == 1 && !a.via && b.c < INT64_MAX && power_of_two(b.c + 1, &width))
		return truncated(next, a, width);
	return value_fresh(next);
}
