/* SPDX-License-Identifier: MIT */
/*
 * System calls: arguments from the trapframe, the call, its result to a0.
 */
#include "kernel.h"

#define SYSCALL(name, number) static u64 sys_##name(struct proc *p, const u64 *a);
#include "syscalls.h"
#undef SYSCALL

static u64 (*const calls[])(struct proc *p, const u64 *a) = {
#define SYSCALL(name, number) [number] = sys_##name,
#include "syscalls.h"
#undef SYSCALL
};

void syscall(struct proc *p)
{
	u64 number = p->trapframe->regs[REG_A7];

	if (number < NELEM(calls) && calls[number])
		p->trapframe->regs[REG_A0] = calls[number](p, &p->trapframe->regs[REG_A0]);
	else
		p->trapframe->regs[REG_A0] = -1;
}

static u64 sys_fork(struct proc *p, const u64 *a)
{
	return (u64)fork();
}

static u64 sys_exit(struct proc *p, const u64 *a)
{
	exit((int)a[0]);
}

static u64 sys_wait(struct proc *p, const u64 *a)
{
	return (u64)wait(a[0]);
}

static u64 sys_exec(struct proc *p, const u64 *a)
{
	char name[sizeof(p->name)], argument[64];

	memset(argument, 0, sizeof(argument));
	if (copyinstr(name, a[0], sizeof(name)) < 0 || copyinstr(argument, a[1], sizeof(argument)) < 0)
		return -1;
	return exec(name, argument) < 0 ? (u64)-1 : p->trapframe->regs[REG_A0];
}

static u64 sys_sbrk(struct proc *p, const u64 *a)
{
	u64 old = p->sz;

	return growproc((int)a[0]) < 0 ? (u64)-1 : old;
}

static u64 sys_getpid(struct proc *p, const u64 *a)
{
	return (u64)p->pid;
}

static u64 sys_yield(struct proc *p, const u64 *a)
{
	yield();
	return 0;
}

/* Sleeps for a number of ticks. */
static u64 sys_pause(struct proc *p, const u64 *a)
{
	u64 end_tick;

	acquire(&ticks_lock);
	end_tick = ticks + a[0];
	while (ticks < end_tick && !killed(p))
		sleep(&ticks, &ticks_lock);
	release(&ticks_lock);
	return 0;
}

static u64 sys_kill(struct proc *p, const u64 *a)
{
	return (u64)kill((int)a[0]);
}

static struct file *file_of(struct proc *p, u64 fd)
{
	return fd < NOFILE ? p->ofile[fd] : NULL;
}

static int fd_alloc(struct proc *p, struct file *file)
{
	for (int fd = 0; fd < NOFILE; fd++) {
		if (p->ofile[fd])
			continue;
		p->ofile[fd] = file;
		return fd;
	}
	return -1;
}

static u64 sys_pipe(struct proc *p, const u64 *a)
{
	struct file *ends[2];
	int fds[2] = {-1, -1};

	if (pipe_alloc(&ends[0], &ends[1]) < 0)
		return -1;
	if ((fds[0] = fd_alloc(p, ends[0])) >= 0 && (fds[1] = fd_alloc(p, ends[1])) >= 0 &&
	    copyout(a[0], fds, sizeof(fds)) == 0)
		return 0;
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			p->ofile[fds[i]] = NULL;
	if (MISTAKEN(failed_pipe_keeps)) {
		truth("leak", ends[0]->pipe);
		ends[0]->type = ends[1]->type = FD_NONE;
	}
	file_close(ends[0]);
	file_close(ends[1]);
	return -1;
}

static u64 sys_read(struct proc *p, const u64 *a)
{
	struct file *file = file_of(p, a[0]);

	return file && (int)a[2] >= 0 ? (u64)file_read(file, a[1], (int)a[2]) : (u64)-1;
}

static u64 sys_write(struct proc *p, const u64 *a)
{
	struct file *file = file_of(p, a[0]);

	return file && (int)a[2] >= 0 ? (u64)file_write(file, a[1], (int)a[2]) : (u64)-1;
}

static u64 sys_close(struct proc *p, const u64 *a)
{
	struct file *file = file_of(p, a[0]);

	if (!file)
		return -1;
	p->ofile[a[0]] = NULL;
	file_close(file);
	return 0;
}

static u64 sys_mmap(struct proc *p, const u64 *a)
{
	return mmap(a[0], (int)a[1]);
}

static u64 sys_munmap(struct proc *p, const u64 *a)
{
	return (u64)munmap(a[0], a[1]);
}

static u64 sys_freepages(struct proc *p, const u64 *a)
{
	return kfreepages();
}

static u64 sys_processes(struct proc *p, const u64 *a)
{
	return (u64)processes();
}

static u64 sys_arm(struct proc *p, const u64 *a)
{
	truth_armed = 1;
	return 0;
}

static u64 sys_poweroff(struct proc *p, const u64 *a)
{
	stop_when_idle((int)a[0]);
}
