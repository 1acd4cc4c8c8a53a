# SPDX-License-Identifier: MIT
#
# Where a program begins: main(argument), then exit with what it returned. And the stubs of the system calls.
	.section .text.start, "ax"
	.globl _start
_start:
	call	main
	call	exit

	.text
	.macro stub name, number
	.globl \name
\name:
	li	a7, \number
	ecall
	ret
	.endm
#define SYSCALL(name, number) stub name, number;
#include "../syscalls.h"
