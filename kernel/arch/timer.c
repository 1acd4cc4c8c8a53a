/* SPDX-License-Identifier: MIT */
/*
 * The timer: the stimecmp register where the machine has Sstc and the firmware lets us use it, else a call
 * to the firmware. Which of the two is found out once, by trying.
 */
#include "arch_priv.h"

#define TIME_NEVER (~0UL)

static bool have_sstc;

/* Writes stimecmp with a handler of its own in place: an illegal instruction means there is none. */
static bool try_stimecmp(void)
{
	u64 old_stvec = csr_read(stvec);
	u64 ok = 0;

	__asm__ volatile("la t0, 1f\n"
			 "csrw stvec, t0\n"
			 "csrw 0x14d, %1\n"
			 "li %0, 1\n"
			 ".balign 4\n"
			 "1:\n"
			 : "+r"(ok)
			 : "r"(TIME_NEVER)
			 : "t0", "memory");
	csr_write(stvec, old_stvec);
	return ok;
}

void timer_init(void)
{
	have_sstc = try_stimecmp();
}

void arch_timer_set(u64 time)
{
	if (have_sstc) {
		csr_write(0x14d, time);
		return;
	}
	sbi_set_timer(time);
	csr_set(sie, SIE_TIMER);
}

void timer_quiet(void)
{
	if (have_sstc)
		csr_write(0x14d, TIME_NEVER);
	else
		csr_clear(sie, SIE_TIMER);
}

void timer_init_hart(void)
{
	arch_timer_set(TIME_NEVER);
	csr_set(sie, SIE_TIMER);
}
