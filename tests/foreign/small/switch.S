# SPDX-License-Identifier: MIT
#
# swtch(from, to): leaves one kernel thread and continues another. Only what a called function must keep is saved: whoever
# calls swtch() has saved the rest. Returns as the other thread's call of swtch().
	.text
	.globl swtch
	.type swtch, @function
swtch:
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
	.size swtch, . - swtch
