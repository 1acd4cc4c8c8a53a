/* SPDX-License-Identifier: MIT */
/*
 * External interrupts: which driver hears which PLIC source. The table is written at boot, before a source is
 * enabled, and only read afterwards; so it needs no lock.
 */
#include <kernel/arch.h>
#include <kernel/dev.h>
#include <kernel/lib.h>

#define NR_IRQS 64 /* of QEMU's virt: 1..8 virtio, 10 uart, 32..35 PCI */

static void (*handlers[NR_IRQS])(u32 irq);

void dev_irq_register(u32 irq, void (*handler)(u32 irq))
{
	KASSERT(irq > 0 && irq < NR_IRQS && !handlers[irq]);
	__atomic_store_n(&handlers[irq], handler, __ATOMIC_RELEASE);
	plic_enable(irq);
}

void upcall_external_irq(u32 irq)
{
	void (*handler)(u32 irq) = irq < NR_IRQS ? __atomic_load_n(&handlers[irq], __ATOMIC_ACQUIRE) : NULL;

	if (handler)
		handler(irq);
	else
		kprintf("irq %u: nobody's\n", irq);
}
