/* SPDX-License-Identifier: MIT */
/*
 * panic and panic_about: the registers as they are at the call go to the hart's struct, before any prologue moves them. What
 * the panicking code held in its hands is in them: tools look there for the pages and objects concerned.
 *
 * Nothing is changed but t1, after it was kept, so the C function sees the call as the caller made it.
 */
#include "asm_priv.h"

	.macro	keep_registers
	.irp	n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	sd	x\n, HART_PANIC_X + \n*8(tp)
	.endr
	.endm

	.text
	.globl	panic
	.type	panic, @function
panic:
	.cfi_startproc
	keep_registers
	tail	upcall_panic
	.cfi_endproc
	.size	panic, . - panic

	.globl	panic_about
	.type	panic_about, @function
panic_about:
	.cfi_startproc
	keep_registers
	tail	upcall_panic_about
	.cfi_endproc
	.size	panic_about, . - panic_about
