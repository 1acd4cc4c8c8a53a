/* SPDX-License-Identifier: MIT */
/*
 * What the files of the kernel offer each other. One screen per file, in the order in which they rest on each other.
 *
 * Locks, outermost first: pipe, ptable, a free list, a count, console. None is held while user memory is touched.
 */
#pragma once

#include "config.h"
#include "memlayout.h"
#include "riscv.h"

struct proc;

/* ---- spinlock.c ---- */

struct spinlock {
	u32 locked;
	const char *name;
	struct cpu *cpu; /* who holds it */
};

void initlock(struct spinlock *lock, const char *name);
void acquire(struct spinlock *lock);
void release(struct spinlock *lock);
int holding(struct spinlock *lock);
void push_off(void); /* interrupts off, until as many pop_off() */
void pop_off(void);

/* ---- console.c ---- */

void console_init(void);
void console_interrupt(void);
void console_write(const char *bytes, u64 size);
int console_read(u64 va, int size); /* sleeps for a line; bytes read, or -1 */
void printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void panic(const char *why) __attribute__((noreturn));
void poweroff(int status) __attribute__((noreturn));

/* ---- string.c ---- */

void *memset(void *to, int value, u64 size);
void *memmove(void *to, const void *from, u64 size);
int strncmp(const char *a, const char *b, u64 size);
void copy_name(char *to, const char *from, u64 size);

/* ---- truth.c ---- */

extern int truth_armed;

void truth_of(const char *what, const void *page, const char *function);
#define truth(what, page) truth_of(what, (const void *)(page), __func__)

/* ---- kalloc.c ---- */

void kinit(void);
void *kalloc(void); /* a page with junk in it, or NULL */
void kfree(void *page);
void kput(void *page); /* the owner's way to give up a user page; counted where pages are shared */
u64 kfreepages(void);
extern char end[]; /* first address behind the kernel */

/* ---- vm.c ---- */

extern pagetable_t kernel_pagetable;

void kvminit(void);
void kvminithart(void);
void kvm_use(pagetable_t table);
pte_t *walk(pagetable_t table, u64 va, int alloc);
u64 walkaddr(pagetable_t table, u64 va);
int mappages(pagetable_t table, u64 va, u64 size, u64 pa, u64 flags);
void freewalk(pagetable_t table, int level);
pagetable_t uvmcreate(void);
void uvmunmap(pagetable_t table, u64 va, u64 npages, int do_free);
u64 uvmalloc(pagetable_t table, u64 old_size, u64 new_size);
u64 uvmdealloc(pagetable_t table, u64 old_size, u64 new_size);
int uvmcopy(pagetable_t from, pagetable_t to, u64 start, u64 stop);
int cow_fault(pagetable_t table, u64 va);

/* ---- kpt.c ---- */

int kpt_create(struct proc *p);
void kpt_destroy(struct proc *p);

/* ---- mmap.c ---- */

struct vma {
	u64 start; /* 0: slot not used */
	u64 size;
	u64 flags; /* of the entries */
};

u64 mmap(u64 size, int writable);
int munmap(u64 va, u64 size);
int mmap_fault(struct proc *p, u64 va, int write);
int mmap_copy(struct proc *from, struct proc *to);
void mmap_drop(struct proc *p);

/* ---- fault.c ---- */

int vm_fault(struct proc *p, u64 va, int write);
int copyout(u64 va, const void *from, u64 size);
int copyin(void *to, u64 va, u64 size);
int copyinstr(char *to, u64 va, u64 size);

/* ---- file.c, pipe.c ---- */

struct pipe;

struct file {
	enum { FD_NONE, FD_CONSOLE, FD_PIPE } type;
	int ref;
	int writable;
	struct pipe *pipe;
};

struct file *file_alloc(void);
struct file *file_dup(struct file *file);
void file_close(struct file *file);
int file_read(struct file *file, u64 va, int size);
int file_write(struct file *file, u64 va, int size);
int pipe_alloc(struct file **reader, struct file **writer);
void pipe_close(struct pipe *pipe, int writable);
int pipe_read(struct pipe *pipe, u64 va, int size);
int pipe_write(struct pipe *pipe, u64 va, int size);

/* ---- proc.c ---- */

struct context {
	u64 ra, sp, s[12];
};

struct trapframe {
	u64 kernel_satp, kernel_sp, kernel_trap, kernel_hart;
	u64 epc;
	u64 regs[32];
};

#define REG_SP 2
#define REG_A0 10
#define REG_A1 11
#define REG_A7 17

enum procstate { UNUSED, USED, SLEEPING, RUNNABLE, RUNNING, ZOMBIE };

struct proc {
	/* guarded by ptable_lock */
	enum procstate state;
	void *chan; /* what it sleeps for */
	int killed;
	int xstate;
	int pid;
	struct proc *parent;

	/* private to the process */
	u64 kstack; /* lowest address */
	u64 sz;
	pagetable_t pagetable;
#if KPT
	pagetable_t KPT_NAME;
#endif
	struct trapframe *trapframe;
	struct context context;
	struct file *ofile[NOFILE];
	struct vma vma[NVMA];
	char name[16];
};

struct cpu {
	struct proc *proc;
	struct context context; /* of the scheduler */
	int noff;               /* depth of push_off() */
	int intena;             /* interrupts were on before the first */
};

extern struct cpu cpus[NCPU];
extern struct proc proc[NPROC];
extern struct spinlock ptable_lock;

void procinit(void);
void userinit(void);
void stop_when_idle(int status) __attribute__((noreturn));
void scheduler(void) __attribute__((noreturn));
struct cpu *mycpu(void); /* interrupts off */
struct proc *myproc(void);
pagetable_t proc_pagetable(struct proc *p);
void proc_freepagetable(pagetable_t table, u64 size);
int growproc(int bytes);
int fork(void);
void exit(int status) __attribute__((noreturn));
int wait(u64 status_va);
int kill(int pid);
int killed(struct proc *p);
int processes(void); /* slots in use; a slot is given back after all of its pages */
void yield(void);
void sleep(void *chan, struct spinlock *lock);
void wakeup(void *chan);
void swtch(struct context *from, struct context *to);

/* ---- exec.c ---- */

int exec(const char *name, const char *argument);

/* ---- trap.c, syscall.c ---- */

extern u64 ticks;
extern struct spinlock ticks_lock;

void trapinithart(void);
void usertrapret(void);
void syscall(struct proc *p);
