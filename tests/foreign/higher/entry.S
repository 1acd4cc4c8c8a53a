# SPDX-License-Identifier: MIT
#
# From the firmware, at the physical address of the first byte, with translation off: a0 is the hart. The hart that comes
# first becomes the boot hart; main() has the firmware start the others, which come here, too. (Firmware may let a hart go
# before it has written down where to. With one entry for all it does not matter.)
#
# early_root maps RAM twice, where it is and in the linear map, until main() has built the kernel's own table. It is
# written here, since its entries are physical addresses, which no linker script can shift into place.
#include "layout.h"

	.section .text.entry, "ax"
	.globl entry
entry:
	la	t0, early_gigabytes
	li	t1, (RAM_BASE >> 2) | 0xcf	# V R W X A D: one leaf for the gigabyte
	sd	t1, 8 * 2(t0)			# identity
	li	t2, 8 * 320			# bits 30 to 38 of LINEAR_BASE
	add	t2, t0, t2
	sd	t1, 0(t2)
#if LEVELS == 4
	la	t1, early_root
	srli	t2, t0, 2
	ori	t2, t2, 1
	sd	t2, 0(t1)
	li	t0, 8 * 511
	add	t1, t1, t0
	sd	t2, 0(t1)
#endif
	la	t3, main
	la	t0, boot_taken
	li	t1, 1
	amoswap.w.aqrl t1, t1, (t0)
	beqz	t1, go_high
	la	t3, secondary_main

# t3: the physical address of a function that takes the hart and does not return.
go_high:
#if LEVELS == 4
	la	t0, early_root
#else
	la	t0, early_gigabytes
#endif
	srli	t0, t0, PAGE_SHIFT
	li	t1, SATP_MODE << 60
	or	t0, t0, t1
	sfence.vma
	csrw	satp, t0
	sfence.vma
	li	t0, LINEAR_OFFSET
	add	t3, t3, t0
	la	sp, boot_stacks
	add	sp, sp, t0
	addi	t1, a0, 1
	slli	t1, t1, PAGE_SHIFT + 1
	add	sp, sp, t1
	mv	tp, a0
	li	s0, 0
	li	ra, 0
	jr	t3

	.section .data
	.balign	4
boot_taken:
	.word	0

	.section .bss
	.balign	PAGE_SIZE
early_gigabytes:
	.zero	PAGE_SIZE
#if LEVELS == 4
early_root:
	.zero	PAGE_SIZE
#endif
