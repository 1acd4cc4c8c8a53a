/* SPDX-License-Identifier: MIT */
/*
 * The kernel's half of every page table.
 *
 * MMU-1  after arch_map_kernel no root entry of the upper half changes any more, so a root that copied them
 *        once is right for ever. Below a root entry, the direct map never changes; the level-0 tables of the
 *        kernel stack window are added on demand and seen by all, since all share the level-1 table.
 * MMU-2  no page is both writable and executable; text and rodata have 4 KiB pages, rights end where they do.
 *
 * Harts come in on a table of gigapages (early_root), where everything may be written and executed, and leave
 * it before they do anything else. The firmware's RAM is not mapped. Devices have 2 MiB pages in the first
 * GiB, which no RAM shares.
 */
#include "arch_priv.h"
#include <kernel/errno.h>
#include <kernel/lib.h>

#define PTE_VALID 1UL
#define PTE_READ 2UL
#define PTE_WRITE 4UL
#define PTE_EXEC 8UL
#define PTE_USED 0xc0UL /* A and D: the kernel does not watch its own accesses */
#define ENTRIES 512
#define LEVEL_SHIFT(level) (PAGE_SHIFT + 9 * (level))
#define INDEX(va, level) (((va) >> LEVEL_SHIFT(level)) & (ENTRIES - 1))
#define MIB2 (1UL << 21)
#define RAM_PA_MAX (KSTACK_BASE - PHYS_OFFSET) /* the direct map ends where the stacks begin */

#define RIGHTS_TEXT (PTE_READ | PTE_EXEC)
#define RIGHTS_RODATA PTE_READ
#define RIGHTS_DATA (PTE_READ | PTE_WRITE)

/* Filled by entry.S with gigapages; each hart comes in on it and leaves it for kernel_root_pa. */
u64 early_root[ENTRIES] __attribute__((aligned(PAGE_SIZE), section(".bss.page_aligned")));
u64 kernel_root_pa;
static paddr_t active_roots[NR_HARTS_MAX];

static u64 entry_of(paddr_t pa, u64 bits)
{
	return (pa >> PAGE_SHIFT) << 10 | bits | PTE_VALID;
}

static u64 *table_of(u64 entry)
{
	return pa_to_va((entry >> 10) << PAGE_SHIFT);
}

/* The table below *entry, made if there is none; NULL when alloc_page has no page. */
static u64 *table_below(u64 *entry, paddr_t (*alloc_page)(void))
{
	if (!(*entry & PTE_VALID)) {
		paddr_t pa = alloc_page();
		if (!pa)
			return NULL;
		/* The zeroes must be visible before the table is: other harts walk it at once. */
		__atomic_thread_fence(__ATOMIC_RELEASE);
		__atomic_store_n(entry, entry_of(pa, 0), __ATOMIC_RELEASE);
	}
	return table_of(*entry);
}

static void map(u64 *root, paddr_t pa, u32 level, u64 rights, paddr_t (*alloc_page)(void))
{
	u64 va = pa + PHYS_OFFSET;
	u64 *table = root;

	for (u32 l = 2; l > level; l--) {
		table = table_below(&table[INDEX(va, l)], alloc_page);
		if (!table)
			panic("no memory for the kernel's page table");
	}
	table[INDEX(va, level)] = entry_of(pa, rights | PTE_USED);
}

static u64 rights_of(paddr_t pa)
{
	u64 va = pa + PHYS_OFFSET;

	if (va < (u64)image_start || va >= (u64)rodata_end)
		return RIGHTS_DATA;
	return va < (u64)text_end ? RIGHTS_TEXT : RIGHTS_RODATA;
}

static void map_ram(u64 *root, paddr_t (*alloc_page)(void))
{
	paddr_t image_pages_end = va_to_pa(rodata_end);
	paddr_t pa = MAX(machine.ram_start, KERNEL_PA);

	if (machine.ram_end > RAM_PA_MAX)
		panic("RAM ends at 0x%lx, beyond the direct map", machine.ram_end);
	while (pa < machine.ram_end) {
		if (pa % MIB2 == 0 && pa >= image_pages_end && machine.ram_end - pa >= MIB2) {
			map(root, pa, 1, RIGHTS_DATA, alloc_page);
			pa += MIB2;
		} else {
			map(root, pa, 0, rights_of(pa), alloc_page);
			pa += PAGE_SIZE;
		}
	}
}

