/* SPDX-License-Identifier: MIT */
/*
 * Kernel stacks (interface and KSTACK-1: kstack.h).
 *
 * slot -> pages is kept here, and the way back in the pages' links (next = slot, prev = page of the stack),
 * so that neither needs a walk of the kernel's table. Slots are taken round robin: an address that was just
 * freed is not handed out at once, so a late use of a dead stack faults instead of writing into another's
 * (on the hart that freed it, at least).
 *
 * Other harts are not asked to forget a stack that was freed (KSTACK-2 says why that is enough): a firmware
 * call for each would cost them, and the one that waits, far more than the stack.
 *
 * The tables that map the window are made on demand, belong to all page tables and are never freed; they are
 * metadata with PAGE_BOOT, like the rest of the kernel's own tables.
 *
 * Lock: `kstack`, for slots and the window's table. Pages are taken before and returned after it.
 */
#include <kernel/arch.h>
#include <kernel/kstack.h>

#include "mm_priv.h"

#define GUARD_BYTES (KSTACK_SLOT_BYTES - KSTACK_BYTES)

struct kstack_slot {
	pfn_t pfns[KSTACK_PAGES]; /* PFN_NONE: free */
	u16 pid;
};

static struct spinlock kstack_lock = SPINLOCK_INIT(kstack);
static struct kstack_slot slots[KSTACK_SLOTS];
static u32 next_slot;

static u64 slot_va(u32 slot)
{
	return KSTACK_BASE + slot * KSTACK_SLOT_BYTES + GUARD_BYTES;
}

/* The slot that an address of the window lies in, guard pages included; KSTACK_SLOTS: none. */
static u32 va_slot(u64 va)
{
	u64 slot = (va - KSTACK_BASE) / KSTACK_SLOT_BYTES;

	return slot < KSTACK_SLOTS ? (u32)slot : KSTACK_SLOTS;
}

static paddr_t window_table(void)
{
	struct page *page = page_alloc(0, PK_METADATA, REF_BOOT, HOLDER_NONE, ALLOC_ZEROED);

	if (!page)
		return 0;
	page->state = PAGE_BOOT;
	return page_to_pa(page);
}

static void return_pages(const pfn_t *pfns, u16 pid)
{
	for (u32 i = 0; i < KSTACK_PAGES; i++)
		if (pfns[i] != PFN_NONE)
			page_put(pfn_to_page(pfns[i]), REF_KSTACK, HOLDER(pid, i));
}

static bool map_slot_locked(u32 slot, const pfn_t *pfns, u16 pid)
{
	for (u32 i = 0; i < KSTACK_PAGES; i++) {
		u64 va = slot_va(slot) + i * PAGE_SIZE;

		if (arch_kernel_map_page(va, (paddr_t)pfns[i] << PAGE_SHIFT, window_table)) {
			while (i--)
				arch_kernel_unmap_page(slot_va(slot) + i * PAGE_SIZE);
			return false;
		}
	}
	for (u32 i = 0; i < KSTACK_PAGES; i++) {
		slots[slot].pfns[i] = pfns[i];
		pfn_to_page(pfns[i])->next = slot;
		pfn_to_page(pfns[i])->prev = i;
	}
	slots[slot].pid = pid;
	return true;
}

/* The lowest address, or 0: no free slot, or no memory for the window's table. */
static u64 take_slot(const pfn_t *pfns, u16 pid)
{
	u64 va = 0;

	spin_lock(&kstack_lock);
	for (u32 i = 0; i < KSTACK_SLOTS; i++) {
		u32 slot = (next_slot + i) % KSTACK_SLOTS;

		if (slots[slot].pfns[0] != PFN_NONE)
			continue;
		if (map_slot_locked(slot, pfns, pid)) {
			va = slot_va(slot);
			next_slot = slot + 1;
		}
		break;
	}
	spin_unlock(&kstack_lock);
	return va;
}

void *kstack_alloc(u16 pid)
{
	pfn_t pfns[KSTACK_PAGES] = {PFN_NONE};
	u64 va = 0;

	for (u32 i = 0; i < KSTACK_PAGES; i++) {
		struct page *page = page_alloc(0, PK_KSTACK, REF_KSTACK, HOLDER(pid, i), 0);

		if (!page) {
			return_pages(pfns, pid);
			return NULL;
		}
		pfns[i] = page_to_pfn(page);
	}
	va = take_slot(pfns, pid);
	if (!va)
		return_pages(pfns, pid);
	return (void *)va;
}

static bool va_in_slot(u64 va, u32 slot)
{
	return va_slot(va) == slot && slot < KSTACK_SLOTS;
}

/* Some hart's stack pointer is in this slot. */
static bool slot_in_use(u32 slot)
{
	if (va_in_slot((u64)__builtin_frame_address(0), slot))
		return true;
	for (u32 i = 0; i < nr_harts; i++) {
		const struct hart *hart = &harts[i];

		/* kernel_sp is the top of the stack of the task that runs there, or of the last one before
		 * idle */
		if (hart != this_hart() && hart->current != hart->idle &&
		    va_in_slot(hart->kernel_sp - 1, slot))
			return true;
	}
	return false;
}

bool kstack_page_in_use(const struct page *page)
{
	u32 slot = page->next, index = page->prev;

	return slot < KSTACK_SLOTS && index < KSTACK_PAGES && slots[slot].pfns[index] == page_to_pfn(page) &&
	       slot_in_use(slot);
}

void kstack_free(void *stack, u16 pid)
{
	u32 slot = va_slot((u64)stack);
	pfn_t pfns[KSTACK_PAGES];

	if (slot == KSTACK_SLOTS || (u64)stack != slot_va(slot) || slots[slot].pfns[0] == PFN_NONE)
		panic("kstack_free: 0x%lx is not a kernel stack in use (pid %u)", (unsigned long)stack, pid);
	if (slot_in_use(slot)) {
		audit_incident(VERDICT_INUSE, kstack_page(stack, 0), kstack_page(stack, 0)->stack,
			       trace_stack_here(1));
		return; /* unmapping it would stop the hart without a word */
	}
	spin_lock(&kstack_lock);
	for (u32 i = 0; i < KSTACK_PAGES; i++) {
		arch_kernel_unmap_page((u64)stack + i * PAGE_SIZE);
		pfns[i] = slots[slot].pfns[i];
		slots[slot].pfns[i] = PFN_NONE;
	}
	spin_unlock(&kstack_lock);
	return_pages(pfns, pid);
}

struct page *kstack_page(const void *stack, u32 index)
{
	u32 slot = va_slot((u64)stack);

	if (slot == KSTACK_SLOTS || index >= KSTACK_PAGES || slots[slot].pfns[index] == PFN_NONE)
		return NULL;
	return pfn_to_page(slots[slot].pfns[index]);
}

static void claim_slot(struct claims *claims, u32 slot, u16 pid)
{
	for (u32 i = 0; i < KSTACK_PAGES; i++)
		if (slots[slot].pfns[i] != PFN_NONE)
			claim_page(claims, pfn_to_page(slots[slot].pfns[i]), REF_KSTACK, HOLDER(pid, i));
}

void kstack_claim(struct claims *claims, const void *stack, u16 pid)
{
	u32 slot = va_slot((u64)stack);

	if (claims_final(claims) && slot < KSTACK_SLOTS)
		claim_slot(claims, slot, pid);
}

void kstack_claims(struct claims *claims)
{
	for (u32 slot = 0; !claims_final(claims) && slot < KSTACK_SLOTS; slot++)
		claim_slot(claims, slot, slots[slot].pid);
}
