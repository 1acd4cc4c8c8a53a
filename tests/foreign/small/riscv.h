/* SPDX-License-Identifier: MIT */
/*
 * Registers and page-table entries of RISC-V (privileged specification 1.12, Sv39).
 */
#pragma once

#include "types.h"

#define csr_read(csr)                                                                                        \
	({                                                                                                   \
		u64 value_;                                                                                  \
		asm volatile("csrr %0, " #csr : "=r"(value_) : : "memory");                                  \
		value_;                                                                                      \
	})
#define csr_write(csr, value) asm volatile("csrw " #csr ", %0" : : "r"((u64)(value)) : "memory")
#define csr_set(csr, bits) asm volatile("csrs " #csr ", %0" : : "r"((u64)(bits)) : "memory")
#define csr_clear(csr, bits) asm volatile("csrc " #csr ", %0" : : "r"((u64)(bits)) : "memory")

/* By number: older assemblers do not know their names. */
#define CSR_STIMECMP 0x14d
#define CSR_MENVCFG 0x30a
#define csr_write_number_(number, value) asm volatile("csrw " #number ", %0" : : "r"((u64)(value)) : "memory")
#define csr_write_number(number, value) csr_write_number_(number, value)

#define MSTATUS_MPP_MASK (3UL << 11)
#define MSTATUS_MPP_S (1UL << 11)
#define SSTATUS_SIE (1UL << 1)
#define SSTATUS_SPIE (1UL << 5)
#define SSTATUS_SPP (1UL << 8)
#define SIE_STIE (1UL << 5)
#define SIE_SEIE (1UL << 9)
#define MENVCFG_STCE (1UL << 63)
#define MCOUNTEREN_TM (1UL << 1)

#define SCAUSE_INTERRUPT (1UL << 63)
#define SCAUSE_TIMER (SCAUSE_INTERRUPT | 5)
#define SCAUSE_DEVICE (SCAUSE_INTERRUPT | 9)
#define SCAUSE_ECALL 8
#define SCAUSE_FETCH_FAULT 12
#define SCAUSE_LOAD_FAULT 13
#define SCAUSE_STORE_FAULT 15

typedef u64 pte_t;
typedef u64 *pagetable_t; /* 512 entries */

#define PTE_V (1UL << 0)
#define PTE_R (1UL << 1)
#define PTE_W (1UL << 2)
#define PTE_X (1UL << 3)
#define PTE_U (1UL << 4)
#define PTE_A (1UL << 6)
#define PTE_D (1UL << 7)
#define PTE_COW (1UL << 8) /* of the two bits left to software */
#define PTE_FLAGS(pte) ((pte)&0x3ff)
#define PTE_LEAF(pte) ((pte) & (PTE_R | PTE_W | PTE_X))
#define PA2PTE(pa) ((u64)(pa) >> 12 << 10)
#define PTE2PA(pte) ((pte) >> 10 << 12)
#define PX(level, va) ((u64)(va) >> (12 + 9 * (level)) & 0x1ff)
#define SATP_SV39(table) (8UL << 60 | (u64)(table) >> 12)

static inline void sfence_vma(void)
{
	asm volatile("sfence.vma zero, zero" : : : "memory");
}

/* The number of this hart is in tp whenever the kernel runs. */
static inline u64 cpuid(void)
{
	u64 hart;

	asm volatile("mv %0, tp" : "=r"(hart));
	return hart;
}

static inline int intr_get(void)
{
	return (csr_read(sstatus) & SSTATUS_SIE) != 0;
}

static inline void intr_on(void)
{
	csr_set(sstatus, SSTATUS_SIE);
}

static inline void intr_off(void)
{
	csr_clear(sstatus, SSTATUS_SIE);
}
