/* SPDX-License-Identifier: MIT */
/*
 * From machine mode to main() in supervisor mode, once for each hart.
 *
 * Everything that can be delegated is: the kernel has no machine-mode trap handler. The timer is Sstc's, whose interrupt
 * goes to supervisor mode by itself. Hart 0 sets up what all share; the others wait for `started`.
 */
#include "kernel.h"

__attribute__((aligned(16))) char stack0[NCPU][PGSIZE]; /* where each hart starts, and its scheduler stays */

static volatile int started;

static void main(void)
{
	if (cpuid() == 0) {
		console_init();
		kinit();
		kvminit();
		procinit();
		kvminithart();
		trapinithart();
		userinit();
		__sync_synchronize();
		started = 1;
	} else {
		while (!started)
			;
		__sync_synchronize();
		kvminithart();
		trapinithart();
	}
	scheduler();
}

void start(void)
{
	csr_clear(mstatus, MSTATUS_MPP_MASK);
	csr_set(mstatus, MSTATUS_MPP_S);
	csr_write(mepc, main);
	csr_write(satp, 0);
	csr_write(medeleg, 0xffff);
	csr_write(mideleg, 0xffff);
	csr_set(sie, SIE_STIE | SIE_SEIE);
	csr_write(pmpaddr0, 0x3fffffffffffffUL); /* all of memory, */
	csr_write(pmpcfg0, 0xf);                 /* readable, writable, executable */
	csr_write_number(CSR_MENVCFG, MENVCFG_STCE);
	csr_set(mcounteren, MCOUNTEREN_TM);
	asm volatile("mv tp, %0" : : "r"(csr_read(mhartid)));
	asm volatile("mret");
	__builtin_unreachable();
}
