/* SPDX-License-Identifier: MIT
 *
 * console: the guest's console as it goes out, byte by byte: RUN/logs/console.log, and marks in the trace.
 *
 * A test program prints `test copyin: ` when it begins a test and `OK` when it ends. With each byte the line so far is
 * matched against the patterns of the hooks file, and the first match of a pattern in a line becomes a `mark` (or `panic`)
 * event, in the same order as the allocations around it. So `^test ([^:]+):` marks the beginning before the line is ended.
 * A mark is where the guest gives the byte to the device, not where the host shows it. A driver that buffers gives it at once
 * while the device takes it; where the host does not read, the mark is late by what the driver's buffer holds (32 bytes in xv6).
 *
 * CONSOLE-1  The line belongs to the lock: several harts may print. The event is recorded by the hart that printed.
 * CONSOLE-2  At an `ecall` in mid-block QEMU 7.2 does not show the registers (qemu_api.h). There the ecall only sets a flag, and the
 *            registers are read at the first instruction of the firmware's trap handler, which exchanges a register
 *            with mscratch: a block begins there, and nothing has been changed yet.
 */
#ifndef PLUGIN_CONSOLE_H
#define PLUGIN_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

struct qemu_plugin_insn;

/* path: of the log; what cannot be opened is not written. */
void console_init(const char *path);
void console_byte(unsigned hart, uint8_t byte);
/* Attaches the SBI console where an instruction is an `ecall` of the kernel, or the first of the firmware's trap handler. */
void console_translate(struct qemu_plugin_insn *insn, uint32_t bits, bool is_text, bool first);
uint64_t console_bytes(void);

#endif
