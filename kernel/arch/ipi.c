/*
 * Calls between harts, and stopping all of them.
 *
 * IPI-1  a bit in ipi_pending is set before the interrupt is sent and taken by the receiver only; it is
 *        looked at again after the interrupt was acknowledged, so none is lost.
 * IPI-2  a parked hart waits in WFI with only the software interrupt enabled, and serves IPI_HALT there.
 *
 * A hart parks in its interrupt handler, so it holds no spinlock (SPIN-1) and stands where its stack can be
 * read. Stopping is the privilege of one caller at a time; panic needs no permission and does not wait for
 * harts that do not answer.
 */
#include "arch_priv.h"
#include <kernel/lib.h>

static volatile bool world_stopping;
static bool stopper_irqs_on;

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

/* Wake-ups that arrive meanwhile are kept in *pending. */
static void park(struct hart *hart, const struct trapframe *frame, bool quiet, u32 *pending)
{
	u64 sie = csr_read(sie);

	csr_write(sie, SIE_SOFT);
	hart->stopped_quiet = quiet;
	__atomic_store_n(&hart->stopped, true, __ATOMIC_SEQ_CST);
	for (;;) {
		*pending |= take_pending(hart);
		if (*pending & IPI_HALT)
			halt(frame);
		if (!__atomic_load_n(&world_stopping, __ATOMIC_SEQ_CST))
			break;
		arch_wfi();
	}
	__atomic_store_n(&hart->stopped, false, __ATOMIC_SEQ_CST);
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

static bool all_others(bool stopped)
{
	for (u32 i = 0; i < nr_harts; i++) {
		if (i == hart_index() || !harts[i].online)
			continue;
		if (__atomic_load_n(&harts[i].stopped, __ATOMIC_SEQ_CST) != stopped)
			return false;
	}
	return true;
}

void arch_stop_world(bool *quiet)
{
	bool irqs_on = arch_irq_save();

	if (world_stopping)
		panic("the world is stopped already");
	stopper_irqs_on = irqs_on;
	__atomic_store_n(&world_stopping, true, __ATOMIC_SEQ_CST);
	ipi_others(IPI_STOP);
	while (!all_others(true))
		arch_relax();
	*quiet = true;
	for (u32 i = 0; i < nr_harts; i++)
		if (i != hart_index() && harts[i].online && !harts[i].stopped_quiet)
			*quiet = false;
}

/* Waits until all left their parking places, so that the next stop cannot take an old answer for a new one.
 */
void arch_start_world(void)
{
	__atomic_store_n(&world_stopping, false, __ATOMIC_SEQ_CST);
	u64 mask = others_mask();
	if (mask)
		sbi_send_ipi(mask);
	while (!all_others(false))
		arch_relax();
	arch_irq_restore(stopper_irqs_on);
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
