/* SPDX-License-Identifier: MIT */
/*
 * The harts: their structs, their boot stacks, how they begin and how the machine ends.
 *
 * Hart 0 of our numbering is the one the firmware started (any of the machine's). The others are fetched out of the
 * firmware early, since there they wait by looking all the time, which takes a host with few processors away from
 * the boot hart; they sleep here until arch_start_harts.
 */
#include "arch_priv.h"
#include <kernel/lib.h>

STATIC_ASSERT(offsetof(struct hart, kernel_sp) == HART_KERNEL_SP, "trap.S");
STATIC_ASSERT(offsetof(struct hart, scratch) == HART_SCRATCH, "trap.S");
STATIC_ASSERT(offsetof(struct hart, emergency_sp) == HART_EMERGENCY_SP, "trap.S");
STATIC_ASSERT(offsetof(struct hart, panic_x) == HART_PANIC_X, "panic.S");
STATIC_ASSERT(offsetof(struct hart, hart_id) == HART_ID && sizeof(struct hart) == HART_BYTES &&
		  sizeof(harts) == HARTS_BYTES,
	      "entry.S");
STATIC_ASSERT(offsetof(struct trapframe, pc) == FRAME_PC, "trap.S");
STATIC_ASSERT(offsetof(struct trapframe, status) == FRAME_STATUS, "trap.S");
STATIC_ASSERT(offsetof(struct trapframe, cause) == FRAME_CAUSE, "trap.S");
STATIC_ASSERT(offsetof(struct trapframe, tval) == FRAME_TVAL, "trap.S");
STATIC_ASSERT(sizeof(struct trapframe) == FRAME_BYTES, "trap.S");
STATIC_ASSERT(ASM_SSTATUS_SUM == SSTATUS_SUM, "trap.S");
STATIC_ASSERT(ASM_SSTATUS_SPP == SSTATUS_SPP, "trap.S");
STATIC_ASSERT(ASM_SSTATUS_SPIE == SSTATUS_SPIE, "trap.S");

#define SSTATUS_FS 0x6000UL
#define FINISHER_PASS 0x5555
#define FINISHER_FAIL 0x3333

struct hart harts[NR_HARTS_MAX];
u32 nr_harts = 1;

static void hart_init_struct(u32 index, u32 hart_id)
{
	struct hart *hart = &harts[index];

	hart->index = index;
	hart->hart_id = hart_id;
	hart->emergency_sp = (u64)boot_stacks + index * BOOT_STACK_SLOT_BYTES + BOOT_STACK_SLOT_BYTES / 2;
}

void arch_init_this_hart(void)
{
	csr_write(sscratch, this_hart());
	csr_write(stvec, trap_entry);
	csr_clear(sstatus, SSTATUS_SUM | SSTATUS_FS);
	csr_write(sie, SIE_SOFT);
	timer_init_hart();
}

void arch_init_boot_hart(u32 hart_id)
{
	hart_init_struct(0, hart_id);
	harts[0].online = true;
	timer_init();
	arch_init_this_hart();
}

static bool harts_wanted; /* set by arch_start_harts */

static bool wanted(void)
{
	return __atomic_load_n(&harts_wanted, __ATOMIC_ACQUIRE);
}

void hart_secondary_main(void)
{
	arch_init_this_hart();
	arch_use_root(kernel_root_pa);
	ipi_wait_until(wanted);
	upcall_hart_main();
}

static bool all_online(void)
{
	for (u32 i = 0; i < machine.nr_harts; i++)
		if (!__atomic_load_n(&harts[i].online, __ATOMIC_ACQUIRE))
			return false;
	return true;
}

void arch_fetch_harts(void)
{
	for (u32 i = 1; i < machine.nr_harts; i++) {
		hart_init_struct(i, machine.hart_ids[i]);
		s64 err = sbi_hart_start(machine.hart_ids[i], va_to_pa(entry_boot), 0);
		if (err)
			panic("the firmware does not start hart %u: error %ld", machine.hart_ids[i], err);
	}
}

/* One that is not here yet finds the flag; one that is wakes up by the interrupt. */
void arch_start_harts(void)
{
	u64 others = 0;

	plic_init_boot_hart();
	for (u32 i = 1; i < machine.nr_harts; i++)
		others |= 1UL << machine.hart_ids[i];
	__atomic_store_n(&harts_wanted, true, __ATOMIC_SEQ_CST);
	if (others)
		sbi_send_ipi(others);
	ipi_wait_until(all_online);
	__atomic_store_n(&nr_harts, machine.nr_harts, __ATOMIC_RELEASE);
}

void arch_hart_online(void)
{
	__atomic_store_n(&this_hart()->online, true, __ATOMIC_RELEASE);
	sbi_send_ipi(1UL << harts[0].hart_id); /* it waits in arch_start_harts */
}

void arch_early_putchar(char c)
{
	sbi_putchar(c);
}

void arch_poweroff(u32 status)
{
	upcall_poweroff(status);
	arch_irq_save();
	if (machine.finisher_pa) {
		volatile u32 *finisher = pa_to_va(machine.finisher_pa);
		*finisher = status == 0 ? FINISHER_PASS : (status << 16 | FINISHER_FAIL);
	} else {
		/*
		 * Never after the finisher: a hart runs on for a moment, and the firmware ends the machine by the
		 * same finisher, with status 0 over ours.
		 */
		sbi_shutdown();
	}
	for (;;)
		arch_wfi();
}
