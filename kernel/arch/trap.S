/* SPDX-License-Identifier: MIT */
/*
 * Traps in and out, and the context switch.
 *
 * sscratch holds the hart's struct while the hart is in user mode and while it is in the kernel, where it
 * equals tp; so one swap finds the struct in both cases, and SPP tells them apart.
 */
#include "asm_priv.h"

	.cfi_sections .debug_frame

	/* Every register that needs no care: all but zero, sp, tp. */
	.macro	each_register op
	\op	x1, 1*8(sp)
	\op	x3, 3*8(sp)
	.irp	n, 5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	\op	x\n, \n*8(sp)
	.endr
	.endm

	/* t0..t3 are free: saved before. */
	.macro	save_csrs
	csrr	t0, sepc
	csrr	t1, sstatus
	csrr	t2, scause
	csrr	t3, stval
	sd	t0, FRAME_PC(sp)
	sd	t1, FRAME_STATUS(sp)
	sd	t2, FRAME_CAUSE(sp)
	sd	t3, FRAME_TVAL(sp)
	.endm

/*
 * For debuggers. A user trap is the outermost frame. A kernel trap's caller is the code it interrupted, with
 * every register where the frame has it; column 64 is its pc.
 */
	.text
	.balign 4
	.globl	trap_entry
	.type	trap_entry, @function
trap_entry:
	.cfi_startproc
	.cfi_undefined ra
	csrrw	tp, sscratch, tp
	sd	sp, HART_SCRATCH(tp)
	csrr	sp, sstatus
	slli	sp, sp, 63 - 8          /* SPP into the sign */
	bltz	sp, trap_from_kernel

	ld	sp, HART_KERNEL_SP(tp)
	addi	sp, sp, -FRAME_BYTES
	each_register sd
	ld	t0, HART_SCRATCH(tp)
	sd	t0, 2*8(sp)
	csrrw	t0, sscratch, tp
	sd	t0, 4*8(sp)
	save_csrs
	li	s0, 0                   /* the unwinder stops here */
	mv	a0, sp
	call	trap_user
leave_to_user:
	addi	t0, sp, FRAME_BYTES
	sd	t0, HART_KERNEL_SP(tp)
	ld	t0, FRAME_PC(sp)
	csrw	sepc, t0
	li	t0, ASM_SSTATUS_SPP
	csrc	sstatus, t0
	li	t0, ASM_SSTATUS_SPIE
	csrs	sstatus, t0
	ld	tp, 4*8(sp)
	each_register ld
	ld	sp, 2*8(sp)
	sret
	.cfi_endproc
	.size	trap_entry, . - trap_entry

	.type	trap_from_kernel, @function
trap_from_kernel:
	.cfi_startproc
	.cfi_signal_frame
	.cfi_return_column 64
	.cfi_def_cfa sp, 0
	.cfi_offset 64, FRAME_PC
	.irp	n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	.cfi_offset \n, \n*8
	.endr
	/* A stack pointer that the frame would push into the guard pages shows in one bit (asm_priv.h). */
	ld	sp, HART_SCRATCH(tp)
	addi	sp, sp, -KERNEL_FRAME_BYTES
	slli	sp, sp, 63 - STACK_BIT
	bgez	sp, 1f
	ld	sp, HART_SCRATCH(tp)
	j	2f
1:	ld	sp, HART_EMERGENCY_SP(tp)
2:	addi	sp, sp, -KERNEL_FRAME_BYTES
	each_register sd
	ld	t0, HART_SCRATCH(tp)
	sd	t0, 2*8(sp)
	sd	tp, 4*8(sp)
	save_csrs
	sd	s0, FRAME_LINK_FP(sp)
	sd	t0, FRAME_LINK_PC(sp)
	addi	s0, sp, KERNEL_FRAME_BYTES
	li	t0, ASM_SSTATUS_SUM
	csrc	sstatus, t0
	mv	a0, sp
	call	trap_kernel
	.globl	trap_kernel_return
trap_kernel_return:
	/* tp stays: a fault in a user copy may have slept and gone on on another hart. */
	ld	t0, FRAME_PC(sp)
	ld	t1, FRAME_STATUS(sp)
	csrw	sepc, t0
	csrw	sstatus, t1
	each_register ld
	ld	sp, 2*8(sp)
	sret
	.cfi_endproc
	.size	trap_from_kernel, . - trap_from_kernel

/* void arch_return_to_user(struct trapframe *frame) */
	.globl	arch_return_to_user
	.type	arch_return_to_user, @function
arch_return_to_user:
	.cfi_startproc
	.cfi_undefined ra
	mv	sp, a0
	li	s0, 0
	call	trap_leave
	j	leave_to_user
	.cfi_endproc
	.size	arch_return_to_user, . - arch_return_to_user

/* void arch_switch(struct context *from, struct context *to) */
	.globl	arch_switch
	.type	arch_switch, @function
arch_switch:
	.cfi_startproc
	sd	ra, 0(a0)
	sd	sp, 8(a0)
	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11
	sd	s\n, 16+\n*8(a0)
	.endr
	ld	ra, 0(a1)
	ld	sp, 8(a1)
	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11
	ld	s\n, 16+\n*8(a1)
	.endr
	ret
	.cfi_endproc
	.size	arch_switch, . - arch_switch
