# SPDX-License-Identifier: MIT
#
# Traps, always from the kernel itself: all registers go to a frame on the stack in use (struct frame), and back.
	.text
	.balign	4
	.globl trap_entry
	.type trap_entry, @function
trap_entry:
	addi	sp, sp, -272
	.irp	r, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	sd	x\r, 8 * \r(sp)
	.endr
	csrr	t0, sepc
	sd	t0, 0(sp)
	csrr	t0, sstatus
	sd	t0, 256(sp)
	mv	a0, sp
	call	trap
	ld	t0, 256(sp)
	csrw	sstatus, t0
	ld	t0, 0(sp)
	csrw	sepc, t0
	# Not tp: the task may go on on another hart.
	.irp	r, 1, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	ld	x\r, 8 * \r(sp)
	.endr
	addi	sp, sp, 272
	sret
	.size trap_entry, . - trap_entry

# context_switch(from, to): leaves one thread of control and continues another, as its call of context_switch() returns.
	.globl context_switch
	.type context_switch, @function
context_switch:
	sd	ra, 0(a0)
	sd	sp, 8(a0)
	ld	ra, 0(a1)
	ld	sp, 8(a1)
	.set	offset, 16
	.irp	r, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11
	sd	\r, offset(a0)
	ld	\r, offset(a1)
	.set	offset, offset + 8
	.endr
	ret
	.size context_switch, . - context_switch

# Where a new task begins: its stack has no caller.
	.globl task_entry
	.type task_entry, @function
task_entry:
	li	ra, 0
	li	s0, 0
	j	task_begin
	.size task_entry, . - task_entry
