/* SPDX-License-Identifier: MIT */
/*
 * Tasks: made, switched, woken, reaped. States and TASK-1..3 are in sched.h.
 *
 * A switch. The task that leaves takes its own lock, sets its new state and calls arch_switch with the lock
 * held; the code that runs next on this hart (sched_finish_switch) lets go of it. So
 *
 * SWITCH-1  a hart that holds task->lock and sees BLOCKED or DEAD knows that the task's registers are saved: a waker may
 *           queue it, the reaper may take its stack.
 * SWITCH-2  a task that yields is queued by sched_finish_switch, not before: no other hart can choose it while this one
 *           still stands on its stack.
 * SWITCH-3  a switch happens with exactly one spinlock held, which is handed over. The hart's nesting depth of irq_push is
 *           1 on both sides. Whether interrupts were on belongs to the task, so it is kept on the task's stack.
 * SWITCH-4  an idle hart runs on the kernel's own page table: an address space that another hart drops is never the active
 *           one here.
 *
 * The state of a task that was chosen becomes RUNNING without its lock (the leaving task's is held, and they
 * have one rank). That races only with wakers, which do nothing to RUNNABLE: the task is on its way to look
 * at its condition again.
 *
 * Locks: `task` of each task; task_list_lock around the list of all. Never one inside the other.
 */
#include "sched_priv.h"
#include <kernel/audit.h>
#include <kernel/errno.h>
#include <kernel/kstack.h>
#include <kernel/lib.h>
#include <kernel/slab.h>
#include <kernel/waitqueue.h>

struct list task_all = LIST_INIT(task_all);
struct spinlock task_list_lock = SPINLOCK_INIT_NAMED(task, "task list");
struct sched_hart sched_harts[NR_HARTS_MAX];

static struct task idle_tasks[NR_HARTS_MAX];
static struct kmem_cache *task_cache;
static u32 nr_tasks;

static bool sched_fail_hook(u32 order)
{
	struct task *task = current_task();

	if (LIKELY(!task || task->fail_nth <= 0) || --task->fail_nth > 0)
		return false;
	task->fail_nth = task->fail_next ? task->fail_next : -1;
	task->fail_next = 0;
	return true;
}

/* The page allocator asks us from the first time on: until then no allocation pays for it. */
void task_set_fail_nth(struct task *task, s64 nth, s64 next)
{
	page_set_fail_hook(sched_fail_hook);
	task->fail_next = next;
	task->fail_nth = nth;
}

static void task_init(struct task *task, const char *name)
{
	task->lock = (struct spinlock)SPINLOCK_INIT(task);
	str_copy(task->name, name, sizeof(task->name));
	list_init(&task->run_link);
	list_init(&task->all_link);
	list_init(&task->wait_link);
	list_init(&task->timer_link);
}

void sched_init_hart(void)
{
	struct hart *hart = this_hart();
	struct task *idle = &idle_tasks[hart->index];

	task_init(idle, "idle");
	idle->state = TASK_RUNNING;
	idle->on_hart = true;
	hart->idle = hart->current = idle;
	timer_hart_init(&sched_harts[hart->index]);
}

/* An auditor waits for the others to come to rest. Asleep, so that also this hart's other tasks run. */
static void sched_audit_wait(void)
{
	struct task *task = current_task();

	if (task == this_hart()->idle)
		arch_relax();
	else if (sched_sleep_until(arch_time() + TIME_HZ / 2000) < 0)
		sched_yield();
}

void sched_init(void)
{
	task_cache = kmem_cache_create("task", sizeof(struct task));
	audit_set_busy_hook(sched_nr_busy);
	mm_set_pause_hook(sched_checkpoint);
	audit_set_yield_hook(sched_audit_wait);
	sched_init_hart();
}

void task_trace(enum trace_event event, const struct task *task, u32 value)
{
	union trace_payload payload;

	if (!trace_on(TRACE_CATEGORY_TASK))
		return;
	payload.ev_payload_task_fork.pid = task->pid;
	payload.ev_payload_task_fork.mm = task->mm ? task->mm->id : 0;
	payload.ev_payload_task_fork.value = value;
	/* as one word: memcpy would cost as much as the record */
	STATIC_ASSERT(offsetof(union trace_payload, ev_payload_task_fork.name) == sizeof(payload.words[0]) &&
			  offsetof(struct task, name) % sizeof(payload.words[1]) == 0,
		      "the name is a word of both");
	payload.words[1] = *(const __attribute__((may_alias)) u64 *)task->name;
	trace_record(event, 0, 0, true, &payload);
}

/* ---- switching ---- */

/* The stack is free now: nobody stands on it. Interrupts on, as kstack_free asks other harts to forget it. */
static void task_reap(struct task *task)
{
	bool irqs_on = arch_irqs_on();

	arch_irq_enable();
	kstack_free(task->kstack, task->pid);
	task->kstack = NULL;
	task_trace(EV_task_reaped, task, 0);
	if (task->proc)
		upcall_task_reaped(task);
	else
		task_free(task);
	if (!irqs_on)
		arch_irq_save();
}

