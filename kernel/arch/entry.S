/* SPDX-License-Identifier: MIT */
/*
 * Where harts come in, from the firmware, with paging off: all at one place. The first one is the boot hart; the others
 * come when arch_fetch_harts asks for them, and find their struct by their number. The firmware may let one go before it
 * has written down where to and with which argument (OpenSBI 1.1: the state first, then the address), and then it comes
 * with what the boot hart got. So nothing but a0 is believed.
 *
 * Both end in C, on the hart's boot stack, in the upper half, with tp set. The step into the upper half needs no
 * identity map: after satp is written, the next fetch faults, and stvec names the high address to go on at.
 */
#include "asm_priv.h"

	.cfi_sections .debug_frame

	.data
	.balign 4
boot_begun:
	.word	0                       /* not in .bss, which the boot hart clears */

	.section .text.entry, "ax"

/* a0: hart id. a1, of the boot hart: physical address of the device tree. */
	.globl entry_boot
	.type	entry_boot, @function
entry_boot:
	.cfi_startproc
	.cfi_undefined ra
	csrw	sie, zero
	la	t0, boot_begun
	li	t1, 1
	amoswap.w.aqrl t1, t1, (t0)
	bnez	t1, entry_secondary
	mv	s2, a0
	mv	s3, a1
	la	t0, bss_start
	la	t1, bss_end
1:	sd	zero, 0(t0)
	addi	t0, t0, 8
	bltu	t0, t1, 1b

	/* The first 64 GiB of physical addresses, in gigapages, from PHYS_OFFSET on. */
	la	t0, early_root
	li	t1, 256 * 8
	add	t1, t0, t1
	li	t2, PTE_KERNEL_RWX
	li	t3, 1 << 28             /* one GiB, as a step of the entry's page number */
	li	t4, 64
2:	sd	t2, 0(t1)
	add	t2, t2, t3
	addi	t1, t1, 8
	addi	t4, t4, -1
	bnez	t4, 2b

	la	t1, 3f
	j	enter_upper_half
	.balign 4
3:	la	tp, harts
	la	sp, boot_stacks
	li	t0, BOOT_STACK_SLOT_BYTES
	add	sp, sp, t0
	mv	s0, zero
	mv	a0, s2
	mv	a1, s3
	call	upcall_boot_main
4:	wfi
	j	4b
	.cfi_endproc
	.size	entry_boot, . - entry_boot

/* Another hart. Its struct is one of harts[1..], which arch_fetch_harts filled in before. */
	.type	entry_secondary, @function
entry_secondary:
	.cfi_startproc
	.cfi_undefined ra
	la	t0, harts
	li	t1, HART_BYTES
	li	t2, HARTS_BYTES
	add	t2, t0, t2
4:	add	t0, t0, t1
	bgeu	t0, t2, 6f              /* nobody asked for this one */
	ld	t3, HART_EMERGENCY_SP(t0)
	beqz	t3, 6f
	lwu	t3, HART_ID(t0)
	bne	t3, a0, 4b
	li	s3, PHYS_OFFSET
	add	s3, s3, t0
	la	t0, early_root
	la	t1, 5f
	j	enter_upper_half
	.balign 4
5:	mv	tp, s3
	ld	sp, HART_EMERGENCY_SP(tp)
	li	t0, BOOT_STACK_SLOT_BYTES / 2
	add	sp, sp, t0
	mv	s0, zero
	call	hart_secondary_main
6:	wfi
	j	6b
	.cfi_endproc
	.size	entry_secondary, . - entry_secondary

/* t0: physical address of the root table. t1: physical address to go on at, in the upper half. */
enter_upper_half:
	li	t2, PHYS_OFFSET
	add	t1, t1, t2
	csrw	stvec, t1
	srli	t0, t0, 12
	li	t2, SATP_SV39
	or	t0, t0, t2
	sfence.vma
	csrw	satp, t0
	nop                             /* fetched from the lower half, where nothing is mapped */
7:	j	7b
