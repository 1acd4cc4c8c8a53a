/* SPDX-License-Identifier: MIT */
/*
 * Where things are: devices of QEMU's virt board, the kernel's and the user's address space.
 *
 *   kernel (identity but for the top)             user
 *   0x0010_0000  finisher: a store powers off     0            text, data, guard page, stack page, heap
 *   0x0c00_0000  PLIC                             MMAP_BASE    mappings, MMAP_SPAN for each slot
 *   0x1000_0000  UART                             TRAPFRAME    registers of the user while in the kernel
 *   0x8000_0000  kernel, then free pages          TRAMPOLINE   the code that switches tables
 *   KSTACK(n)    kernel stacks, guard between
 *   TRAMPOLINE   the same page as the user's
 *
 * Constants that assembly uses have no suffix.
 */
#pragma once

#define PGSIZE 4096
#define NCPU 4
#define NPROC 32
#define NOFILE 12 /* open files of a process */
#define NFILE 64  /* of all */
#define NVMA 8    /* mappings of a process */

#define FINISHER 0x100000
#define PLIC 0x0c000000
#define UART0 0x10000000
#define UART_IRQ 10
#define KERNBASE 0x80000000
#define PHYSTOP (KERNBASE + RAM_MB * 1024 * 1024)

#define MMAP_BASE 0x40000000
#define MMAP_SPAN 0x1000000

#ifdef __ASSEMBLER__
#define TRAMPOLINE 0x3ffffff000
#else
#define TRAMPOLINE (0x4000000000UL - PGSIZE)
#define TRAPFRAME (TRAMPOLINE - PGSIZE)
#define KSTACK(slot) (TRAMPOLINE - ((slot) + 1UL) * 2 * PGSIZE)
#define PGROUNDUP(size) (((u64)(size) + PGSIZE - 1) & ~(u64)(PGSIZE - 1))
#define PGROUNDDOWN(va) ((u64)(va) & ~(u64)(PGSIZE - 1))
#endif

/* struct trapframe and struct context, for assembly */
#define TF_KERNEL_SATP 0
#define TF_KERNEL_SP 8
#define TF_KERNEL_TRAP 16
#define TF_KERNEL_HART 24
#define TF_EPC 32
#define TF_REGS 40
