/* SPDX-License-Identifier: MIT */
/*
 * Calls to the firmware. Extensions and functions by number, as in the RISC-V SBI specification 1.0:
 * TIME, sPI, RFNC, HSM, SRST and the legacy console, all of which OpenSBI has.
 */
#include "arch_priv.h"

#define SBI_LEGACY_PUTCHAR 1
#define SBI_TIME 0x54494d45
#define SBI_IPI 0x735049
#define SBI_RFENCE 0x52464e43
#define SBI_RFENCE_SFENCE_VMA 1
#define SBI_HSM 0x48534d
#define SBI_HSM_START 0
#define SBI_SRST 0x53525354

static s64 sbi_call(u64 extension, u64 function, u64 arg0, u64 arg1, u64 arg2, u64 arg3)
{
	register u64 a0 __asm__("a0") = arg0;
	register u64 a1 __asm__("a1") = arg1;
	register u64 a2 __asm__("a2") = arg2;
	register u64 a3 __asm__("a3") = arg3;
	register u64 a6 __asm__("a6") = function;
	register u64 a7 __asm__("a7") = extension;

	__asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a3), "r"(a6), "r"(a7) : "memory");
	return (s64)a0;
}

s64 sbi_set_timer(u64 time)
{
	return sbi_call(SBI_TIME, 0, time, 0, 0, 0);
}

s64 sbi_send_ipi(u64 hart_mask)
{
	return sbi_call(SBI_IPI, 0, hart_mask, 0, 0, 0);
}

s64 sbi_remote_flush(u64 hart_mask)
{
	return sbi_call(SBI_RFENCE, SBI_RFENCE_SFENCE_VMA, hart_mask, 0, 0, ~0UL);
}

s64 sbi_hart_start(u64 hart_id, paddr_t entry, u64 opaque)
{
	return sbi_call(SBI_HSM, SBI_HSM_START, hart_id, entry, opaque, 0);
}

void sbi_putchar(char c)
{
	sbi_call(SBI_LEGACY_PUTCHAR, 0, (u8)c, 0, 0, 0);
}

void sbi_shutdown(void)
{
	sbi_call(SBI_SRST, 0, 0, 0, 0, 0);
}
