/* SPDX-License-Identifier: MIT */
/*
 * printf into a buffer. One writer, `struct output`, counts what the whole text needs and stores what fits.
 * The conversions are those that lib.h names; an unknown one is printed as it stands.
 */
#include <kernel/lib.h>

struct output {
	char *buf;
	size_t capacity_bytes; /* room for text, without the final 0 */
	size_t length_bytes;
};

struct spec {
	bool left;
	bool zeros;
	int width;
	int precision; /* -1: none given */
	u32 long_size; /* 0: int; 1: long, size_t */
};

static void put_char(struct output *out, char c)
{
	if (out->length_bytes < out->capacity_bytes)
		out->buf[out->length_bytes] = c;
	out->length_bytes++;
}

static void put_padding(struct output *out, char c, int n)
{
	while (n-- > 0)
		put_char(out, c);
}

static void put_string(struct output *out, const struct spec *spec, const char *s)
{
	if (!s)
		s = "(null)";
	int length = (int)(spec->precision >= 0 ? strnlen(s, (size_t)spec->precision) : strlen(s));
	if (!spec->left)
		put_padding(out, ' ', spec->width - length);
	for (int i = 0; i < length; i++)
		put_char(out, s[i]);
	if (spec->left)
		put_padding(out, ' ', spec->width - length);
}

static void put_number(struct output *out, const struct spec *spec, u64 value, u32 base, const char *prefix,
		       bool capitals)
{
	const char *digits = capitals ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[24];
	int n = 0;
	int prefix_length = (int)strlen(prefix);

	do {
		text[n++] = digits[value % base];
		value /= base;
	} while (value);
	int padding = spec->width - n - prefix_length;
	if (!spec->left && !spec->zeros)
		put_padding(out, ' ', padding);
	for (int i = 0; i < prefix_length; i++)
		put_char(out, prefix[i]);
	if (!spec->left && spec->zeros)
		put_padding(out, '0', padding);
	while (n > 0)
		put_char(out, text[--n]);
	if (spec->left)
		put_padding(out, ' ', padding);
}

static u64 take_unsigned(const struct spec *spec, va_list *args)
{
	return spec->long_size ? va_arg(*args, u64) : va_arg(*args, u32);
}

static s64 take_signed(const struct spec *spec, va_list *args)
{
	return spec->long_size ? va_arg(*args, s64) : va_arg(*args, s32);
}

/* Flags, width, precision and size before the conversion letter; returns the letter's place. */
static const char *parse_spec(const char *fmt, struct spec *spec, va_list *args)
{
	*spec = (struct spec){.precision = -1};
	for (; *fmt == '-' || *fmt == '0'; fmt++) {
		spec->left |= *fmt == '-';
		spec->zeros |= *fmt == '0';
	}
	if (*fmt == '*') {
		spec->width = va_arg(*args, int);
		if (spec->width < 0) {
			spec->left = true;
			spec->width = -spec->width;
		}
		fmt++;
	}
	for (; *fmt >= '0' && *fmt <= '9'; fmt++)
		spec->width = spec->width * 10 + (*fmt - '0');
	if (*fmt == '.') {
		fmt++;
		spec->precision = 0;
		if (*fmt == '*') {
			spec->precision = va_arg(*args, int);
			fmt++;
		}
		for (; *fmt >= '0' && *fmt <= '9'; fmt++)
			spec->precision = spec->precision * 10 + (*fmt - '0');
	}
	for (; *fmt == 'l' || *fmt == 'z'; fmt++)
		spec->long_size = 1;
	return fmt;
}

static void convert(struct output *out, struct spec *spec, char letter, va_list *args)
{
	switch (letter) {
	case 'd':
	case 'i': {
		s64 value = take_signed(spec, args);
		put_number(out, spec, value < 0 ? -(u64)value : (u64)value, 10, value < 0 ? "-" : "", false);
		break;
	}
	case 'u':
		put_number(out, spec, take_unsigned(spec, args), 10, "", false);
		break;
	case 'x':
	case 'X':
		put_number(out, spec, take_unsigned(spec, args), 16, "", letter == 'X');
		break;
	case 'p':
		spec->zeros = true;
		spec->width = 18;
		put_number(out, spec, (u64)(uintptr_t)va_arg(*args, void *), 16, "0x", false);
		break;
	case 's':
		put_string(out, spec, va_arg(*args, const char *));
		break;
	case 'c':
		put_string(out, spec, (char[2]){(char)va_arg(*args, int), 0});
		break;
	case '%':
		put_char(out, '%');
		break;
	default:
		put_char(out, '%');
		if (letter)
			put_char(out, letter);
	}
}

int kvsnprintf(char *buf, size_t size_bytes, const char *fmt, va_list args)
{
	struct output out = {.buf = buf, .capacity_bytes = size_bytes ? size_bytes - 1 : 0};
	va_list rest;

	va_copy(rest, args);
	while (*fmt) {
		struct spec spec;
		if (*fmt != '%') {
			put_char(&out, *fmt++);
			continue;
		}
		fmt = parse_spec(fmt + 1, &spec, &rest);
		convert(&out, &spec, *fmt, &rest);
		if (*fmt)
			fmt++;
	}
	va_end(rest);
	if (size_bytes > 0)
		buf[MIN(out.length_bytes, out.capacity_bytes)] = 0;
	return (int)out.length_bytes;
}

int ksnprintf(char *buf, size_t size_bytes, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	int length = kvsnprintf(buf, size_bytes, fmt, args);
	va_end(args);
	return length;
}

void text_printf(struct text *text, const char *fmt, ...)
{
	size_t used = MIN(text->length_bytes, text->capacity_bytes);
	va_list args;

	va_start(args, fmt);
	text->length_bytes += (size_t)kvsnprintf(text->buf + used, text->capacity_bytes - used, fmt, args);
	va_end(args);
}
