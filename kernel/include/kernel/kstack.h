/* SPDX-License-Identifier: MIT */
/*
 * Kernel stacks: KSTACK_PAGES pages (kind KSTACK, reference KSTACK held by (pid, page of stack)) mapped in
 * a slot of the window at KSTACK_BASE with two unmapped guard pages below. A slot is 16 KiB.
 *
 * KSTACK-1  a slot in use maps exactly its two stack pages; a free slot maps nothing.
 * KSTACK-2  a hart flushes its TLB before it stands on another task's stack (sched_switch), and whoever reads
 *           one that is not its own flushes those two pages; so no entry of a slot's former life is ever used.
 * Locks: `kstack`. Freed by the reaper only (sched), never by the task that stands on it: checked.
 */
#ifndef KERNEL_KSTACK_H
#define KERNEL_KSTACK_H

#include <kernel/claims.h>
#include <kernel/types.h>

#define KSTACK_BYTES (KSTACK_PAGES * PAGE_SIZE)
#define KSTACK_SLOT_BYTES (4 * PAGE_SIZE)
#define KSTACK_SLOTS 512

/* The lowest address of a new stack, or NULL. Its top is + KSTACK_BYTES. */
void *kstack_alloc(u16 pid);
void kstack_free(void *stack, u16 pid);
/* The page behind one page of a stack, or NULL. */
struct page *kstack_page(const void *stack, u32 index);
/* A task's stack is its task's; by the slots only while somebody may be between the two. */
void kstack_claim(struct claims *claims, const void *stack, u16 pid);
void kstack_claims(struct claims *claims);

#endif