/* First thing of whoever runs after a switch. irqs_on: whether this task had interrupts on. */
static void sched_finish_switch(bool irqs_on)
{
	struct hart *hart = this_hart();
	struct task *prev = sched_harts[hart->index].switched_from;
	bool dead = prev->state == TASK_DEAD;

	prev->on_hart = false;
	if (prev->state == TASK_RUNNABLE)
		runqueue_put(prev);
	hart->irq_was_on = irqs_on;
	spin_unlock(&prev->lock);
	if (UNLIKELY(dead))
		task_reap(prev);
}

static void sched_switch(struct task *prev, struct task *next)
{
	struct hart *hart = this_hart();
	struct sched_hart *sched_hart = &sched_harts[hart->index];
	bool irqs_on = hart->irq_was_on;
	paddr_t root = next->mm ? page_to_pa(next->mm->root) : kernel_root_pa;

	if (hart->irq_off_depth != 1)
		panic_about(prev, "task %d %s leaves its hart with %u locks held", prev->pid, prev->name,
			    hart->irq_off_depth - 1);
	/* A process may have changed its table on another hart since this one last used it; and this hart may
	 * still know another stack where next's is now (KSTACK-2). */
	if (next != hart->idle || arch_active_root(hart->index) != root)
		arch_use_root(root);
	/* 0 for idle tasks: kstack_free takes it as a sign that somebody stands there. */
	hart->kernel_sp = next->kstack ? (u64)next->kstack + KSTACK_BYTES : 0;
	if (next != hart->idle)
		timer_busy(sched_hart);
	sched_hart->slice_over = false;
	sched_hart->switched_from = prev;
	next->state = TASK_RUNNING;
	next->on_hart = true;
	next->nr_switches++;
	hart->current = next;
	hart->pid = next->pid;
	arch_switch(&prev->context, &next->context);
	sched_finish_switch(irqs_on);
}

void sched_switch_away(struct task *prev)
{
	struct task *next = runqueue_take(false);

	sched_switch(prev, next ? next : this_hart()->idle);
}

void sched_idle_loop(void)
{
	struct hart *hart = this_hart();
	struct task *idle = hart->idle;

	for (;;) {
		struct task *next;

		arch_irq_save();
		next = runqueue_take(true);
		if (next) {
			spin_lock(&idle->lock);
			sched_switch(idle, next);
			continue;
		}
		/* A pending interrupt ends WFI also while interrupts are off: none can slip in before it. */
		hart->in_idle = true;
		arch_wfi();
		arch_irq_enable();
		arch_irq_save();
		hart->in_idle = false;
	}
}

bool sched_slice_over(void)
{
	return this_sched_hart()->slice_over;
}

void sched_yield(void)
{
	struct task *task = current_task();
	struct task *next;

	spin_lock(&task->lock);
	this_sched_hart()->slice_over = false;
	next = runqueue_take(false);
	if (next) {
		task->state = TASK_RUNNABLE;
		sched_switch(task, next);
	} else {
		spin_unlock(&task->lock);
	}
}

int sched_checkpoint(void)
{
	const struct hart *hart = this_hart();
	struct task *task = hart->current;

	if (!task || task == hart->idle || hart->irq_off_depth)
		return 0;
	if (UNLIKELY(sched_slice_over()))
		sched_yield();
	return task->killed ? -EINTR : 0;
}

void sched_pin(u32 hart)
{
	struct task *task = current_task();

	KASSERT(hart < nr_harts);
	task->pinned = (u16)(hart + 1);
	if (hart_index() == hart)
		return;
	spin_lock(&task->lock);
	task->state = TASK_RUNNABLE;
	sched_switch_away(task);
}

void sched_block(void)
{
	struct task *task = current_task();

	if (task == this_hart()->idle)
		panic("the idle task of hart %u blocks", hart_index());
	spin_lock(&task->lock);
	if (task->wake_pending) {
		task->wake_pending = false;
		spin_unlock(&task->lock);
		return;
	}
	task->state = TASK_BLOCKED;
	sched_switch_away(task);
}

void task_prepare_wait(struct task *task)
{
	spin_lock(&task->lock);
	task->wake_pending = false;
	spin_unlock(&task->lock);
}

void task_wake(struct task *task)
{
	spin_lock(&task->lock);
	if (task->state == TASK_BLOCKED) {
		task->state = TASK_RUNNABLE;
		runqueue_put(task);
	} else if (task->state == TASK_RUNNING) {
		task->wake_pending = true;
	}
	spin_unlock(&task->lock);
}

void task_kill(struct task *task)
{
	task->killed = true;
	task_wake(task);
}

/* The hart has left WFI; its idle loop looks at the run queue after this. */
void upcall_wake(void) {}

/* ---- birth and death ---- */

/* Where a new task's first switch arrives. */
static void __attribute__((noreturn, used)) task_first_run(void)
{
	struct task *task = current_task();

	sched_finish_switch(true);
	task->quiet = false;
	if (task->entry) {
		task->entry(task->entry_arg);
		task_exit();
	}
	upcall_return_to_user(task->frame);
	arch_return_to_user(task->frame);
}