static void map_device(u64 *root, paddr_t pa, u64 size_bytes, paddr_t (*alloc_page)(void))
{
	if (pa)
		for (paddr_t at = pa & ~(MIB2 - 1); at < pa + size_bytes; at += MIB2)
			map(root, at, 1, RIGHTS_DATA, alloc_page);
}

#define PLIC_BYTES 0x600000UL

void arch_map_kernel(paddr_t (*alloc_page)(void))
{
	paddr_t root_pa = alloc_page();
	u64 *root = pa_to_va(root_pa);

	map_ram(root, alloc_page);
	map_device(root, machine.uart_pa, PAGE_SIZE, alloc_page);
	map_device(root, machine.finisher_pa, PAGE_SIZE, alloc_page);
	map_device(root, machine.plic_pa, PLIC_BYTES, alloc_page);
	for (u32 i = 0; i < machine.nr_virtio; i++)
		map_device(root, machine.virtio[i].pa, PAGE_SIZE, alloc_page);
	if (!table_below(&root[INDEX(KSTACK_BASE, 2)], alloc_page))
		panic("no memory for the kernel's page table");
	kernel_root_pa = root_pa;
	arch_use_root(root_pa);
}

/* The level-0 entry for va, or NULL when there is no table and no page for one. */
static u64 *kernel_entry(u64 va, paddr_t (*alloc_page)(void))
{
	u64 *table = pa_to_va(kernel_root_pa);

	table = table_of(table[INDEX(va, 2)]);
	table = table_below(&table[INDEX(va, 1)], alloc_page);
	return table ? &table[INDEX(va, 0)] : NULL;
}

static paddr_t no_page(void)
{
	return 0;
}

int arch_kernel_map_page(u64 va, paddr_t pa, paddr_t (*alloc_page)(void))
{
	KASSERT(INDEX(va, 2) == INDEX(KSTACK_BASE, 2) && va % PAGE_SIZE == 0);
	u64 *entry = kernel_entry(va, alloc_page);

	if (!entry)
		return -ENOMEM;
	if (*entry & PTE_VALID)
		panic("kernel page 0x%lx is mapped already, to 0x%lx", va, va_to_pa(table_of(*entry)));
	__atomic_store_n(entry, entry_of(pa, RIGHTS_DATA | PTE_USED), __ATOMIC_RELEASE);
	/* Other harts may know an entry of a former life: KSTACK-2. */
	arch_flush_tlb_page((void *)va);
	return 0;
}

void arch_kernel_unmap_page(u64 va)
{
	u64 *entry = kernel_entry(va, no_page);

	if (!entry || !(*entry & PTE_VALID))
		panic("kernel page 0x%lx is not mapped", va);
	__atomic_store_n(entry, 0, __ATOMIC_RELEASE);
	arch_flush_tlb_page((void *)va);
}

/*
 * One fence, behind: what the harts know of the kernel's half is the same in both tables, and of the user's half nothing
 * is used in between. fence.i: a page of code may have been filled by another hart since this one last looked.
 */
void arch_use_root(paddr_t root_pa)
{
	__atomic_store_n(&active_roots[hart_index()], root_pa, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* see arch_flush_table */
	__asm__ volatile("csrw satp, %0\n"
			 "sfence.vma\n"
			 "fence.i" ::"r"(SATP_SV39 | root_pa >> PAGE_SHIFT)
			 : "memory");
}

paddr_t arch_active_root(u32 index)
{
	return active_roots[index];
}

void arch_flush_tlb_page(const void *va_or_ua)
{
	__asm__ volatile("sfence.vma %0, zero" ::"r"(va_or_ua) : "memory");
}

void arch_flush_tlb_all(void)
{
	__asm__ volatile("sfence.vma" ::: "memory");
}

/* Each side writes its own word before it reads the other's: the entry here, active_roots in arch_use_root. */
void arch_flush_table(paddr_t root_pa)
{
	u64 others = 0;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (u32 i = 0; i < nr_harts; i++)
		if (i != hart_index() && __atomic_load_n(&active_roots[i], __ATOMIC_RELAXED) == root_pa)
			others |= 1UL << harts[i].hart_id;
	arch_flush_tlb_all();
	if (others && sbi_remote_flush(others))
		panic("the firmware cannot flush the page tables of harts 0x%lx", others);
}
