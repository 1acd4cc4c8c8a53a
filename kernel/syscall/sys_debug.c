/* SPDX-License-Identifier: MIT */
/* System calls for tests: marks in the trace, kdebug, power-off. */
#include "syscall_priv.h"
#include <kernel/audit.h>
#include <kernel/slab.h>
#include <uapi/freemem.h>

s64 sys_mark(const u64 *arg)
{
	union trace_payload payload;
	char name[64];
	ssize_t length;

	if (arg[0] > 1)
		return -EINVAL;
	memset(name, 0, sizeof(name));
	length = strncpy_from_user(name, arg[1], sizeof(name));
	if (length < 0 && length != -ENAMETOOLONG) /* a long name is cut */
		return length;
	memcpy(payload.bytes, name, sizeof(payload.bytes));
	proc_sample();
	if (trace_on(TRACE_CATEGORY_mark))
		trace_record(EV_mark, (u8)arg[0], 0, false, &payload);
	return 0;
}

/*
 * What LEAK_PAGES and LEAK_OBJECTS took. Nobody claims it, as it is to be found leaked; the chains, which run
 * through the leaked things themselves, only serve to end the demonstration. Two callers at once are kept apart
 * by the lock; a lock of its own rank is not worth a line in lockorder.def.
 */
static struct spinlock leak_lock = SPINLOCK_INIT_NAMED(pipe, "leaked");
static void *leaked_pages;
static void *leaked_objects;
static struct kmem_cache *debug_cache;

static void leak_push(void **chain, void *thing)
{
	spin_lock(&leak_lock);
	*(void **)thing = *chain;
	*chain = thing;
	spin_unlock(&leak_lock);
}

static void *leak_pop(void **chain)
{
	void *thing;

	spin_lock(&leak_lock);
	thing = *chain;
	if (thing)
		*chain = *(void **)thing;
	spin_unlock(&leak_lock);
	return thing;
}

static s64 leak_pages(u64 nr)
{
	u16 pid = current_task()->pid;
	u64 done;

	for (done = 0; done < nr && !current_task()->killed; done++) {
		struct page *page = page_alloc(0, PK_DEBUG, REF_OWNER, HOLDER(pid, 0), 0);

		if (!page)
			break;
		((u64 *)page_to_va(page))[1] = pid;
		leak_push(&leaked_pages, page_to_va(page));
	}
	return (s64)done;
}

static s64 leak_objects(u64 nr)
{
	u64 done;

	for (done = 0; done < nr && !current_task()->killed; done++) {
		void *object = kmem_cache_alloc(debug_cache, HOLDER_NONE, 0);

		if (!object)
			break;
		leak_push(&leaked_objects, object);
	}
	return (s64)done;
}

static s64 free_leaked(void)
{
	s64 nr = 0;
	void *thing;

	while ((thing = leak_pop(&leaked_pages))) {
		u16 pid = (u16)((u64 *)thing)[1];

		page_put(va_to_page(thing), REF_OWNER, HOLDER(pid, 0));
		nr++;
	}
	while ((thing = leak_pop(&leaked_objects))) {
		kmem_cache_free(debug_cache, thing, HOLDER_NONE);
		nr++;
	}
	return nr;
}

static s64 drop_caches(void)
{
	u32 nr = fs_drop_caches();

	nr += kmem_cache_shrink_all();
	page_drain_caches(); /* moved, not freed */
	return nr;
}

static s64 run_audit(void)
{
	const struct audit_result *result;
	s64 nr;

	audit_lock();
	result = audit_run_locked(AUDIT_WAIT | AUDIT_POISON);
	nr = result->quiet ? (s64)result->nr_findings : -EBUSY;
	audit_unlock();
	return nr;
}

/* Ways to die that leave something to find: see enum kdebug_panic. */
static s64 __attribute__((noinline)) panic_with_page(bool fault)
{
	u16 pid = current_task()->pid;
	struct page *page = page_alloc(0, PK_DEBUG, REF_OWNER, HOLDER(pid, 0), 0);

	if (!page)
		return -ENOMEM;
	page_get(page, REF_IO, HOLDER(pid, 1));
	page_put(page, REF_OWNER, HOLDER(pid, 0));
	if (!fault)
		panic_about(page, "asked for by pid %u, about page 0x%x", pid, page_to_pfn(page));
	*(volatile u64 *)(PHYS_OFFSET - PAGE_SIZE) = 0; /* the hole of the address space: nothing is there */
	page_put(page, REF_IO, HOLDER(pid, 1));
	return 0;
}

static s64 __attribute__((noinline)) panic_with_object(void)
{
	void *object = kmem_cache_alloc(debug_cache, HOLDER_NONE, 0);

	if (!object)
		return -ENOMEM;
	kmem_cache_free(debug_cache, object, HOLDER_NONE);
	panic_about(object, "asked for by pid %u, about object 0x%lx", current_task()->pid,
		    (unsigned long)object);
}

/* As after a saved frame pointer was written over; -8 is aligned like one. */
static void panic_without_frame(void)
{
	__asm__ volatile("li s0, -8\n\tsd zero, 0(zero)" ::: "memory");
}

static s64 panic_asked_for(u64 how)
{
	switch (how) {
	case PANIC_PLAIN:
		panic("asked for by pid %u", current_task()->pid);
	case PANIC_PAGE:
	case PANIC_FAULT:
		return panic_with_page(how == PANIC_FAULT);
	case PANIC_OBJECT:
		return panic_with_object();
	case PANIC_FRAME:
		panic_without_frame();
		return 0;
	default:
		return -EINVAL;
	}
}

/* Looking, and giving back what a cache can spare, is open to all. */
static bool may_kdebug(u64 op)
{
	return op == KDEBUG_AUDIT || op == KDEBUG_DROP_CACHES || op == KDEBUG_BENCH || proc_may_debug();
}

s64 sys_kdebug(const u64 *arg)
{
	u32 old;

	if (!may_kdebug(arg[0]))
		return -EPERM;
	switch (arg[0]) {
	case KDEBUG_LEAK_PAGES:
		return leak_pages(arg[1]);
	case KDEBUG_LEAK_OBJECTS:
		return leak_objects(arg[1]);
	case KDEBUG_FREE_LEAKED:
		return free_leaked();
	case KDEBUG_DROP_CACHES:
		return drop_caches();
	case KDEBUG_AUDIT:
		return run_audit();
	case KDEBUG_PANIC:
		return panic_asked_for(arg[1]);
	case KDEBUG_TRACE_MASK:
		old = trace_mask;
		trace_set_mask((u32)arg[1] & TRACE_MASK_ALL);
		return old;
	case KDEBUG_BENCH:
		return (s64)bench_run(arg[1]);
	default:
		return -EINVAL;
	}
}

/* Init's, for the end of what it ran. */
s64 sys_poweroff(const u64 *arg)
{
	if (current_task()->pid != 1 && !proc_may_debug())
		return -EPERM;
	proc_poweroff((s32)arg[0]);
}

void kdebug_init(void)
{
	debug_cache = kmem_cache_create("debug", 64);
}