/* A return address of 0 ends the stack for the unwinder. */
static void __attribute__((naked)) task_first_entry(void)
{
	__asm__ volatile("li ra, 0\n\tj task_first_run");
}

struct task *task_create_pid(u16 pid, const char *name, void (*entry)(void *arg), void *arg)
{
	struct task *task = kmem_cache_alloc(task_cache, HOLDER_NONE, 0);

	if (!task)
		return NULL;
	task_init(task, name);
	task->pid = pid ? pid : pid_alloc();
	if (!task->pid)
		goto no_pid;
	task->kstack = kstack_alloc(task->pid);
	if (!task->kstack)
		goto no_stack;
	task->frame = (struct trapframe *)((u64)task->kstack + KSTACK_BYTES) - 1;
	memset(task->frame, 0, sizeof(*task->frame));
	task->context.ra = (u64)task_first_entry;
	task->context.sp = (u64)task->frame;
	task->entry = entry;
	task->entry_arg = arg;
	task->state = TASK_NEW;
	task->quiet = true;

	spin_lock(&task_list_lock);
	list_push_back(&task_all, &task->all_link);
	nr_tasks++;
	spin_unlock(&task_list_lock);
	return task;

no_stack:
	pid_free(task->pid);
no_pid:
	kmem_cache_free(task_cache, task, HOLDER_NONE);
	return NULL;
}

struct task *task_create(const char *name, void (*entry)(void *arg), void *arg)
{
	return task_create_pid(0, name, entry, arg);
}

void task_discard(struct task *task)
{
	KASSERT(task->state == TASK_NEW);
	kstack_free(task->kstack, task->pid);
	task->kstack = NULL;
	task_free(task);
}

void task_free(struct task *task)
{
	KASSERT(!task->kstack && (task->state == TASK_DEAD || task->state == TASK_NEW));
	spin_lock(&task_list_lock);
	list_remove(&task->all_link);
	nr_tasks--;
	spin_unlock(&task_list_lock);
	pid_free(task->pid);
	kmem_cache_free(task_cache, task, HOLDER_NONE);
}

void task_start(struct task *task)
{
	spin_lock(&task->lock);
	KASSERT(task->state == TASK_NEW);
	task->state = TASK_RUNNABLE;
	runqueue_put(task);
	spin_unlock(&task->lock);
}

struct task *kthread_start(const char *name, void (*entry)(void *arg), void *arg)
{
	struct task *task = task_create(name, entry, arg);

	if (!task)
		panic("no memory for kernel thread %s", name);
	task_start(task);
	return task;
}

void task_set_mm(struct task *task, struct mm *mm)
{
	spin_lock(&task_list_lock);
	task->mm = mm;
	spin_unlock(&task_list_lock);
}

void task_exit(void)
{
	struct task *task = current_task();

	if (task->mm)
		panic_about(task, "task %d %s ends with an address space", task->pid, task->name);
	spin_lock(&task->lock);
	task->state = TASK_DEAD;
	sched_switch_away(task);
	panic_about(task, "task %d %s runs after its end", task->pid, task->name);
}

/* ---- for the auditor and /proc ---- */

void task_claim(struct claims *claims, const struct task *task)
{
	if (!claim_object(claims, task))
		return;
	if (task->kstack)
		kstack_claim(claims, task->kstack, task->pid);
	if (task->mm)
		mm_claim(claims, task->mm);
}

/* Something will run it again, or lets go of it. */
static bool is_scheduled(const struct task *task)
{
	switch (task->state) {
	case TASK_RUNNING:
		return task->on_hart;
	case TASK_RUNNABLE:
		return runqueue_has(task);
	case TASK_BLOCKED:
		return !list_empty(&task->wait_link) || !list_empty(&task->timer_link);
	default:
		return false;
	}
}

void sched_claims(struct claims *claims)
{
	LIST_FOR_EACH (link, &task_all) {
		const struct task *task = LIST_ENTRY(link, struct task, all_link);

		/* A process's task is the process's (proc_claims); a dead one without a stack is nobody's but its zombie's. */
		if (claims_final(claims) ? !task->proc && is_scheduled(task)
					 : task->state != TASK_DEAD || task->kstack)
			task_claim(claims, task);
	}
}

u32 sched_nr_busy(void)
{
	u32 nr = 0;

	LIST_FOR_EACH (link, &task_all) {
		const struct task *task = LIST_ENTRY(link, struct task, all_link);

		switch (task->state) {
		case TASK_NEW: /* its maker is the busy one */
			break;
		case TASK_DEAD: /* until the reaper has been there */
			nr += task->kstack != NULL;
			break;
		default:
			nr += task != current_task() && !task->quiet && !task->in_user;
		}
	}
	return nr;
}

u32 sched_nr_tasks(void)
{
	return __atomic_load_n(&nr_tasks, __ATOMIC_RELAXED);
}
