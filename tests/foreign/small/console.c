/* SPDX-License-Identifier: MIT */
/*
 * The console: a 16550 UART. Output waits for the device; input comes by interrupt and is kept until a line is complete.
 */
#include <stdarg.h>

#include "kernel.h"

#define REG(offset) (*(volatile u8 *)(UART0 + (offset)))
#define DATA REG(0)
#define INTERRUPT_ENABLE REG(1)
#define FIFO_CONTROL REG(2)
#define LINE_STATUS REG(5)
#define HAS_INPUT 0x01
#define CAN_SEND 0x20
#define ALL_SENT 0x40

static struct spinlock print_lock; /* one printf() is one piece of output */

#define INPUT_SIZE 256

static struct {
	struct spinlock lock;
	char ring[INPUT_SIZE];
	u32 nread, nwrite; /* of all time */
	u32 nlines;        /* complete and not read yet */
} input;

void console_init(void)
{
	initlock(&print_lock, "console");
	initlock(&input.lock, "input");
	FIFO_CONTROL = 0x07; /* on, empty */
	INTERRUPT_ENABLE = HAS_INPUT;
}

static void putc(char c)
{
	while (!(LINE_STATUS & CAN_SEND))
		;
	DATA = (u8)c;
}

void console_write(const char *bytes, u64 size)
{
	acquire(&print_lock);
	for (u64 i = 0; i < size; i++)
		putc(bytes[i]);
	release(&print_lock);
}

void console_interrupt(void)
{
	acquire(&input.lock);
	while (LINE_STATUS & HAS_INPUT) {
		char c = (char)DATA;

		if (input.nwrite == input.nread + INPUT_SIZE)
			continue; /* nobody reads; lost */
		if (c == '\r')
			c = '\n';
		input.ring[input.nwrite++ % INPUT_SIZE] = c;
		input.nlines += c == '\n';
	}
	if (input.nlines > 0)
		wakeup(&input);
	release(&input.lock);
}

int console_read(u64 va, int size)
{
	char line[INPUT_SIZE];
	int length = 0;

	acquire(&input.lock);
	while (input.nlines == 0)
		sleep(&input, &input.lock);
	while (length < size && length < INPUT_SIZE) {
		line[length] = input.ring[input.nread++ % INPUT_SIZE];
		if (line[length++] == '\n') {
			input.nlines--;
			break;
		}
	}
	release(&input.lock);
	console_write(line, (u64)length);
	return copyout(va, line, (u64)length) < 0 ? -1 : length;
}

static void print_number(u64 value, u32 base, int negative)
{
	char digits[24];
	int n = 0;

	do
		digits[n++] = "0123456789abcdef"[value % base];
	while ((value /= base) != 0);
	if (negative)
		putc('-');
	while (n > 0)
		putc(digits[--n]);
}

/* %d int, %ld and %lu long, %x unsigned, %lx long, %p address, %s. */
static void vprintf(const char *format, va_list args)
{
	for (; *format; format++) {
		int is_long = 0;

		if (*format != '%') {
			putc(*format);
			continue;
		}
		if (*++format == 'l') {
			is_long = 1;
			format++;
		}
		if (*format == 'd') {
			long value = is_long ? va_arg(args, long) : va_arg(args, int);

			print_number(value < 0 ? -(u64)value : (u64)value, 10, value < 0);
		} else if (*format == 'u') {
			print_number(is_long ? va_arg(args, u64) : va_arg(args, u32), 10, 0);
		} else if (*format == 'x') {
			print_number(is_long ? va_arg(args, u64) : va_arg(args, u32), 16, 0);
		} else if (*format == 'p') {
			putc('0');
			putc('x');
			print_number(va_arg(args, u64), 16, 0);
		} else if (*format == 's') {
			for (const char *s = va_arg(args, const char *); *s; s++)
				putc(*s);
		} else {
			putc(*format);
		}
	}
}

void printf(const char *format, ...)
{
	va_list args;

	acquire(&print_lock);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	release(&print_lock);
}

void poweroff(int status)
{
	while (!(LINE_STATUS & ALL_SENT))
		;
	*(volatile u32 *)FINISHER = status == 0 ? 0x5555 : (u32)status << 16 | 0x3333;
	for (;;)
		;
}

/* Prints without the lock: whoever holds it may be who panics. */
void panic(const char *why)
{
	intr_off();
	for (const char *s = "panic: "; *s; s++)
		putc(*s);
	for (; *why; why++)
		putc(*why);
	putc('\n');
	poweroff(3);
}
