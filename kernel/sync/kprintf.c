/* SPDX-License-Identifier: MIT */
/*
 * kprintf: one message at a time. Here and not in lib, because it needs a lock; declared in lib.h, because
 * everybody prints. A message longer than the buffer is cut, and says so.
 */
#include <kernel/lib.h>
#include <kernel/spinlock.h>

void (*kprintf_sink)(const char *bytes, size_t size_bytes);
volatile bool kprintf_unlocked;

static struct spinlock kprintf_lock = SPINLOCK_INIT(kprintf);
static char message[1024]; /* kprintf_lock; too large for an 8 KiB stack */

static void print_message(const char *fmt, va_list args)
{
	static const char cut[] = "...\n";
	size_t length = (size_t)kvsnprintf(message, sizeof(message), fmt, args);

	if (length >= sizeof(message)) {
		length = sizeof(message) - 1;
		memcpy(message + sizeof(message) - sizeof(cut), cut, sizeof(cut));
	}
	if (kprintf_sink)
		kprintf_sink(message, length);
}

void kprintf(const char *fmt, ...)
{
	bool lock = !kprintf_unlocked;
	va_list args;

	va_start(args, fmt);
	if (lock)
		spin_lock(&kprintf_lock);
	print_message(fmt, args);
	if (lock)
		spin_unlock(&kprintf_lock);
	va_end(args);
}
