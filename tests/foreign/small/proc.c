/* SPDX-License-Identifier: MIT */
/*
 * Processes: a table of NPROC, each with a kernel stack, a trapframe and a page table; and a scheduler on each hart.
 *
 *     UNUSED -> USED -> RUNNABLE <-> RUNNING -> ZOMBIE -> UNUSED
 *                           ^           |
 *                           +- SLEEPING <
 *
 * One lock, ptable_lock, guards states and parents. It is held across swtch(): taken by the thread that leaves, released
 * by the thread that comes. So nobody sees a process as RUNNABLE, or reaps it, before it has left its stack.
 *
 * PROC-1  a ZOMBIE's memory is freed by whoever waits for it, in freeproc().
 * PROC-2  init (the first process) never ends; orphans become its children.
 */
#include "kernel.h"

struct cpu cpus[NCPU];
struct proc proc[NPROC];
struct spinlock ptable_lock;

static struct proc *initproc;
static int nextpid = 1;

extern char trampoline[];

struct cpu *mycpu(void)
{
	return &cpus[cpuid()];
}

struct proc *myproc(void)
{
	struct proc *p;

	push_off();
	p = mycpu()->proc;
	pop_off();
	return p;
}

void procinit(void)
{
	initlock(&ptable_lock, "ptable");
	for (u64 slot = 0; slot < NPROC; slot++)
		proc[slot].kstack = KSTACK(slot);
}

/* Where a new process comes from the scheduler for the first time. */
static void forkret(void)
{
	release(&ptable_lock);
	usertrapret();
}

pagetable_t proc_pagetable(struct proc *p)
{
	pagetable_t table = uvmcreate();

	if (!table)
		return NULL;
	if (mappages(table, TRAMPOLINE, PGSIZE, (u64)trampoline, PTE_R | PTE_X) < 0 ||
	    mappages(table, TRAPFRAME, PGSIZE, (u64)p->trapframe, PTE_R | PTE_W) < 0) {
		proc_freepagetable(table, 0);
		return NULL;
	}
	return table;
}

void proc_freepagetable(pagetable_t table, u64 size)
{
	uvmunmap(table, TRAMPOLINE, 1, 0);
	uvmunmap(table, TRAPFRAME, 1, 0);
	uvmunmap(table, 0, PGROUNDUP(size) / PGSIZE, 1);
	freewalk(table, 2);
}

/* Gives back what a process has, also one that is half made. Its slot stays USED or ZOMBIE. */
static void freeproc(struct proc *p)
{
	if (p->pagetable) {
		mmap_drop(p);
		proc_freepagetable(p->pagetable, p->sz);
	}
	if (p->trapframe && MISTAKEN(trapframe_stays))
		truth("leak", p->trapframe);
	else if (p->trapframe)
		kfree(p->trapframe);
	kpt_destroy(p);
	p->pagetable = NULL;
	p->trapframe = NULL;
	p->sz = 0;
	p->name[0] = 0;
}

static void set_state(struct proc *p, enum procstate state)
{
	acquire(&ptable_lock);
	p->state = state;
	release(&ptable_lock);
}

/* A USED process with all but its memory, or NULL. */
static struct proc *allocproc(void)
{
	struct proc *found = NULL;

	acquire(&ptable_lock);
	for (struct proc *p = proc; p < proc + NPROC && !found; p++)
		if (p->state == UNUSED)
			found = p;
	if (found) {
		found->state = USED;
		found->pid = nextpid++;
		found->killed = 0;
		found->chan = NULL;
		found->parent = NULL;
	}
	release(&ptable_lock);
	if (!found)
		return NULL;
	found->trapframe = kalloc();
	if (found->trapframe)
		found->pagetable = proc_pagetable(found);
	if (!found->pagetable || kpt_create(found) < 0) {
		freeproc(found);
		set_state(found, UNUSED);
		return NULL;
	}
	memset(found->trapframe, 0, PGSIZE);
	memset(&found->context, 0, sizeof(found->context));
	found->context.ra = (u64)forkret;
	found->context.sp = found->kstack + PGSIZE;
	return found;
}

/* The first process: an exec() by the boot, which is taken for this process as long as that lasts. */
void userinit(void)
{
	struct proc *p = allocproc();
	struct file *console = file_alloc();

	if (!p || !console)
		panic("userinit");
	initproc = p;
	console->type = FD_CONSOLE;
	console->writable = 1;
	p->ofile[0] = console;
	p->ofile[1] = file_dup(console);
	mycpu()->proc = p;
	if (exec("init", "") < 0)
		panic("userinit: exec");
	mycpu()->proc = NULL;
	set_state(p, RUNNABLE);
}

int growproc(int bytes)
{
	struct proc *p = myproc();
	u64 size = p->sz;

	if (bytes > 0 &&
	    (size + (u64)bytes > MMAP_BASE || !(size = uvmalloc(p->pagetable, size, size + (u64)bytes))))
		return -1;
	if (bytes < 0) {
		if ((u64) - (long)bytes > size)
			return -1;
		size = uvmdealloc(p->pagetable, size, size - (u64) - (long)bytes);
	}
	p->sz = size;
	return 0;
}

int fork(void)
{
	struct proc *p = myproc(), *child = allocproc();
	int pid;

	if (!child)
		return -1;
	if (uvmcopy(p->pagetable, child->pagetable, 0, p->sz) < 0 ||
	    (child->sz = p->sz, mmap_copy(p, child) < 0)) {
		freeproc(child);
		set_state(child, UNUSED);
		return -1;
	}
	memmove(child->trapframe, p->trapframe, sizeof(*p->trapframe));
	child->trapframe->regs[REG_A0] = 0;
	for (int fd = 0; fd < NOFILE; fd++)
		child->ofile[fd] = p->ofile[fd] ? file_dup(p->ofile[fd]) : NULL;
	copy_name(child->name, p->name, sizeof(child->name));
	pid = child->pid;
	acquire(&ptable_lock);
	child->parent = p;
	child->state = RUNNABLE;
	release(&ptable_lock);
	return pid;
}

