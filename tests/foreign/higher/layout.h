/* SPDX-License-Identifier: MIT */
/*
 * Addresses. The kernel lives in the upper half, in the linear map:
 *
 *     virtual = physical + LINEAR_OFFSET
 *
 *     0x8000_0000   LINEAR_BASE              firmware, not mapped
 *     0x8020_0000   LINEAR_BASE + 2 MiB      text (read, execute)
 *     0x8040_0000   LINEAR_BASE + 4 MiB      data, boot stacks, then all other pages (read, write)
 *
 * The lower half belongs to the address space of the running task, if it has one. For C and assembly.
 */
#pragma once

#include "config.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096
#define MAX_HARTS 4
#define RAM_BASE 0x80000000
#define LINEAR_BASE 0xffffffd000000000
#define LINEAR_OFFSET 0xffffffcf80000000
#define SATP_MODE (5 + LEVELS)
#define STACK_ORDER 1 /* a task's stack has two pages */

#ifndef __ASSEMBLER__
#define RAM_END (RAM_BASE + RAM_MB * 1024UL * 1024)
#define NR_PFNS (RAM_MB * 256UL)
#endif
