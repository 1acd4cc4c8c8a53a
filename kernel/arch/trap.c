/* SPDX-License-Identifier: MIT */
/*
 * Traps, after trap.S saved the registers: what came, and who is to know of it.
 *
 * A trap from user mode runs with interrupts on as soon as it is known not to be an interrupt, may sleep,
 * and leaves by way of upcall_return_to_user. A trap in the kernel is an interrupt, served with interrupts
 * off and without a switch; or a page fault of a user copy, which may sleep; or the end.
 */
#include "arch_priv.h"
#include <kernel/errno.h>
#include <kernel/lib.h>

#define CAUSE_INTERRUPT (1UL << 63)
#define CAUSE_SOFT 1
#define CAUSE_TIMER 5
#define CAUSE_EXTERNAL 9
#define CAUSE_USER_ECALL 8
#define CAUSE_FETCH_FAULT 12
#define CAUSE_LOAD_FAULT 13
#define CAUSE_STORE_FAULT 15

/* From usercopy.S. */
struct extable_entry {
	u64 start, end; /* of the code */
	u64 fixup;
};
extern const struct extable_entry extable_start[], extable_end[];

static const struct extable_entry *extable_find(u64 pc)
{
	for (const struct extable_entry *entry = extable_start; entry < extable_end; entry++)
		if (pc >= entry->start && pc < entry->end)
			return entry;
	return NULL;
}

static bool is_page_fault(u64 cause)
{
	return cause == CAUSE_LOAD_FAULT || cause == CAUSE_STORE_FAULT || cause == CAUSE_FETCH_FAULT;
}

static int serve_fault(const struct trapframe *frame)
{
	if (frame->tval >= USER_END)
		return -1;
	return upcall_user_fault(frame->tval, frame->cause == CAUSE_STORE_FAULT,
				 frame->cause == CAUSE_FETCH_FAULT);
}

static void trap_interrupt(const struct trapframe *frame, bool quiet)
{
	switch (frame->cause & ~CAUSE_INTERRUPT) {
	case CAUSE_SOFT:
		ipi_handle(frame, quiet);
		break;
	case CAUSE_TIMER:
		timer_quiet();
		upcall_timer();
		break;
	case CAUSE_EXTERNAL:
		plic_handle();
		break;
	default:
		panic("interrupt without a name: scause %lx", frame->cause);
	}
}

void trap_leave(struct trapframe *frame)
{
	arch_irq_enable();
	upcall_return_to_user(frame);
	arch_irq_save();
}

ARCH_OUTERMOST void trap_user(struct trapframe *frame)
{
	u64 cause = frame->cause;

	if (cause & CAUSE_INTERRUPT) {
		trap_interrupt(frame, true);
	} else if (cause == CAUSE_USER_ECALL) {
		frame->pc += 4;
		arch_irq_enable();
		upcall_syscall(frame);
	} else {
		arch_irq_enable();
		if (!is_page_fault(cause) || serve_fault(frame) < 0)
			upcall_user_exception(frame);
	}
	trap_leave(frame);
}

/* False: this is not a fault that a user copy may have. */
static bool trap_user_copy(struct trapframe *frame)
{
	const struct extable_entry *entry = extable_find(frame->pc);

	if (!entry || !is_page_fault(frame->cause) || frame->tval >= USER_END)
		return false;
	if (!(frame->status & SSTATUS_SPIE))
		panic("user copy with interrupts off (ranks of spinlocks held: %x)", this_hart()->ranks_held);
	arch_irq_enable();
	int err = serve_fault(frame);
	arch_irq_save();
	if (err < 0)
		frame->pc = entry->fixup;
	return true;
}

void trap_kernel(struct trapframe *frame)
{
	bool overflow = frame->x[REG_SP] != (u64)frame + KERNEL_FRAME_BYTES;

	if (frame->cause & CAUSE_INTERRUPT && !overflow)
		trap_interrupt(frame, this_hart()->in_idle);
	else if (overflow || !trap_user_copy(frame))
		upcall_kernel_exception(frame, overflow);
}

static bool in_user_half(uaddr_t ua, size_t size_bytes)
{
	return size_bytes <= USER_END && ua <= USER_END - size_bytes;
}

int copy_to_user(uaddr_t dst, const void *src, size_t size_bytes)
{
	if (!in_user_half(dst, size_bytes))
		return -EFAULT;
	return user_copy((void *)dst, src, size_bytes);
}

int copy_from_user(void *dst, uaddr_t src, size_t size_bytes)
{
	if (!in_user_half(src, size_bytes))
		return -EFAULT;
	return user_copy(dst, (const void *)src, size_bytes);
}

int clear_user(uaddr_t dst, size_t size_bytes)
{
	if (!in_user_half(dst, size_bytes))
		return -EFAULT;
	return user_clear((void *)dst, size_bytes);
}

ssize_t strncpy_from_user(char *dst, uaddr_t src, size_t size_bytes)
{
	if (src >= USER_END)
		return -EFAULT;
	size_t room = MIN(size_bytes, USER_END - src);
	ssize_t length = user_string(dst, (const char *)src, room);
	if (length == -ENAMETOOLONG && room < size_bytes)
		return -EFAULT;
	return length;
}
