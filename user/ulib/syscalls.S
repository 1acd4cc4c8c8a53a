/* SPDX-License-Identifier: MIT */
/*
 * One stub for each line of uapi/syscalls.def: sys_NAME, and NAME itself unless the library defines a friendlier
 * function of that name (see wrappers.c). syscall(number, a0 .. a5) makes any call, known or not.
 */
#define SYSCALL(ev_number, ev_name, ev_nargs)                                                                  \
	.section .text.sys_##ev_name, "ax";                                                                    \
	.globl sys_##ev_name;                                                                                  \
	.weak ev_name;                                                                                         \
	.type sys_##ev_name, @function;                                                                        \
sys_##ev_name:                                                                                                 \
	ev_name: li a7, ev_number;                                                                             \
	ecall;                                                                                                 \
	ret;                                                                                                   \
	.size sys_##ev_name, . - sys_##ev_name;
#include <uapi/syscalls.def>

	.section .text.syscall, "ax"
	.globl syscall
	.type syscall, @function
syscall:
	mv	a7, a0
	mv	a0, a1
	mv	a1, a2
	mv	a2, a3
	mv	a3, a4
	mv	a4, a5
	mv	a5, a6
	ecall
	ret
	.size syscall, . - syscall
