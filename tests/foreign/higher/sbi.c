/* SPDX-License-Identifier: MIT */
/*
 * Calls of the firmware (RISC-V SBI): console, timer, harts, power.
 *
 * The console takes whole buffers where the firmware has the debug console extension (SBI 2.0), else a byte a call.
 */
#include "kernel.h"

#define EXT_LEGACY_PUTCHAR 1
#define EXT_BASE 0x10
#define EXT_TIME 0x54494d45
#define EXT_HSM 0x48534d
#define EXT_RESET 0x53525354
#define EXT_DEBUG_CONSOLE 0x4442434e

struct sbi_result {
	long error, value;
};

static bool has_debug_console;

static struct sbi_result sbi_call(u64 extension, u64 function, u64 arg0, u64 arg1, u64 arg2)
{
	register u64 a0 asm("a0") = arg0;
	register u64 a1 asm("a1") = arg1;
	register u64 a2 asm("a2") = arg2;
	register u64 a6 asm("a6") = function;
	register u64 a7 asm("a7") = extension;

	asm volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
	return (struct sbi_result){(long)a0, (long)a1};
}

void sbi_console_init(void)
{
	has_debug_console = !CONSOLE_LEGACY && sbi_call(EXT_BASE, 3, EXT_DEBUG_CONSOLE, 0, 0).value != 0;
}

/* The bytes are in the linear map: the firmware wants physical addresses. */
void sbi_console_write(const char *bytes, u64 size)
{
	while (has_debug_console && size > 0) {
		struct sbi_result result =
		    sbi_call(EXT_DEBUG_CONSOLE, 0, size, (u64)bytes - LINEAR_OFFSET, 0);

		if (result.error)
			return;
		bytes += result.value;
		size -= (u64)result.value;
	}
	for (u64 i = 0; i < size; i++)
		sbi_call(EXT_LEGACY_PUTCHAR, 0, (u8)bytes[i], 0, 0);
}

void sbi_set_timer(u64 when)
{
	sbi_call(EXT_TIME, 0, when, 0, 0);
}

/* All harts that there are; a number that is none is refused by the firmware. */
void sbi_start_harts(u64 but)
{
	extern char entry[];

	for (u64 hart = 0; hart < MAX_HARTS; hart++)
		if (hart != but)
			sbi_call(EXT_HSM, 0, hart, (u64)entry - LINEAR_OFFSET, 0);
}

void sbi_shutdown(bool failed)
{
	sbi_call(EXT_RESET, 0, 0, failed, 0);
	for (;;)
		;
}
