/* SPDX-License-Identifier: MIT */
/* Where a program begins: the kernel gives argc in a0 and argv in a1; what main returns is the exit status. */
	.section .text.start, "ax"
	.globl _start
	.type _start, @function
_start:
	.option push
	.option norelax
	la	gp, __global_pointer$
	.option pop
	li	s0, 0
	li	ra, 0
	call	main
	call	exit
	.size _start, . - _start
