/* SPDX-License-Identifier: MIT */
/*
 * Traps: the timer, which takes the processor from a task a hundred times a second, and faults of the lower half.
 */
#include "kernel.h"

#define TICK 100000 /* of a clock of 10 MHz */
#define CAUSE_TIMER (1UL << 63 | 5)
#define CAUSE_LOAD_FAULT 13
#define CAUSE_STORE_FAULT 15

/* As trap_entry lays it out: regs[0] is sepc. */
struct frame {
	u64 sepc, regs[31], sstatus;
};

void trap_init(void)
{
	extern char trap_entry[];

	csr_write(stvec, trap_entry);
	csr_set(sstatus, SSTATUS_SUM);
	csr_set(sie, SIE_STIE);
	sbi_set_timer(csr_read(time) + TICK);
}

void trap(struct frame *frame)
{
	u64 cause = csr_read(scause), va = csr_read(stval);
	struct task *task = this_hart()->task;

	if (cause == CAUSE_TIMER) {
		sbi_set_timer(csr_read(time) + TICK);
		if (task)
			task_yield();
		return;
	}
	if ((cause == CAUSE_LOAD_FAULT || cause == CAUSE_STORE_FAULT) && va < SPACE_END && task &&
	    task->space && space_fault(task->space, va, cause == CAUSE_STORE_FAULT) == 0)
		return;
	print("scause 0x%lx sepc 0x%lx stval 0x%lx\n", cause, frame->sepc, va);
	panic("trap");
}
