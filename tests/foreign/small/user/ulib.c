/* SPDX-License-Identifier: MIT */
/*
 * The little that programs share: output, and a comparison of strings.
 */
#include <stdarg.h>

#include "user.h"

static char *put_number(char *to, int value)
{
	char digits[12];
	int n = 0;
	u32 rest = value < 0 ? -(u32)value : (u32)value;

	do
		digits[n++] = (char)('0' + rest % 10);
	while ((rest /= 10) != 0);
	if (value < 0)
		*to++ = '-';
	while (n > 0)
		*to++ = digits[--n];
	return to;
}

void print(const char *format, ...)
{
	char line[160], *to = line;
	va_list args;

	va_start(args, format);
	for (; *format && to < line + sizeof(line) - 12; format++) {
		if (*format != '%') {
			*to++ = *format;
		} else if (*++format == 'd') {
			to = put_number(to, va_arg(args, int));
		} else {
			for (const char *s = va_arg(args, const char *); *s && to < line + sizeof(line) - 1;)
				*to++ = *s++;
		}
	}
	va_end(args);
	write(1, line, (int)(to - line));
}

int equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

void *memset(void *to, int value, u64 size)
{
	for (u64 i = 0; i < size; i++)
		((volatile char *)to)[i] = (char)value;
	return to;
}

void *memcpy(void *to, const void *from, u64 size)
{
	for (u64 i = 0; i < size; i++)
		((volatile char *)to)[i] = ((const char *)from)[i];
	return to;
}
