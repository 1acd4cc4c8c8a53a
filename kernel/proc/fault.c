/* SPDX-License-Identifier: MIT */
/*
 * What user mode does to the kernel besides system calls: page faults, other exceptions, and the way back.
 * No exception of user mode is ever the kernel's end: what cannot be served kills the process.
 */
#include "proc_priv.h"

/* scause of exceptions: RISC-V privileged specification, table of supervisor causes. */
enum {
	CAUSE_FETCH_MISALIGNED = 0,
	CAUSE_FETCH_ACCESS = 1,
	CAUSE_ILLEGAL = 2,
	CAUSE_BREAKPOINT = 3,
	CAUSE_LOAD_MISALIGNED = 4,
	CAUSE_LOAD_ACCESS = 5,
	CAUSE_STORE_MISALIGNED = 6,
	CAUSE_STORE_ACCESS = 7,
	CAUSE_FETCH_PAGE = 12,
	CAUSE_LOAD_PAGE = 13,
	CAUSE_STORE_PAGE = 15,
};

int upcall_user_fault(uaddr_t ua, bool write, bool exec)
{
	struct task *task = current_task();
	bool irqs_on = arch_irqs_on();
	struct proc *proc;
	int err;

	if (!task || !task->mm)
		return -EFAULT;
	if (this_hart()->irq_off_depth)
		panic("pid %u touches user memory at 0x%lx with %u locks held", task->pid, ua,
		      this_hart()->irq_off_depth);
	task->in_user = false;
	proc = task->proc;
	arch_irq_enable();
	err = sched_checkpoint(); /* a system call may copy through any number of faults */
	if (!err)
		err = mm_fault(task->mm, ua, write, exec);
	if (err == -EFAULT && proc->abi->user_fault)
		err = proc->abi->user_fault(task, ua, write, exec);
	proc->fault_error = err;
	if (!irqs_on)
		arch_irq_save();
	return err;
}

static const char *exception_text(u64 cause, int fault_error)
{
	bool memory_out = fault_error == -ENOMEM;
	bool disk = fault_error == -EIO;

	switch (cause) {
	case CAUSE_FETCH_PAGE:
		return memory_out ? "out of memory for code"
		       : disk     ? "code cannot be read"
				  : "no code may run";
	case CAUSE_LOAD_PAGE:
		return memory_out ? "out of memory for a load" : disk ? "file cannot be read" : "bad load";
	case CAUSE_STORE_PAGE:
		return memory_out ? "out of memory for a store" : disk ? "file cannot be read" : "bad store";
	case CAUSE_ILLEGAL:
		return "illegal instruction";
	case CAUSE_BREAKPOINT:
		return "breakpoint";
	case CAUSE_FETCH_MISALIGNED:
	case CAUSE_LOAD_MISALIGNED:
	case CAUSE_STORE_MISALIGNED:
		return "misaligned access";
	case CAUSE_FETCH_ACCESS:
	case CAUSE_LOAD_ACCESS:
	case CAUSE_STORE_ACCESS:
		return "access beyond the machine's memory";
	default:
		return "unknown exception";
	}
}

void upcall_user_exception(struct trapframe *frame)
{
	struct task *task = current_task();
	struct proc *proc = task->proc;
	bool page_fault = frame->cause == CAUSE_FETCH_PAGE || frame->cause == CAUSE_LOAD_PAGE ||
			  frame->cause == CAUSE_STORE_PAGE;

	task->in_user = false;
	arch_irq_enable();
	if (!page_fault || frame->tval >= USER_END) /* mm_fault was not asked */
		proc->fault_error = 0;
	if (task->killed)
		proc_exit(-1);
	proc_die(exception_text(frame->cause, proc->fault_error), frame->tval);
}

void upcall_return_to_user(struct trapframe *frame)
{
	struct task *task = current_task();

	arch_irq_enable();
	while (!task->killed && sched_slice_over()) {
		/* At this edge the task holds nothing. */
		task->quiet = true;
		sched_yield();
		task->quiet = false;
	}
	if (UNLIKELY(task->proc->before_return))
		task->proc->before_return(frame);
	if (task->killed) {
		task->in_user = false;
		proc_exit(-1);
	}
	task->in_user = true;
}
