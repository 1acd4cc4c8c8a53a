/* SPDX-License-Identifier: MIT */
/*
 * The loops that touch user memory. Each routine is one range of the exception table: a page fault on a user
 * address between its first and last instruction, which the layers above cannot serve, goes on at its fixup.
 * The registers are then those of the faulting instruction. SUM is on only in here.
 */
#include "asm_priv.h"

	.cfi_sections .debug_frame

#define EFAULT 14
#define ENAMETOOLONG 36

	.macro	routine name
	.globl	\name
	.type	\name, @function
	.balign 4
\name:
	.cfi_startproc
	li	t6, ASM_SSTATUS_SUM
	csrs	sstatus, t6
	.endm

	/* result in a0 */
	.macro	routine_end name
	csrc	sstatus, t6
	ret
\name\()_fixup:
	li	a0, -EFAULT
	csrc	sstatus, t6
	ret
	.cfi_endproc
	.size	\name, . - \name
	.pushsection extable, "a"
	.balign 8
	.quad	\name, \name\()_fixup, \name\()_fixup
	.popsection
	.endm

	.text
	.globl	usercopy_start, usercopy_end
usercopy_start:

/* int user_copy(void *dst, const void *src, size_t size_bytes): either side may be the user's. */
	routine	user_copy
1:	andi	t0, a0, 7               /* bytes until dst is aligned */
	beqz	t0, 2f
	beqz	a2, 6f
	lb	t0, 0(a1)
	sb	t0, 0(a0)
	addi	a0, a0, 1
	addi	a1, a1, 1
	addi	a2, a2, -1
	j	1b
2:	addi	a2, a2, -64
	bltz	a2, 4f
3:	ld	t0, 0(a1)
	ld	t1, 8(a1)
	ld	t2, 16(a1)
	ld	t3, 24(a1)
	ld	t4, 32(a1)
	ld	t5, 40(a1)
	ld	a4, 48(a1)
	ld	a5, 56(a1)
	sd	t0, 0(a0)
	sd	t1, 8(a0)
	sd	t2, 16(a0)
	sd	t3, 24(a0)
	sd	t4, 32(a0)
	sd	t5, 40(a0)
	sd	a4, 48(a0)
	sd	a5, 56(a0)
	addi	a0, a0, 64
	addi	a1, a1, 64
	addi	a2, a2, -64
	bgez	a2, 3b
4:	addi	a2, a2, 64 - 8
	bltz	a2, 5f
7:	ld	t0, 0(a1)
	sd	t0, 0(a0)
	addi	a0, a0, 8
	addi	a1, a1, 8
	addi	a2, a2, -8
	bgez	a2, 7b
5:	addi	a2, a2, 8
8:	beqz	a2, 6f
	lb	t0, 0(a1)
	sb	t0, 0(a0)
	addi	a0, a0, 1
	addi	a1, a1, 1
	addi	a2, a2, -1
	j	8b
6:	li	a0, 0
	routine_end user_copy

/* int user_clear(void *dst, size_t size_bytes) */
	routine	user_clear
1:	andi	t0, a0, 7
	beqz	t0, 2f
	beqz	a1, 6f
	sb	zero, 0(a0)
	addi	a0, a0, 1
	addi	a1, a1, -1
	j	1b
2:	addi	a1, a1, -8
	bltz	a1, 4f
3:	sd	zero, 0(a0)
	addi	a0, a0, 8
	addi	a1, a1, -8
	bgez	a1, 3b
4:	addi	a1, a1, 8
5:	beqz	a1, 6f
	sb	zero, 0(a0)
	addi	a0, a0, 1
	addi	a1, a1, -1
	j	5b
6:	li	a0, 0
	routine_end user_clear

/* ssize_t user_string(char *dst, const char *src, size_t max_bytes): length without the 0. */
	routine	user_string
	mv	t1, a0
1:	beqz	a2, 2f
	lb	t0, 0(a1)
	sb	t0, 0(a0)
	beqz	t0, 3f
	addi	a0, a0, 1
	addi	a1, a1, 1
	addi	a2, a2, -1
	j	1b
2:	li	a0, -ENAMETOOLONG
	j	4f
3:	sub	a0, a0, t1
4:
	routine_end user_string

usercopy_end:
