/* SPDX-License-Identifier: MIT */
/*
 * The end of the kernel: panic, and what is left behind for the host.
 *
 *   1. the first hart to panic wins; a second one saves its state and halts, the same one again ends the
 *      machine;
 *   2. the others are told to halt, and save their registers where they stand; one that spins with
 *      interrupts off does not answer, and is left out after a while;
 *   3. the message, what it is about and every hart's stack go to the console, without locks;
 *   4. trace_desc.panic_pa points to panic_info, the event is recorded, the machine ends with status 101.
 *
 * Nothing here allocates or takes a lock, and whatever it reads may be broken: stacks are only walked
 * within their bounds, and only where one can be.
 */
#include "boot_priv.h"
#include <kernel/arch.h>
#include <kernel/lib.h>
#include <kernel/page.h>
#include <kernel/sched.h>
#include <kernel/trace.h>

#define PANIC_STATUS 101
#define HALT_PATIENCE (TIME_HZ / 5)

struct panic_info panic_info;

static u32 panicking; /* hart index + 1 of the one that does; 0: nobody */

/* A stack that this hart may have been on, so that memory is there: the one it is on, its task's, or one of the image. */
static bool stack_known(u64 low, const struct task *task)
{
	u64 own = ((u64)__builtin_frame_address(0) - 1) & ~(ARCH_STACK_BYTES - 1);
	paddr_t pa = low - PHYS_OFFSET;

	return low == own || (task && low == (u64)task->kstack) ||
	       (pa >= machine.image_start && pa < machine.image_end);
}

/*
 * Keeps one hart's state. The stack that fp lies in bounds the walk; when that is not the one sp is in (the
 * overflow of a stack, seen from the emergency one), fp's is the one of interest.
 */
static void save_state(const struct trapframe *frame, u64 fp)
{
	u32 index = hart_index();
	typeof(panic_info.harts[0]) *state = &panic_info.harts[index];
	const struct task *task = this_hart()->current;
	u64 low = (fp - 16) & ~(ARCH_STACK_BYTES - 1);

	memcpy(state->x, frame->x, sizeof(state->x));
	state->pc = state->sepc = frame->pc;
	state->sstatus = frame->status;
	state->scause = frame->cause;
	state->stval = frame->tval;
	state->satp = csr_read(satp);
	state->pid = task ? task->pid : 0;
	state->nr_frames = arch_unwind_from(frame->pc, stack_known(low, task) ? fp : 0, low,
					    low + ARCH_STACK_BYTES, state->frames, ARRAY_SIZE(state->frames));
	__atomic_store_n(&state->valid, 1, __ATOMIC_RELEASE);
}

/* From user mode only the user's pc is known; the kernel has nothing on its stack. */
void upcall_halted(const struct trapframe *frame)
{
	save_state(frame, frame->status & SSTATUS_SPP ? frame->x[8] : 0);
}

static void halt_others(void)
{
	u64 begin = arch_time();
	u32 waiting;

	panic_info.nr_harts = nr_harts;
	arch_halt_others();
	do {
		arch_relax();
		waiting = 0;
		for (u32 i = 0; i < nr_harts; i++)
			waiting += i != hart_index() && harts[i].online &&
				   !__atomic_load_n(&panic_info.harts[i].valid, __ATOMIC_ACQUIRE);
	} while (waiting && arch_time() - begin < HALT_PATIENCE);
}

static void print_state(u32 index)
{
	const typeof(panic_info.harts[0]) *state = &panic_info.harts[index];

	if (!state->valid) {
		kprintf("hart %u does not answer\n", index);
		return;
	}
	kprintf("hart %u pid %lu pc %lx ra %lx sp %lx\n    stack:", index, state->pid, state->pc, state->x[1],
		state->x[2]);
	for (u32 i = 0; i < state->nr_frames; i++)
		kprintf(" %lx", state->frames[i] + PHYS_OFFSET);
	kprintf("\n");
}

static void print_registers(const struct trapframe *frame)
{
	static const char names[32][5] = {"zero", "ra", "sp",  "gp",  "tp", "t0", "t1", "t2",
					  "s0",   "s1", "a0",  "a1",  "a2", "a3", "a4", "a5",
					  "a6",   "a7", "s2",  "s3",  "s4", "s5", "s6", "s7",
					  "s8",   "s9", "s10", "s11", "t3", "t4", "t5", "t6"};

	for (u32 i = 1; i < 32; i++)
		kprintf("%4s %016lx%s", names[i], frame->x[i], i % 4 == 0 || i == 31 ? "\n" : " ");
	kprintf("cause %lx tval %lx status %lx\n", frame->cause, frame->tval, frame->status);
}

