/* SPDX-License-Identifier: MIT */
/*
 * Calls between harts, and stopping all of them.
 *
 * IPI-1  a bit in ipi_pending is set before the interrupt is sent and taken by the receiver only; it is
 *        looked at again after the interrupt was acknowledged, so none is lost.
 * IPI-2  hart->stopped is set by the hart itself, in answer to IPI_STOP, and cleared by arch_start_world; so
 *        an answer is never older than its question, and nobody waits for harts to leave.
 * IPI-3  all waiting here is in WFI with only the software interrupt enabled. A hart that spins instead
 *        would, under icount, keep the others from running until its next timer interrupt, if there is one.
 * IPI-4  where spinning cannot be helped (spinlocks), arch_relax gives way after a while: WFI with an
 *        interrupt pending, which QEMU takes as leave to run the next hart, and a machine as no wait at all.
 *
 * A hart parks in its interrupt handler, so it holds no spinlock (SPIN-1) and stands where its stack can be
 * read. Stopping is the privilege of one caller at a time; panic needs no permission and does not wait for
 * harts that do not answer.
 */
#include "arch_priv.h"
#include <kernel/lib.h>

static bool world_stopped;
static bool stopper_irqs_on;
static u32 stopper;    /* hart index */
static u32 nr_awaited; /* atomic: harts that have not answered yet */

static u64 others_mask(void)
{
	u64 mask = 0;

	for (u32 i = 0; i < nr_harts; i++)
		if (i != hart_index() && harts[i].online)
			mask |= 1UL << harts[i].hart_id;
	return mask;
}

void arch_ipi(u32 index, enum ipi what)
{
	struct hart *hart = &harts[index];

	__atomic_fetch_or(&hart->ipi_pending, (u32)what, __ATOMIC_SEQ_CST);
	sbi_send_ipi(1UL << hart->hart_id);
}

static void ipi_others(enum ipi what)
{
	for (u32 i = 0; i < nr_harts; i++)
		if (i != hart_index() && harts[i].online)
			__atomic_fetch_or(&harts[i].ipi_pending, (u32)what, __ATOMIC_SEQ_CST);
	u64 mask = others_mask();
	if (mask)
		sbi_send_ipi(mask);
}

static u32 take_pending(struct hart *hart)
{
	csr_clear(sip, SIE_SOFT);
	return __atomic_exchange_n(&hart->ipi_pending, 0, __ATOMIC_SEQ_CST);
}

static void __attribute__((noreturn)) halt(const struct trapframe *frame)
{
	upcall_halted(frame);
	csr_write(sie, 0);
	for (;;)
		arch_wfi();
}

/* Waits in WFI until *done(), taking no interrupt but IPI_HALT. Interrupts are off, before and after. */
void ipi_wait_until(bool (*done)(void))
{
	struct hart *hart = this_hart();
	u64 sie = csr_read(sie);

	csr_write(sie, SIE_SOFT);
	for (;;) {
		csr_clear(sip, SIE_SOFT);
		if (__atomic_load_n(&hart->ipi_pending, __ATOMIC_SEQ_CST) & IPI_HALT) {
			csr_set(sip, SIE_SOFT);
			arch_irq_enable(); /* does not come back */
		}
		if (done())
			break;
		arch_wfi();
	}
	csr_write(sie, sie);
	if (__atomic_load_n(&hart->ipi_pending, __ATOMIC_SEQ_CST))
		csr_set(sip, SIE_SOFT); /* for later */
}

static void answer_stop(struct hart *hart, bool quiet)
{
	hart->stopped_quiet = quiet;
	__atomic_store_n(&hart->stopped, true, __ATOMIC_SEQ_CST);
	if (__atomic_sub_fetch(&nr_awaited, 1, __ATOMIC_SEQ_CST) == 0)
		sbi_send_ipi(1UL << harts[stopper].hart_id);
}

/* Wake-ups that arrive meanwhile are kept in *pending. */
static void park(struct hart *hart, const struct trapframe *frame, bool quiet, u32 *pending)
{
	u64 sie = csr_read(sie);

	csr_write(sie, SIE_SOFT);
	for (;;) {
		if (*pending & IPI_HALT)
			halt(frame);
		if (*pending & IPI_STOP)
			answer_stop(hart, quiet);
		*pending &= ~(u32)IPI_STOP;
		if (!__atomic_load_n(&hart->stopped, __ATOMIC_SEQ_CST))
			break;
		arch_wfi();
		*pending |= take_pending(hart);
	}
	csr_write(sie, sie);
}

void ipi_handle(const struct trapframe *frame, bool quiet)
{
	struct hart *hart = this_hart();
	u32 pending = take_pending(hart);

	if (pending & IPI_HALT)
		halt(frame);
	if (pending & IPI_STOP)
		park(hart, frame, quiet, &pending);
	if (pending & IPI_WAKE)
		upcall_wake();
}

static bool all_answered(void)
{
	return __atomic_load_n(&nr_awaited, __ATOMIC_SEQ_CST) == 0;
}

void arch_stop_world(bool *quiet)
{
	bool irqs_on = arch_irq_save();

	if (world_stopped)
		panic("the world is stopped already, by hart %u", stopper);
	world_stopped = true;
	stopper_irqs_on = irqs_on;
	stopper = hart_index();
	u64 others = others_mask();
	__atomic_store_n(&nr_awaited, (u32)__builtin_popcountl(others), __ATOMIC_SEQ_CST);
	ipi_others(IPI_STOP);
	ipi_wait_until(all_answered);
	*quiet = true;
	for (u32 i = 0; i < nr_harts; i++)
		if (i != stopper && harts[i].online && !harts[i].stopped_quiet)
			*quiet = false;
}

void arch_start_world(void)
{
	bool irqs_on = stopper_irqs_on;

	world_stopped = false;
	for (u32 i = 0; i < nr_harts; i++)
		__atomic_store_n(&harts[i].stopped, false, __ATOMIC_SEQ_CST);
	u64 others = others_mask();
	if (others)
		sbi_send_ipi(others);
	arch_irq_restore(irqs_on);
}

#define RELAXES_A_WAY 64

void arch_relax(void)
{
	struct hart *hart = this_hart();

	__asm__ volatile(".insn i 0x0F, 0, x0, x0, 0x010" ::: "memory"); /* pause */
	if (++hart->nr_relaxes % RELAXES_A_WAY != 0 || !(csr_read(sie) & SIE_SOFT))
		return;
	bool irqs_on = arch_irq_save();
	csr_set(sip, SIE_SOFT);
	arch_wfi();
	csr_clear(sip, SIE_SOFT);
	if (__atomic_load_n(&hart->ipi_pending, __ATOMIC_SEQ_CST))
		csr_set(sip, SIE_SOFT);
	arch_irq_restore(irqs_on);
}

void arch_halt_others(void)
{
	ipi_others(IPI_HALT);
}

void arch_halt_here(void)
{
	csr_write(sie, 0);
	for (;;)
		arch_wfi();
}
