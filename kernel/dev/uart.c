/* SPDX-License-Identifier: MIT */
/*
 * The 16550 UART of the machine: the console's bytes in and out, and kprintf's sink.
 *
 * Transmission fills the FIFO whenever it is empty. The kernel's own messages wait for that, so that they are
 * out when kprintf returns, even if the next instruction is the last; the user's bytes take what room there
 * is, and whoever sent them sleeps (console.c). Reception is by interrupt.
 * Lock: `uart` for the transmitter; a panic goes without it, since nobody else runs then.
 */
#include "console_priv.h"

#include <kernel/arch.h>
#include <kernel/dev.h>
#include <kernel/lib.h>
#include <kernel/spinlock.h>

/* Registers, one byte each (NS16550A data sheet). */
enum {
	UART_DATA = 0,       /* receive / transmit holding */
	UART_IRQ_ENABLE = 1, /* bit 0: data received */
	UART_FIFO = 2,       /* write: bit 0 enable, bits 1 and 2 clear */
	UART_LINE = 3,       /* 3: eight bits, no parity */
	UART_STATUS = 5,     /* bit 0: data ready, bit 5: transmit FIFO empty */
};
#define STATUS_READY 0x01
#define STATUS_EMPTY 0x20
#define FIFO_BYTES 16
#define PATIENCE (TIME_HZ / 2) /* with a line that does not move; then bytes are lost */

static struct spinlock uart_lock = SPINLOCK_INIT(uart);

static volatile u8 *uart_register(u32 reg)
{
	return (volatile u8 *)pa_to_va(machine.uart_pa) + reg;
}

static bool fifo_empty(void)
{
	return *uart_register(UART_STATUS) & STATUS_EMPTY;
}

/* Up to a FIFO's worth; the FIFO is empty. Returns how many bytes went. */
static size_t fill_fifo(const char *bytes, size_t size_bytes)
{
	size_t n = MIN(size_bytes, FIFO_BYTES);

	for (size_t i = 0; i < n; i++)
		*uart_register(UART_DATA) = (u8)bytes[i];
	return n;
}

void uart_write(const char *bytes, size_t size_bytes)
{
	bool lock = !kprintf_unlocked;

	if (lock)
		spin_lock(&uart_lock);
	for (size_t done = 0; done < size_bytes;) {
		u64 begin = arch_time();

		while (!fifo_empty() && arch_time() - begin < PATIENCE)
			arch_relax();
		done += fill_fifo(bytes + done, size_bytes - done);
	}
	if (lock)
		spin_unlock(&uart_lock);
}

size_t uart_try_write(const char *bytes, size_t size_bytes)
{
	size_t done = 0;

	spin_lock(&uart_lock);
	while (done < size_bytes && fifo_empty())
		done += fill_fifo(bytes + done, size_bytes - done);
	spin_unlock(&uart_lock);
	return done;
}

static void uart_interrupt(u32 irq)
{
	while (*uart_register(UART_STATUS) & STATUS_READY)
		console_input((char)*uart_register(UART_DATA));
}

void uart_init(void)
{
	*uart_register(UART_IRQ_ENABLE) = 0;
	*uart_register(UART_LINE) = 3;
	*uart_register(UART_FIFO) = 7;
	kprintf_sink = uart_write;
}

void uart_enable_receive(void)
{
	dev_irq_register(machine.uart_irq, uart_interrupt);
	*uart_register(UART_IRQ_ENABLE) = 1;
}
