/* SPDX-License-Identifier: MIT */
/*
 * lib: what a C library would give, and no more. Depends on nothing of the kernel; kprintf's output goes
 * through one function pointer that the console sets.
 *
 * kprintf understands %d %i %u %x %X %p %s %c %% with l/ll/z, width, '-', '0', and '*' precision for %s.
 */
#ifndef KERNEL_LIB_H
#define KERNEL_LIB_H

#include <kernel/types.h>
#include <stdarg.h>

void *memset(void *dst, int byte, size_t size_bytes);
void *memcpy(void *dst, const void *src, size_t size_bytes);
void *memmove(void *dst, const void *src, size_t size_bytes);
int memcmp(const void *a, const void *b, size_t size_bytes);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max_bytes);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t max_bytes);
char *strchr(const char *s, int c);
/* Copies at most size_bytes - 1 bytes and always terminates; returns strlen(src). */
size_t str_copy(char *dst, const char *src, size_t size_bytes);
/* Unsigned number in base 10, or 16 with 0x; returns false unless the whole string is one. */
bool str_to_u64(const char *s, u64 *value);

/* Fills / checks memory in 8-byte words; ptr and size_bytes are multiples of 64. */
void mem_fill_words(void *ptr, u64 word, size_t size_bytes);
/* Returns the byte offset of the first word that differs, or size_bytes. */
size_t mem_find_difference(const void *ptr, u64 word, size_t size_bytes);

/* Formats into buf; always terminates when size_bytes > 0; returns the length the whole text would have. */
int ksnprintf(char *buf, size_t size_bytes, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int kvsnprintf(char *buf, size_t size_bytes, const char *fmt, va_list args);

/* Prints one message atomically on the console. Safe from any context, also with interrupts off. */
void kprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Where kprintf's bytes go; set by the console, NULL until then (early SBI output is the first setter). */
extern void (*kprintf_sink)(const char *bytes, size_t size_bytes);
/* Set by panic: whoever holds the locks of kprintf and its sink may have been stopped, so they are ignored. */
extern volatile bool kprintf_unlocked;

/* Stops every hart, dumps registers and the stack, ends the machine with a failure status. Never returns. */
void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* The same about a thing that is not in order: a struct page *, an object, a page's address. Tools tell its history. */
void panic_about(const void *subject, const char *fmt, ...) __attribute__((format(printf, 2, 3), noreturn));

#define KASSERT(cond)                                                                                        \
	do {                                                                                                 \
		if (UNLIKELY(!(cond)))                                                                       \
			panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #cond);                     \
	} while (0)

/* A text buffer that grows by appending and never overflows: /proc files and reports are built in one. */
struct text {
	char *buf;
	size_t capacity_bytes;
	size_t length_bytes; /* what the whole text needs; more than capacity means it was cut */
};
void text_printf(struct text *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