static void wakeup_locked(void *chan)
{
	for (struct proc *p = proc; p < proc + NPROC; p++)
		if (p->state == SLEEPING && p->chan == chan)
			p->state = RUNNABLE;
}

void wakeup(void *chan)
{
	acquire(&ptable_lock);
	wakeup_locked(chan);
	release(&ptable_lock);
}

/* Leaves the processor. ptable_lock is the only lock held, the state says why. */
static void sched(void)
{
	int intena = mycpu()->intena;
	struct proc *p = mycpu()->proc;

	if (!holding(&ptable_lock) || mycpu()->noff != 1 || p->state == RUNNING)
		panic("sched");
	swtch(&p->context, &mycpu()->context);
	mycpu()->intena = intena;
}

void exit(int status)
{
	struct proc *p = myproc();

	if (p == initproc)
		panic("init ended");
	for (int fd = 0; fd < NOFILE; fd++)
		if (p->ofile[fd])
			file_close(p->ofile[fd]);
	memset(p->ofile, 0, sizeof(p->ofile));
	acquire(&ptable_lock);
	for (struct proc *child = proc; child < proc + NPROC; child++)
		if (child->parent == p)
			child->parent = initproc;
	wakeup_locked(initproc);
	wakeup_locked(p->parent);
	p->xstate = status;
	p->state = ZOMBIE;
	sched();
	panic("a zombie ran");
}

/* The pid of a child that ended, its status at status_va unless that is 0; -1 without children. */
int wait(u64 status_va)
{
	struct proc *p = myproc();

	for (;;) {
		struct proc *dead = NULL;
		int children = 0, pid, status;

		acquire(&ptable_lock);
		for (struct proc *child = proc; child < proc + NPROC && !dead; child++) {
			if (child->parent != p)
				continue;
			children = 1;
			if (child->state == ZOMBIE)
				dead = child;
		}
		if (!dead && (!children || p->killed)) {
			release(&ptable_lock);
			return -1;
		}
		if (!dead) {
			p->chan = p;
			p->state = SLEEPING;
			sched();
			release(&ptable_lock);
			continue;
		}
		dead->parent = NULL; /* ours alone from now on */
		release(&ptable_lock);
		pid = dead->pid;
		status = dead->xstate;
		freeproc(dead);
		set_state(dead, UNUSED);
		return status_va && copyout(status_va, &status, sizeof(status)) < 0 ? -1 : pid;
	}
}

int kill(int pid)
{
	int found = -1;

	acquire(&ptable_lock);
	for (struct proc *p = proc; p < proc + NPROC; p++) {
		if (p->pid != pid || p->state == UNUSED || p->state == ZOMBIE)
			continue;
		p->killed = 1;
		if (p->state == SLEEPING)
			p->state = RUNNABLE;
		found = 0;
	}
	release(&ptable_lock);
	return found;
}

int killed(struct proc *p)
{
	return __atomic_load_n(&p->killed, __ATOMIC_RELAXED);
}

int processes(void)
{
	int n = 0;

	acquire(&ptable_lock);
	for (struct proc *p = proc; p < proc + NPROC; p++)
		n += p->state != UNUSED;
	release(&ptable_lock);
	return n;
}

void yield(void)
{
	acquire(&ptable_lock);
	mycpu()->proc->state = RUNNABLE;
	sched();
	release(&ptable_lock);
}

/* Sleeps until wakeup(chan); the lock is released meanwhile, and held again afterwards. */
void sleep(void *chan, struct spinlock *lock)
{
	struct proc *p = myproc();

	acquire(&ptable_lock);
	release(lock);
	p->chan = chan;
	p->state = SLEEPING;
	sched();
	p->chan = NULL;
	release(&ptable_lock);
	acquire(lock);
}

/* What stop_when_idle() was told, and what it sleeps on. */
static struct {
	int wanted, status;
} stop;

/* Sleeps for good; the machine is powered off when all other processes sleep, too. */
void stop_when_idle(int status)
{
	acquire(&ptable_lock);
	stop.status = status;
	stop.wanted = 1;
	for (;;) {
		myproc()->chan = &stop;
		myproc()->state = SLEEPING;
		sched();
	}
}

static int all_sleep(void)
{
	for (struct proc *p = proc; p < proc + NPROC; p++)
		if (p->state == RUNNABLE || p->state == RUNNING)
			return 0;
	return 1;
}

static void run(struct cpu *cpu, struct proc *p)
{
	p->state = RUNNING;
	cpu->proc = p;
#if KPT
	kvm_use(p->KPT_NAME);
#endif
	swtch(&cpu->context, &p->context);
#if KPT
	kvm_use(kernel_pagetable);
#endif
	cpu->proc = NULL;
}

void scheduler(void)
{
	struct cpu *cpu = mycpu();
	u32 next = 0;

	for (;;) {
		int ran = 0;

		intr_on();
		acquire(&ptable_lock);
		for (u32 i = 0; i < NPROC && !ran; i++) {
			struct proc *p = &proc[(next + i) % NPROC];

			if (p->state != RUNNABLE)
				continue;
			next = (u32)(p - proc) + 1;
			run(cpu, p);
			ran = 1;
		}
		if (stop.wanted && all_sleep()) {
			printf("power off, status %d, %lu pages free\n", stop.status, kfreepages());
			poweroff(stop.status);
		}
		release(&ptable_lock);
		if (!ran)
			asm volatile("wfi");
	}
}
