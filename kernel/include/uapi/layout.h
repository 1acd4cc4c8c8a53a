/* SPDX-License-Identifier: MIT */
/*
 * layout: the numbers by which a reader of the kernel's memory finds its way, once: for the kernel, its assembly, and the
 * host's tools. What DWARF can tell (members, sizes, enumerations) is not here: the tools ask the kernel's ELF file.
 *
 * Macros of plain numbers and nothing else, so that assembly can include it; GDB knows them by the kernel's macros.
 */
#ifndef UAPI_LAYOUT_H
#define UAPI_LAYOUT_H

/* ---- addresses ---- */

#define PAGE_SHIFT 12
#define RAM_BASE 0x80000000UL /* QEMU virt */
/* A kernel address of RAM is its physical address + this. The host tests' machine has its RAM elsewhere. */
#ifdef __ASSEMBLER__
#define PHYS_OFFSET 0xffffffc000000000
#elif !defined(PAGETRAIL_HOST)
#define PHYS_OFFSET 0xffffffc000000000UL
#endif
#define TIME_HZ 10000000UL /* of the time CSR, which stamps the trace */
#define KSTACK_PAGES 2     /* of a kernel stack; it is aligned to its size */

/* ---- struct page ---- */

#define PFN_NONE 0U       /* ends a list of pages; pfn 0 is never RAM on this machine */
#define PAGE_MAX_ORDER 10 /* of a block */
#define PAGE_BODY 0xff    /* page->order of a page inside a larger block */

/* ---- page tables: Sv39 (RISC-V privileged specification, "Page-Based 39-bit Virtual-Memory System") ---- */

#define PTE_V 1UL
#define PTE_R 2UL
#define PTE_W 4UL
#define PTE_X 8UL
#define PTE_U 16UL
#define PTE_G 32UL
#define PTE_A 64UL
#define PTE_D 128UL
#define PTE_COW 256UL    /* RSW bit 0: copy before writing */
#define PTE_SHARED 512UL /* RSW bit 1: a shared mapping; never copied on write */
#define PTE_LEAF_BITS (PTE_R | PTE_W | PTE_X)
#define PTE_FLAGS(pte) ((pte)&0x3ffUL)
#define PTE_PPN(pte) ((pte) >> 10 & 0xfffffffffffUL)
#define PT_LEVEL_SHIFT(level) (PAGE_SHIFT + 9 * (level))
#define SATP_PPN(satp) ((satp)&0xfffffffffffUL)

/* ---- structures that say what they are ---- */

#define RADIX_SHIFT 6 /* a node of a radix tree has 2^6 slots */
#define RADIX_SLOTS (1U << RADIX_SHIFT)
#define SLAB_MAGIC 0x42414c53U           /* "SLAB" */
#define PANIC_MAGIC 0x32434e4150475450UL /* "PTGPANC2" */

#endif
