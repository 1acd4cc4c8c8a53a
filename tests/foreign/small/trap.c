/* SPDX-License-Identifier: MIT */
/*
 * Traps: system calls, faults, the timer and the UART.
 *
 * The timer ticks a hundred times a second on each hart and takes the processor from whoever has it; hart 0's ticks are
 * counted for pause().
 */
#include "kernel.h"

#define TICK 100000 /* of a clock of 10 MHz */

#define PLIC_PRIORITY(irq) (*(volatile u32 *)(PLIC + 4UL * (irq)))
#define PLIC_ENABLE(hart) (*(volatile u32 *)(PLIC + 0x2080 + 0x100UL * (hart)))
#define PLIC_THRESHOLD(hart) (*(volatile u32 *)(PLIC + 0x201000 + 0x2000UL * (hart)))
#define PLIC_CLAIM(hart) (*(volatile u32 *)(PLIC + 0x201004 + 0x2000UL * (hart)))

u64 ticks;
struct spinlock ticks_lock;

extern char kernel_entry[], user_entry[], user_return[], trampoline[];

static void next_tick(void)
{
	csr_write_number(CSR_STIMECMP, csr_read(time) + TICK);
}

void trapinithart(void)
{
	if (cpuid() == 0) {
		initlock(&ticks_lock, "ticks");
		PLIC_PRIORITY(UART_IRQ) = 1;
		PLIC_ENABLE(0) = 1U << UART_IRQ;
		PLIC_THRESHOLD(0) = 0;
	}
	csr_write(stvec, kernel_entry);
	next_tick();
}

/* 2: the timer, 1: a device, 0: no interrupt. */
static int interrupt(u64 cause)
{
	if (cause == SCAUSE_DEVICE) {
		u32 irq = PLIC_CLAIM(cpuid());

		if (irq == UART_IRQ)
			console_interrupt();
		if (irq)
			PLIC_CLAIM(cpuid()) = irq;
		return 1;
	}
	if (cause != SCAUSE_TIMER)
		return 0;
	if (cpuid() == 0) {
		acquire(&ticks_lock);
		ticks++;
		wakeup(&ticks);
		release(&ticks_lock);
	}
	next_tick();
	return 2;
}

void kerneltrap(void)
{
	u64 epc = csr_read(sepc), status = csr_read(sstatus), cause = csr_read(scause);
	int what = interrupt(cause);

	if (what == 0) {
		printf("scause %p sepc %p stval %p\n", (void *)cause, (void *)epc, (void *)csr_read(stval));
		panic("kerneltrap");
	}
	if (what == 2 && mycpu()->proc)
		yield();
	csr_write(sepc, epc);
	csr_write(sstatus, status);
}

static void user_fault(struct proc *p, u64 cause)
{
	u64 va = csr_read(stval);
	int page_fault = cause == SCAUSE_LOAD_FAULT || cause == SCAUSE_STORE_FAULT;

	if (page_fault && vm_fault(p, va, cause == SCAUSE_STORE_FAULT) == 0)
		return;
	p->killed = 1;
}

static void usertrap(void)
{
	struct proc *p;
	u64 cause = csr_read(scause);
	int what;

	csr_write(stvec, kernel_entry);
	p = myproc();
	p->trapframe->epc = csr_read(sepc);
	if (cause == SCAUSE_ECALL) {
		p->trapframe->epc += 4;
		intr_on();
		if (!killed(p))
			syscall(p);
	} else if ((what = interrupt(cause)) == 2) {
		yield();
	} else if (what == 0) {
		user_fault(p, cause);
	}
	if (killed(p))
		exit(-1);
	usertrapret();
}

void usertrapret(void)
{
	struct proc *p = myproc();
	void (*to_user)(u64, u64) = (void (*)(u64, u64))(TRAMPOLINE + (u64)(user_return - trampoline));

	intr_off();
	csr_write(stvec, TRAMPOLINE + (u64)(user_entry - trampoline));
#if KPT
	p->trapframe->kernel_satp = SATP_SV39(p->KPT_NAME);
#else
	p->trapframe->kernel_satp = SATP_SV39(kernel_pagetable);
#endif
	/* Not a multiple of 16, as in kernels that keep something at the stack's top: frames are to be found all the same. */
	p->trapframe->kernel_sp = p->kstack + PGSIZE - 8;
	p->trapframe->kernel_trap = (u64)usertrap;
	p->trapframe->kernel_hart = cpuid();
	csr_clear(sstatus, SSTATUS_SPP);
	csr_set(sstatus, SSTATUS_SPIE);
	csr_write(sepc, p->trapframe->epc);
	to_user(TRAPFRAME, SATP_SV39(p->pagetable));
}
