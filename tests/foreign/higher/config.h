/* SPDX-License-Identifier: MIT */
/*
 * Options of the build. tests/foreign/variants lists the combinations that are built; each option is a -D.
 */
#pragma once

#ifndef RAM_MB
#define RAM_MB 32 /* memory that the kernel uses; QEMU's -m must not be less */
#endif
#ifndef LEVELS
#define LEVELS 3 /* of page tables: 3 is Sv39, 4 is Sv48 */
#endif
#ifndef PAGES_STATIC
#define PAGES_STATIC 0 /* 1: struct page pages[]; 0: a pointer to an array behind the kernel */
#endif
#ifndef CONSOLE_LEGACY
#define CONSOLE_LEGACY 0 /* 1: the firmware's console of one byte a call, whatever else there is */
#endif

/* MISTAKEN(name) is 1 in a build with -DMISTAKE_name=1 and 0 in all others; the argument "1" turns into two. */
#define MISTAKEN_COMMA_1 0,
#define MISTAKEN_SECOND(first, second, ...) second
#define MISTAKEN_PICK(junk) MISTAKEN_SECOND(junk 1, 0, 0)
#define MISTAKEN_PASTE(value) MISTAKEN_PICK(MISTAKEN_COMMA_##value)
#define MISTAKEN_VALUE(value) MISTAKEN_PASTE(value)
#define MISTAKEN(name) MISTAKEN_VALUE(MISTAKE_##name)
