# SPDX-License-Identifier: MIT
#
# Traps from the kernel itself, always interrupts: what a called function may change is saved on the stack in use.
	.text
	.balign	4
	.globl kernel_entry
	.type kernel_entry, @function
kernel_entry:
	addi	sp, sp, -128
	.set	offset, 0
	.irp	r, ra, t0, t1, t2, a0, a1, a2, a3, a4, a5, a6, a7, t3, t4, t5, t6
	sd	\r, offset(sp)
	.set	offset, offset + 8
	.endr
	call	kerneltrap
	.set	offset, 0
	.irp	r, ra, t0, t1, t2, a0, a1, a2, a3, a4, a5, a6, a7, t3, t4, t5, t6
	ld	\r, offset(sp)
	.set	offset, offset + 8
	.endr
	addi	sp, sp, 128
	sret
	.size kernel_entry, . - kernel_entry
