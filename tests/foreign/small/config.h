/* SPDX-License-Identifier: MIT */
/*
 * Options of the build. tests/foreign/variants lists the combinations that are built; each option is a -D.
 *
 * The options are the ways in which kernels of this shape differ from each other for somebody who traces their pages from
 * outside: where counts are, how they are indexed, who changes them, how many free lists there are.
 */
#pragma once

#ifndef RAM_MB
#define RAM_MB 32 /* memory that the kernel uses; QEMU's -m must not be less */
#endif
#ifndef PROMPT
#define PROMPT 0 /* 1: init asks for commands on the console; 0: it runs the tests and powers off */
#endif
#ifndef COW
#define COW 0 /* 1: fork shares pages, which are counted */
#endif
#ifndef COUNT_TYPE
#define COUNT_TYPE int
#endif
#ifndef COUNT_SHAPE
#define COUNT_SHAPE COUNT_ARRAY
#endif
#ifndef COUNT_INDEX
#define COUNT_INDEX COUNT_FROM_BASE
#endif
#ifndef COUNT_INLINE
#define COUNT_INLINE 0 /* 1: counts change in the code of whoever changes them, not in functions */
#endif
#ifndef PUT_IN_KFREE
#define PUT_IN_KFREE 0 /* 1: kfree() drops a reference, and frees with the last one */
#endif
#ifndef PERCPU
#define PERCPU 0 /* 1: a free list for each hart; an empty one steals */
#endif
#ifndef KPT
#define KPT 0 /* 1: a kernel page table and a kernel stack for each process */
#endif
#ifndef KPT_NAME
#define KPT_NAME kpagetable /* what struct proc calls its kernel page table */
#endif

/* COUNT_SHAPE */
#define COUNT_ARRAY 0     /* T count[], the lock apart */
#define COUNT_IN_STRUCT 1 /* struct { lock; T count[]; } */
#define COUNT_OF_STRUCT 2 /* struct { lock; T count; }[] */

/* COUNT_INDEX */
#define COUNT_FROM_BASE 0 /* (pa - KERNBASE) / PGSIZE */
#define COUNT_ABSOLUTE 1  /* pa / PGSIZE */
#define COUNT_FROM_END 2  /* (pa - first managed page) / PGSIZE */

/*
 * MISTAKEN(name) is 1 in a build with -DMISTAKE_name=1 and 0 in all others, without a list of all names: the argument
 * "1" turns into two arguments, and the second one of what results is picked.
 */
#define MISTAKEN_COMMA_1 0,
#define MISTAKEN_SECOND(first, second, ...) second
#define MISTAKEN_PICK(junk) MISTAKEN_SECOND(junk 1, 0, 0)
#define MISTAKEN_PASTE(value) MISTAKEN_PICK(MISTAKEN_COMMA_##value)
#define MISTAKEN_VALUE(value) MISTAKEN_PASTE(value)
#define MISTAKEN(name) MISTAKEN_VALUE(MISTAKE_##name)
