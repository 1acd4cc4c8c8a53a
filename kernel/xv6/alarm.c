/* SPDX-License-Identifier: MIT */
/*
 * What a process keeps for the calls of xv6 programs that work behind the program's back: an alarm that interrupts it,
 * and a page that tells its pid without a call. The calls themselves are in calls.c.
 *
 * Alarm: when the process has used up its ticks in user mode, it returns from the kernel into its handler. The
 * registers of the interrupted code wait on the user's own stack, so the kernel needs no memory for them; what the
 * program makes of them there can hurt only itself, since sigreturn takes from them nothing but user registers and pc.
 * While a handler runs no other begins.
 *
 * Pid page: made on the first touch, read-only, and dropped from a forked child's address space, whose first touch
 * makes another.
 */
#include "xv6_priv.h"

#define TICK_MS 100U     /* of that system */
#define USER_TICK_MS 10U /* of task->user_ticks */

static void alarm_off(struct proc *proc)
{
	xv6_state_of(proc)->alarm_ticks = 0;
	proc->before_return = NULL;
}

void xv6_forked(struct proc *child, struct mm *mm)
{
	alarm_off(child);
	mm_unmap(mm, XV6_USYSCALL, XV6_USYSCALL + PAGE_SIZE); /* one VMA, whole: needs no memory */
}

void xv6_entered(struct proc *proc)
{
	alarm_off(proc);
	xv6_state_of(proc)->alarm_frame = 0;
}

/* ---- alarm ---- */

static void alarm_restart(struct proc *proc)
{
	struct xv6_state *state = xv6_state_of(proc);

	state->alarm_due = proc->task->user_ticks + state->alarm_ticks * (TICK_MS / USER_TICK_MS);
}

static void ring_alarm(struct trapframe *frame)
{
	struct proc *proc = current_proc();
	struct xv6_state *state = xv6_state_of(proc);
	uaddr_t saved = (frame->x[REG_SP] - sizeof(*frame)) & ~15UL;

	if (proc->task->user_ticks < state->alarm_due || state->alarm_frame)
		return;
	proc->task->in_user = false; /* until it is back there: the copy may take a page */
	if (copy_to_user(saved, frame, sizeof(*frame)))
		proc_die("no room on the stack for an alarm", saved);
	state->alarm_frame = saved;
	frame->x[REG_SP] = saved;
	frame->pc = state->alarm_handler;
}

int xv6_set_alarm(u64 ticks, uaddr_t handler)
{
	struct proc *proc = current_proc();
	struct xv6_state *state = xv6_state_of(proc);

	if (ticks > UINT32_MAX)
		return -EINVAL;
	state->alarm_ticks = ticks;
	state->alarm_handler = handler;
	proc->before_return = ticks ? ring_alarm : NULL;
	alarm_restart(proc);
	return 0;
}

s64 xv6_end_alarm(void)
{
	struct proc *proc = current_proc();
	struct xv6_state *state = xv6_state_of(proc);
	struct trapframe *frame = proc->task->frame, saved;

	if (!state->alarm_frame)
		return -EINVAL;
	if (copy_from_user(&saved, state->alarm_frame, sizeof(saved)))
		return -EFAULT;
	memcpy(frame->x, saved.x, sizeof(frame->x));
	frame->pc = saved.pc;
	state->alarm_frame = 0;
	alarm_restart(proc);
	return (s64)frame->x[REG_A0]; /* a0 is what a call returns: it must return what was there */
}

/* ---- pid page ---- */

static int map_pid_page(struct task *task)
{
	struct mm *mm = task->mm;
	pte_t *pte;
	int err = mm_map(mm, XV6_USYSCALL, XV6_USYSCALL + PAGE_SIZE, VMA_READ, NULL, NULL, 0);

	if (!err)
		err = mm_fault(mm, XV6_USYSCALL, false, false);
	if (err)
		return err;
	pte = pt_walk(mm->root, XV6_USYSCALL, mm->id, false);
	*(s32 *)pa_to_va(PTE_PA(*pte)) = task->pid;
	return 0;
}

int xv6_user_fault(struct task *task, uaddr_t ua, bool write, bool exec)
{
	return write || exec || PAGE_ALIGN_DOWN(ua) != XV6_USYSCALL ? -EFAULT : map_pid_page(task);
}
