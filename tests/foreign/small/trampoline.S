# SPDX-License-Identifier: MIT
#
# The page that is mapped at TRAMPOLINE in every table, so that code goes on while satp changes under it.
#
# While a hart is in user mode, sscratch holds the address of the process's trapframe in the user's table.
#include "memlayout.h"

	.section .trampoline, "ax"
	.balign	PGSIZE
	.globl trampoline
trampoline:

# Traps from user mode. Registers go to the trapframe; then the kernel's table, stack and C code.
	.globl user_entry
user_entry:
	csrrw	a0, sscratch, a0
	.irp	r, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	sd	x\r, TF_REGS + 8 * \r(a0)
	.endr
	csrr	t0, sscratch
	sd	t0, TF_REGS + 8 * 10(a0)
	ld	sp, TF_KERNEL_SP(a0)
	ld	tp, TF_KERNEL_HART(a0)
	ld	t0, TF_KERNEL_TRAP(a0)
	ld	t1, TF_KERNEL_SATP(a0)
	li	s0, 0
	li	ra, 0
	sfence.vma
	csrw	satp, t1
	sfence.vma
	jr	t0

# user_return(trapframe, satp): the way back. sepc and sstatus are set.
	.globl user_return
user_return:
	sfence.vma
	csrw	satp, a1
	sfence.vma
	csrw	sscratch, a0
	.irp	r, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	ld	x\r, TF_REGS + 8 * \r(a0)
	.endr
	ld	a0, TF_REGS + 8 * 10(a0)
	sret
