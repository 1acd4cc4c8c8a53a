/* SPDX-License-Identifier: MIT */
/*
 * The interrupt controller. All sources go to the boot hart's supervisor context; on this board that is
 * context 2 * hart id + 1 (machine and supervisor mode of each hart in turn).
 * Layout: RISC-V PLIC specification 1.0.0, memory map.
 */
#include "arch_priv.h"

static volatile u32 *plic_register(u64 offset)
{
	return pa_to_va(machine.plic_pa + offset);
}

static u64 boot_context(void)
{
	return 2UL * machine.hart_ids[0] + 1;
}

#define PLIC_PRIORITY(irq) (4UL * (irq))
#define PLIC_ENABLE(context, irq) (0x2000 + 0x80 * (context) + 4UL * ((irq) / 32))
#define PLIC_THRESHOLD(context) (0x200000 + 0x1000 * (context))
#define PLIC_CLAIM(context) (0x200004 + 0x1000 * (context))

void plic_init_boot_hart(void)
{
	if (!machine.plic_pa)
		return;
	*plic_register(PLIC_THRESHOLD(boot_context())) = 0;
	csr_set(sie, SIE_EXTERNAL);
}

void plic_enable(u32 irq)
{
	if (!machine.plic_pa || irq == 0)
		return;
	*plic_register(PLIC_PRIORITY(irq)) = 1;
	*plic_register(PLIC_ENABLE(boot_context(), irq)) |= 1U << (irq % 32);
}

void plic_handle(void)
{
	volatile u32 *claim = plic_register(PLIC_CLAIM(boot_context()));
	u32 irq;

	while ((irq = *claim) != 0) {
		upcall_external_irq(irq);
		*claim = irq;
	}
}