/* A struct page is told by its number and state: for whoever has nothing but the console. */
static void print_subject(u64 subject)
{
	const struct page *page = (const struct page *)subject;

	if (page >= pages && page < pages + nr_pages)
		kprintf("about page 0x%x: kind %s, order %u, count %d, pid %u, stack %u\n", page_to_pfn(page),
			page_kind_name(page->kind), page->order, page->count, page->pid, page->stack);
	else if (subject)
		kprintf("about 0x%lx\n", subject);
}

/* Into as many events as it takes: a record has room for 16 bytes. */
static void record_message(void)
{
	union trace_payload payload;
	u32 part = 0;

	if (!trace_on(TRACE_CATEGORY_panic)) /* it may not be there yet */
		return;
	do {
		memcpy(payload.bytes, panic_info.message + part * sizeof(payload), sizeof(payload));
		trace_record(EV_panic, (u8)part++, 0, false, &payload);
	} while (part * sizeof(payload) < strlen(panic_info.message));
}
STATIC_ASSERT(sizeof(panic_info.message) % sizeof(union trace_payload) == 0, "whole parts");

/* The one way to the end. frame: where it happened. */
static void __attribute__((noreturn)) finish(const struct trapframe *frame, bool registers)
{
	save_state(frame, frame->x[8]);
	halt_others();
	kprintf_unlocked = true;
	trace_desc.panic_pa = va_to_pa(&panic_info);
	kprintf("\npanic on hart %u: %s\n", hart_index(), panic_info.message);
	print_subject(panic_info.subject);
	if (registers)
		print_registers(frame);
	print_state(hart_index());
	for (u32 i = 0; i < nr_harts; i++)
		if (i != hart_index())
			print_state(i);
	record_message();
	arch_poweroff(PANIC_STATUS);
}

/* Returns only on the hart that may go on. */
static void claim_panic(const struct trapframe *frame)
{
	u32 nobody = 0;

	if (__atomic_compare_exchange_n(&panicking, &nobody, hart_index() + 1, false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST)) {
		panic_info.magic = PANIC_MAGIC;
		panic_info.hart = hart_index();
		return;
	}
	if (nobody == hart_index() + 1) /* a panic within the panic: whatever is broken, the end must work */
		arch_poweroff(PANIC_STATUS);
	save_state(frame, frame->x[8]);
	arch_halt_here();
}

static void __attribute__((noreturn)) panic_at_call(const void *subject, const char *fmt, va_list args)
{
	struct trapframe here = {0}; /* as if this had been a trap at the call */

	arch_irq_save();
	memcpy(here.x, this_hart()->panic_x, sizeof(here.x));
	here.x[0] = 0;
	/* The call itself: as panic does not return, another function may begin behind it. */
	here.pc = here.x[REG_RA] - 4;
	here.status = csr_read(sstatus);
	claim_panic(&here);
	panic_info.subject = (u64)subject;
	kvsnprintf(panic_info.message, sizeof(panic_info.message), fmt, args);
	finish(&here, false);
}

void upcall_panic(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	panic_at_call(NULL, fmt, args);
}

void upcall_panic_about(const void *subject, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	panic_at_call(subject, fmt, args);
}

static const char *cause_name(u64 cause)
{
	static const char *const names[] = {"misaligned fetch", "fetch access",    "illegal instruction",
					    "breakpoint",       "misaligned load", "load access",
					    "misaligned store", "store access",    "environment call",
					    "environment call", "trap 10",         "trap 11",
					    "fetch page fault", "load page fault", "trap 14",
					    "store page fault"};

	return cause < ARRAY_SIZE(names) ? names[cause] : "trap";
}

void upcall_kernel_exception(struct trapframe *frame, bool overflow)
{
	claim_panic(frame);
	if (overflow)
		ksnprintf(panic_info.message, sizeof(panic_info.message),
			  "kernel stack overflow: sp %lx, pc %lx", frame->x[REG_SP], frame->pc);
	else
		ksnprintf(panic_info.message, sizeof(panic_info.message), "%s at pc %lx, address %lx",
			  cause_name(frame->cause), frame->pc, frame->tval);
	finish(frame, true);
}

void upcall_poweroff(u32 status)
{
	__atomic_store_n(&trace_desc.exit_status, status + 1UL, __ATOMIC_RELEASE);
}
