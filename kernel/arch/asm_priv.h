/* SPDX-License-Identifier: MIT */
/* Numbers that the assembler shares with C; arch/hart.c asserts those that C can see. */
#ifndef ARCH_ASM_PRIV_H
#define ARCH_ASM_PRIV_H

#include <uapi/layout.h>

#ifdef __ASSEMBLER__
#define SATP_SV39 (8 << 60)
#else
#define SATP_SV39 (8UL << 60)
#endif

#define PTE_KERNEL_RWX 0xcf /* V R W X A D */

/* struct hart */
#define HART_KERNEL_SP 0
#define HART_SCRATCH 8
#define HART_EMERGENCY_SP 24
#define HART_PANIC_X 32
#define HART_ID 292
#define HART_BYTES 368
#define HARTS_BYTES (8 * HART_BYTES) /* NR_HARTS_MAX of them */

/* struct trapframe */
#define FRAME_PC 256
#define FRAME_STATUS 264
#define FRAME_CAUSE 272
#define FRAME_TVAL 280
#define FRAME_BYTES 288
/* A trap in the kernel puts a pair (old fp, pc) above the frame, as a called function would. */
#define FRAME_LINK_FP 288
#define FRAME_LINK_PC 296
#define KERNEL_FRAME_BYTES 304

#define ASM_SSTATUS_SUM 0x40000
#define ASM_SSTATUS_SPP 0x100
#define ASM_SSTATUS_SPIE 0x20

/*
 * Boot stacks: a slot is a stack for emergencies, then the boot stack. Like the slots of the kernel stack
 * window they are 16 KiB and so aligned, and the stack proper is the upper half: in a kernel stack that has
 * not overflowed, bit 13 of sp is set, once sp was lowered for a frame.
 */
#define BOOT_STACK_SLOT_BYTES 16384
#define STACK_BIT 13

#endif
