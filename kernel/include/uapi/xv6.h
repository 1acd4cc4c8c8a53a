/*
 * Operations of the system call xv6: what programs written for xv6-riscv ask for and no Pagetrail program needs. Only
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

/* What marks such a program in its ELF header: the ABI version, and in the byte behind it (padding) its limits. */
#define XV6_ELF_ABI_VERSION 6
enum xv6_personality {
	XV6_NONE,
	XV6_SMALL_FILES, /* up to 268 blocks of 1024 bytes; padding 0 */
	XV6_LARGE_FILES, /* up to 65803, which a lab asks for; padding 1 */
};
/* A page that only programs for xv6 have: its first word is the pid. Below the stack's page, apart from it. */
#define XV6_USYSCALL 0x3fffff0000UL

#endif
