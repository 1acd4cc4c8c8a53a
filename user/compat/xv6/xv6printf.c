/*
 * printf and fprintf as programs written for xv6-riscv know them: %d %u %x and their l and ll forms, %p, %s, %c, %%;
 * digits above 9 are capitals, %p has all sixteen. %l alone is an unsigned long, as in its early years. Anything else
 * is printed as it stands.
 *
 * Text of any length, in few writes, from a buffer on the stack: those programs' stack is one page.
 */
#include <stdarg.h>

#include "kernel/types.h"

#include "user/user.h"

struct output {
	int fd, length;
	char text[96];
};

static void flush(struct output *out)
{
	if (out->length)
		write(out->fd, out->text, out->length);
	out->length = 0;
}

static void put(struct output *out, char c)
{
	if (out->length == sizeof(out->text))
		flush(out);
	out->text[out->length++] = c;
}

static void put_number(struct output *out, uint64 value, uint base, int at_least)
{
	char digits[20]; /* of 2^64 - 1 */
	int n = 0;

	do
		digits[n++] = "0123456789ABCDEF"[value % base];
	while ((value /= base) || n < at_least);
	while (n)
		put(out, digits[--n]);
}

static void put_signed(struct output *out, long value)
{
	if (value < 0)
		put(out, '-');
	put_number(out, value < 0 ? -(uint64)value : (uint64)value, 10, 1);
}

/* The conversion behind a '%'; returns where the text goes on. */
static const char *convert(struct output *out, const char *fmt, va_list *args)
{
	const char *letter = fmt, *s;
	int is_long;

	while (*letter == 'l' && letter < fmt + 2)
		letter++;
	is_long = letter > fmt;
	switch (*letter) {
	case 'd':
		put_signed(out, is_long ? va_arg(*args, long) : va_arg(*args, int));
		return letter + 1;
	case 'u':
	case 'x':
		put_number(out, is_long ? va_arg(*args, uint64) : va_arg(*args, uint),
			   *letter == 'x' ? 16 : 10, 1);
		return letter + 1;
	}
	switch (*fmt) {
	case 'l':
		put_number(out, va_arg(*args, uint64), 10, 1);
		break;
	case 'p':
		put(out, '0');
		put(out, 'x');
		put_number(out, va_arg(*args, uint64), 16, 16);
		break;
	case 's':
		s = va_arg(*args, const char *);
		for (s = s ? s : "(null)"; *s; s++)
			put(out, *s);
		break;
	case 'c':
		put(out, (char)va_arg(*args, int));
		break;
	case 0:
		return fmt;
	default:
		put(out, '%');
		if (*fmt != '%')
			put(out, *fmt);
	}
	return fmt + 1;
}

static void print(int fd, const char *fmt, va_list *args)
{
	struct output out = {.fd = fd};

	while (*fmt) {
		if (*fmt != '%')
			put(&out, *fmt++);
		else
			fmt = convert(&out, fmt + 1, args);
	}
	flush(&out);
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
