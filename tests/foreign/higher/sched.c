/* SPDX-License-Identifier: MIT */
/*
 * Tasks: threads of the kernel, each with a stack of two pages and perhaps an address space; one ready list for all harts.
 *
 *     READY -> RUNNING -> READY | WAITING | DEAD
 *
 * sched_lock guards states and lists and is held across context_switch(): taken by the side that leaves, released by the
 * side that comes. A DEAD task is freed by task_join(), when nobody stands on its stack any more.
 *
 * SCHED-1  a task is in `ready` iff READY, in a waiters' list iff WAITING, in all_tasks until it is joined.
 */
#include "kernel.h"

struct hart harts[MAX_HARTS];
struct list all_tasks;

static struct lock sched_lock;
static struct list ready;
static struct waiters ended;
static struct cache tasks;
static u32 next_id = 1;

/* The number of the hart is in tp. */
struct hart *this_hart(void)
{
	u64 hart;

	asm volatile("mv %0, tp" : "=r"(hart));
	return &harts[hart];
}

struct task *this_task(void)
{
	bool on = csr_read(sstatus) & SSTATUS_SIE;
	struct task *task;

	csr_clear(sstatus, SSTATUS_SIE);
	task = this_hart()->task;
	if (on)
		csr_set(sstatus, SSTATUS_SIE);
	return task;
}

void sched_init(void)
{
	list_init(&all_tasks);
	list_init(&ready);
	waiters_init(&ended);
	cache_init(&tasks, "task", sizeof(struct task));
}

/* To the idle loop of this hart. sched_lock is held, and the only lock. */
static void leave_locked(void)
{
	bool on = this_hart()->interrupts_were_on;
	struct task *task = this_hart()->task;

	if (this_hart()->depth != 1)
		panic("a task leaves with locks held");
	context_switch(&task->context, &this_hart()->idle);
	this_hart()->interrupts_were_on = on;
}

static void make_ready_locked(struct task *task)
{
	task->state = TASK_READY;
	list_add_tail(&ready, &task->queue);
}

static void task_end(void)
{
	lock_acquire(&sched_lock);
	this_hart()->task->state = TASK_DEAD;
	while (!list_empty(&ended.tasks)) {
		struct task *task = container_of(ended.tasks.next, struct task, queue);

		list_del(&task->queue);
		make_ready_locked(task);
	}
	leave_locked();
	panic("a dead task ran");
}

/* Where a new task comes from an idle loop for the first time. */
void task_begin(void)
{
	struct task *task = this_hart()->task;

	this_hart()->interrupts_were_on = true;
	lock_release(&sched_lock);
	task->function(task->argument);
	task_end();
}

struct task *task_start(void (*function)(void *), void *argument, struct space *space)
{
	struct task *task = object_alloc(&tasks);

	if (!task)
		return NULL;
	task->stack = page_alloc(STACK_ORDER);
	if (!task->stack) {
		object_free(&tasks, task);
		return NULL;
	}
	task->function = function;
	task->argument = argument;
	task->space = space;
	task->context.ra = (u64)task_entry;
	task->context.sp = (u64)page_va(task->stack) + (PAGE_SIZE << STACK_ORDER);
	lock_acquire(&sched_lock);
	task->id = next_id++;
	list_add(&all_tasks, &task->all);
	make_ready_locked(task);
	lock_release(&sched_lock);
	return task;
}

void task_join(struct task *task)
{
	lock_acquire(&sched_lock);
	while (task->state != TASK_DEAD) {
		struct task *self = this_hart()->task;

		self->state = TASK_WAITING;
		list_add_tail(&ended.tasks, &self->queue);
		leave_locked();
	}
	list_del(&task->all);
	lock_release(&sched_lock);
	if (MISTAKEN(stack_stays)) {
		truth("leak", page_pa(task->stack));
		truth("leak", page_pa(task->stack + 1));
	} else {
		page_put(task->stack);
	}
	object_free(&tasks, task);
}

void task_yield(void)
{
	lock_acquire(&sched_lock);
	make_ready_locked(this_hart()->task);
	leave_locked();
	lock_release(&sched_lock);
}

void waiters_init(struct waiters *waiters)
{
	list_init(&waiters->tasks);
}

/* Waits for wake(); the lock is released meanwhile, and held again afterwards. */
void wait_for(struct waiters *waiters, struct lock *lock)
{
	struct task *self = this_task();

	lock_acquire(&sched_lock);
	self->state = TASK_WAITING;
	list_add_tail(&waiters->tasks, &self->queue);
	lock_release(lock);
	leave_locked();
	lock_release(&sched_lock);
	lock_acquire(lock);
}

/* All that wait there. */
void wake(struct waiters *waiters)
{
	lock_acquire(&sched_lock);
	while (!list_empty(&waiters->tasks)) {
		struct task *task = container_of(waiters->tasks.next, struct task, queue);

		list_del(&task->queue);
		make_ready_locked(task);
	}
	lock_release(&sched_lock);
}

static void run(struct hart *hart, struct task *task)
{
	list_del(&task->queue);
	task->state = TASK_RUNNING;
	hart->task = task;
	if (task->space)
		table_use(task->space->root);
	context_switch(&hart->idle, &task->context);
	if (task->space)
		table_use(kernel_root);
	hart->task = NULL;
}

void sched_loop(void)
{
	struct hart *hart = this_hart();

	for (;;) {
		bool idle;

		lock_acquire(&sched_lock);
		idle = list_empty(&ready);
		if (!idle)
			run(hart, container_of(ready.next, struct task, queue));
		hart->interrupts_were_on = true;
		lock_release(&sched_lock);
		if (idle) {
			machine_idle();
			asm volatile("wfi");
		}
	}
}
