/* SPDX-License-Identifier: MIT */
/*
 * The console: a line-edited input over the UART, and its output, as character device 1.
 *
 * Input is a ring. [read, line) holds finished lines, [line, edit) the one being typed: readers see only
 * the former.
 *
 * CON-1  edit - read <= INPUT_BYTES.
 *
 * Keys: backspace and DEL erase one character, ^U the line, ^D ends the input.
 * Lock: `console` for input, never held across a copy to the user; a sleeplock for output, which is.
 */
#include "console_priv.h"

#include <kernel/dev.h>
#include <kernel/errno.h>
#include <kernel/lib.h>
#include <kernel/sched.h>
#include <kernel/sleeplock.h>
#include <kernel/waitqueue.h>

#define INPUT_BYTES 512U
#define KEY_CTRL(c) ((c) - '@')
#define KEY_END KEY_CTRL('D')
#define KEY_KILL KEY_CTRL('U')
#define KEY_BACKSPACE '\b'
#define KEY_DELETE '\x7f'

static struct {
	struct spinlock lock;
	struct waitqueue wait;
	char ring[INPUT_BYTES];
	u32 read, line, edit; /* free-running */
} input;

static struct sleeplock output_lock; /* one write at a time, so that lines stay whole */

static char *ring_at(u32 position)
{
	return &input.ring[position % INPUT_BYTES];
}

static void erase_one(void)
{
	input.edit--;
	uart_write("\b \b", 3);
}

void console_input(char c)
{
	spin_lock(&input.lock);
	if (c == '\r')
		c = '\n';
	if (c == KEY_KILL) {
		while (input.edit != input.line)
			erase_one();
	} else if (c == KEY_BACKSPACE || c == KEY_DELETE) {
		if (input.edit != input.line)
			erase_one();
	} else if (input.edit - input.read < INPUT_BYTES - 1 || c == '\n' || c == KEY_END) {
		if (input.edit - input.read < INPUT_BYTES) {
			*ring_at(input.edit++) = c;
			if (c != KEY_END)
				uart_write(&c, 1);
		}
		if (c == '\n' || c == KEY_END) {
			input.line = input.edit;
			wait_wake_all(&input.wait);
		}
	}
	spin_unlock(&input.lock);
}

/*
 * Takes up to size_bytes of one line; stops behind a newline. An end mark at the front gives 0 and is
 * consumed; behind other text it stays for the next read.
 */
static ssize_t take_line(char *buf, size_t size_bytes)
{
	size_t taken = 0;
	int err = 0;

	spin_lock(&input.lock);
	while (input.read == input.line && err == 0)
		err = wait_sleep(&input.wait, &input.lock, WAIT_KILLABLE | WAIT_QUIET);
	while (input.read != input.line && taken < size_bytes) {
		char c = *ring_at(input.read);

		if (c == KEY_END) {
			if (taken == 0)
				input.read++;
			break;
		}
		input.read++;
		buf[taken++] = c;
		if (c == '\n')
			break;
	}
	spin_unlock(&input.lock);
	return err ? err : (ssize_t)taken;
}

static ssize_t console_read(uaddr_t dst, size_t size_bytes, u64 *offset)
{
	char line[128];
	ssize_t taken;

	if (!size_bytes) /* waits for no line */
		return 0;
	taken = take_line(line, MIN(size_bytes, sizeof(line)));

	if (taken > 0 && copy_to_user(dst, line, (size_t)taken) < 0)
		return -EFAULT;
	return taken;
}

/* The line moves at its own pace: a writer that is ahead of it sleeps. -EINTR when killed meanwhile. */
static int send_all(const char *bytes, size_t size_bytes)
{
	size_t done = uart_try_write(bytes, size_bytes);

	while (done < size_bytes) {
		if (sched_sleep_until(arch_time() + TIME_HZ / 1000) < 0)
			return -EINTR;
		done += uart_try_write(bytes + done, size_bytes - done);
	}
	return 0;
}

static ssize_t console_write(uaddr_t src, size_t size_bytes, u64 *offset)
{
	char part[128];
	size_t done = 0;
	int err = 0;

	sleeplock_acquire(&output_lock);
	while (done < size_bytes && err == 0) {
		size_t now = MIN(size_bytes - done, sizeof(part));

		err = copy_from_user(part, src + done, now);
		if (err == 0)
			err = send_all(part, now);
		if (err == 0)
			done += now;
	}
	sleeplock_release(&output_lock);
	return done ? (ssize_t)done : err;
}

static const struct char_device console_device = {
    .name = "console",
    .read = console_read,
    .write = console_write,
};

void console_init(void)
{
	spin_init(&input.lock, LOCK_console, NULL);
	wait_init(&input.wait);
	sleeplock_init(&output_lock, "console output");
	dev_register(DEV_MAJOR_CONSOLE, &console_device);
	uart_enable_receive();
}
