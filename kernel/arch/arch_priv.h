/* SPDX-License-Identifier: MIT */
/* What the files of arch share among themselves. */
#ifndef ARCH_PRIV_H
#define ARCH_PRIV_H

#include "asm_priv.h"
#include <kernel/arch.h>

/* kernel.ld */
extern char rodata_end[], image_end[];
extern char boot_stacks[];

/* entry.S, trap.S */
void entry_boot(void);
void trap_entry(void);
int user_copy(void *dst, const void *src, size_t size_bytes);
int user_clear(void *dst, size_t size_bytes);
ssize_t user_string(char *dst, const char *src, size_t max_bytes);

/* trap.c, from trap.S */
void trap_user(struct trapframe *frame);
void trap_leave(struct trapframe *frame);
void trap_kernel(struct trapframe *frame);

/* hart.c, from entry.S */
void hart_secondary_main(void) __attribute__((noreturn));

#define SIE_SOFT 2UL
#define SIE_TIMER 0x20UL
#define SIE_EXTERNAL 0x200UL

/* sbi.c. Errors are the firmware's, negative. */
s64 sbi_set_timer(u64 time);
s64 sbi_send_ipi(u64 hart_mask);
s64 sbi_remote_flush(u64 hart_mask); /* the whole TLB of each; they have done it when this returns */
s64 sbi_hart_start(u64 hart_id, paddr_t entry, u64 opaque);
void sbi_putchar(char c);
void sbi_shutdown(void);

/* timer.c */
void timer_init(void); /* once: is there Sstc? */
void timer_init_hart(void);
void timer_quiet(void); /* the interrupt is being served: do not raise it again */

/* ipi.c: the software interrupt. quiet: it interrupted user mode or the idle loop. */
void ipi_handle(const struct trapframe *frame, bool quiet);
void ipi_wait_until(bool (*done)(void));

/* plic.c */
void plic_init_boot_hart(void);
void plic_handle(void);

/* mmu.c */
extern u64 early_root[512];

#endif
