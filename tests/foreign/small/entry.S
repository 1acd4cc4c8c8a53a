# SPDX-License-Identifier: MIT
#
# Where every hart begins, in machine mode: QEMU's -bios none jumps to the first byte of the kernel. Each hart takes its
# own page of stack0 and goes on in start(). Harts that have no struct cpu sleep for good.
#include "memlayout.h"

	.section .text.entry, "ax"
	.globl _entry
_entry:
	csrr	t0, mhartid
	li	t1, NCPU
	bgeu	t0, t1, park
	la	sp, stack0
	addi	t0, t0, 1
	slli	t0, t0, 12
	add	sp, sp, t0
	li	s0, 0
	call	start
park:
	wfi
	j	park
