/* SPDX-License-Identifier: MIT */
/*
 * printf and fprintf as programs written for xv6-riscv know them: %d %u %x and their l and ll forms, %p, %s, %c, %%;
 * digits above 9 are capitals, %p has all sixteen. %l alone is an unsigned long, as in its early years. Anything else
 * is printed as it stands.
 *
 * Those programs' stack is one page, and some go as deep as it takes them. So all of printf uses no more of it than that
 * system's does, 288 bytes (tests/xv6/xv6check.c looks); and as it also serves a child that has used up all memory,
 * whose static data it could not write to, there is no buffer for the text: each piece of it, a run of the format, a
 * string, a number, is written from where it is.
 */
#include <stdarg.h>

#include "kernel/types.h"

#include "user/user.h"

/* The stub itself: write() of xv6lib.c would have a frame. */
long sys_write(int fd, const void *buf, long size_bytes);

static void put_text(int fd, const char *from, const char *to)
{
	if (to > from)
		sys_write(fd, from, to - from);
}

/* prefix: a sign, say. */
static void put_number(int fd, uint64 value, uint base, int at_least, const char *prefix)
{
	char digits[20]; /* of 2^64 - 1 */
	char *first = digits + sizeof(digits);

	do
		*--first = "0123456789ABCDEF"[value % base];
	while ((value /= base) || first > digits + sizeof(digits) - at_least);
	put_text(fd, prefix, prefix + strlen(prefix));
	put_text(fd, first, digits + sizeof(digits));
}

static void put_signed(int fd, long value)
{
	put_number(fd, value < 0 ? -(uint64)value : (uint64)value, 10, 1, value < 0 ? "-" : "");
}

/* The conversion behind the '%' at fmt; returns where the text goes on, which may be at the '%' itself. */
static const char *convert(int fd, const char *fmt, va_list *args)
{
	const char *letter = fmt + 1, *s;
	int is_long;
	char c;

	while (*letter == 'l' && letter < fmt + 3)
		letter++;
	is_long = letter > fmt + 1;
	switch (*letter) {
	case 'd':
		put_signed(fd, is_long ? va_arg(*args, long) : va_arg(*args, int));
		return letter + 1;
	case 'u':
	case 'x':
		put_number(fd, is_long ? va_arg(*args, uint64) : va_arg(*args, uint),
			   *letter == 'x' ? 16 : 10, 1, "");
		return letter + 1;
	}
	switch (fmt[1]) {
	case 'l':
		put_number(fd, va_arg(*args, uint64), 10, 1, "");
		break;
	case 'p':
		put_number(fd, va_arg(*args, uint64), 16, 16, "0x");
		break;
	case 's':
		s = va_arg(*args, const char *);
		s = s ? s : "(null)";
		put_text(fd, s, s + strlen(s));
		break;
	case 'c':
		c = (char)va_arg(*args, int);
		put_text(fd, &c, &c + 1);
		break;
	case 0:
		return fmt + 1;
	case '%':
		put_text(fd, fmt, fmt + 1);
		break;
	default:
		put_text(fd, fmt, fmt + 2);
	}
	return fmt + 2;
}

static void print(int fd, const char *fmt, va_list *args)
{
	while (*fmt) {
		const char *run = fmt;

		while (*fmt && *fmt != '%')
			fmt++;
		put_text(fd, run, fmt);
		if (*fmt)
			fmt = convert(fd, fmt, args);
	}
}

void fprintf(int fd, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print(fd, fmt, &args);
	va_end(args);
}

void printf(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print(1, fmt, &args);
	va_end(args);
}
