/* SPDX-License-Identifier: MIT */
/*
 * Output, panic, memory, and what a planted mistake says of itself.
 *
 * A line is put together in a buffer and written under one lock. A build with a mistake prints
 *
 *     truth: leak 0x80fa3000 store_read
 *
 * at the moment of the mistake: what, which page (an object: its virtual address), in which function. The tests compare this
 * with what was found from outside. Mistakes after which a kernel does not live long wait for truth_armed.
 */
#include <stdarg.h>

#include "kernel.h"

bool truth_armed;

static struct lock print_lock;

struct line {
	char text[200];
	u32 length;
};

static void add(struct line *line, char c)
{
	if (line->length < sizeof(line->text))
		line->text[line->length++] = c;
}

static void add_number(struct line *line, u64 value, u32 base)
{
	char digits[24];
	u32 n = 0;

	do
		digits[n++] = "0123456789abcdef"[value % base];
	while ((value /= base) != 0);
	while (n > 0)
		add(line, digits[--n]);
}

/* %s string, %d int (not negative), %lu and %lx long. */
void print(const char *format, ...)
{
	struct line line = {.length = 0};
	va_list args;

	va_start(args, format);
	for (; *format; format++) {
		if (*format != '%') {
			add(&line, *format);
		} else if (*++format == 's') {
			for (const char *s = va_arg(args, const char *); *s; s++)
				add(&line, *s);
		} else if (*format == 'd') {
			add_number(&line, (u64)va_arg(args, int), 10);
		} else if (*++format == 'x') {
			add_number(&line, va_arg(args, u64), 16);
		} else {
			add_number(&line, va_arg(args, u64), 10);
		}
	}
	va_end(args);
	lock_acquire(&print_lock);
	sbi_console_write(line.text, line.length);
	lock_release(&print_lock);
}

void panic(const char *why)
{
	csr_clear(sstatus, SSTATUS_SIE);
	print_lock.held = 0; /* whoever has it may be who panics */
	print("panic: %s\n", why);
	sbi_shutdown(true);
}

void truth_of(const char *what, u64 address, const char *function)
{
	print("truth: %s 0x%lx %s\n", what, address, function);
}

void *memset(void *to, int value, u64 size)
{
	u64 word = 0x0101010101010101UL * (u8)value, i = 0;

	if (((u64)to & 7) == 0)
		for (; i + 8 <= size; i += 8)
			*(volatile u64 *)((char *)to + i) = word;
	for (; i < size; i++)
		((volatile u8 *)to)[i] = (u8)value;
	return to;
}

void *memcpy(void *to, const void *from, u64 size)
{
	u64 i = 0;

	if ((((u64)to | (u64)from) & 7) == 0)
		for (; i + 8 <= size; i += 8)
			*(volatile u64 *)((char *)to + i) = *(const u64 *)((const char *)from + i);
	for (; i < size; i++)
		((volatile u8 *)to)[i] = ((const u8 *)from)[i];
	return to;
}

bool string_equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}
