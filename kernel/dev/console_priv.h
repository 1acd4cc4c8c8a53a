/* SPDX-License-Identifier: MIT */
/* Between uart.c and console.c. */
#ifndef CONSOLE_PRIV_H
#define CONSOLE_PRIV_H

#include <kernel/types.h>

/* One character from the line; interrupt context. */
void console_input(char c);
void uart_enable_receive(void);
/* Sends what can be sent without waiting; returns how many bytes. */
size_t uart_try_write(const char *bytes, size_t size_bytes);

#endif
