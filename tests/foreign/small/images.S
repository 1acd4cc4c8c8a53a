# SPDX-License-Identifier: MIT
#
# The user programs, ELF files as they were linked, and their table for exec(). They are found by -I.
# "broken" is the first half of hello: its text is all there, its data is cut off.
	.section .rodata
	.macro image name
	.balign	8
\name\()_start:
	.incbin	"\name"
\name\()_stop:
	.endm

	image init
	image usertests
	image hello

	.macro program name, start, stop
	.section .rodata.names, "a"
1:	.asciz	"\name"
	.section .rodata.programs, "a"
	.quad	1b, \start, \stop
	.endm

	.section .rodata.programs, "a"
	.balign	8
	.globl programs
programs:
	program	init, init_start, init_stop
	program	usertests, usertests_start, usertests_stop
	program	hello, hello_start, hello_stop
	program	broken, hello_start, hello_start + 0x2800
	.quad	0, 0, 0
