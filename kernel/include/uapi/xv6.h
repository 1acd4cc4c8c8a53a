/* SPDX-License-Identifier: MIT */
/*
 * Operations of the system call `abi` for programs of xv6: what programs written for xv6-riscv ask for and no Pagetrail program needs. Only
 * user/compat/xv6/xv6lib.c uses them.
 */
#ifndef UAPI_XV6_H
#define UAPI_XV6_H

#define XV6_SYSINFO 1   /* (struct { u64 free_bytes, nr_processes; } *) */
#define XV6_TRACE 2     /* (mask): prints these calls of this process and its children from now on */
#define XV6_INTERPOSE 3 /* (mask, path): refuses these calls; open and exec of that path stay allowed */
#define XV6_SIGALARM 4  /* (ticks, handler): calls handler each time so many ticks were used; 0, 0: no more */
#define XV6_SIGRETURN 5 /* (): ends the handler */
#define XV6_PGACCESS 6  /* (first address, pages, bits *): which pages were accessed since the last call */
#define XV6_PGPTE 7     /* (address): the page-table entry, or 0 */
#define XV6_KPGTBL 8    /* (): prints the page table */
#define XV6_CPUPIN 9    /* (hart): this process runs on that hart only */

#define XV6_PATH_BYTES 128
#define XV6_FILES_MAX 16 /* open in one process */
#define XV6_ARGS_MAX 31  /* of exec, without the NULL behind them */

/* What marks such a program in its ELF header: the ABI version, and in the byte behind it (padding) what labs ask for. */
#define XV6_ELF_ABI_VERSION 6
#define XV6_ELF_LARGE_FILES 1 /* up to 65803 blocks of 1024 bytes instead of 268 */
#define XV6_ELF_EAGER_FORK 2  /* fork copies pages, so that it is fork that fails when memory is short */
/* A page that only programs for xv6 have: its first word is the pid. Below the stack's page, apart from it. */
#define XV6_USYSCALL 0x3fffff0000UL

#endif
