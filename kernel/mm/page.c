/* SPDX-License-Identifier: MIT */
/*
 * Pages and references: allocation, get, put, and the one place where a count reaches zero.
 *
 * A reference is acquired and released with its kind and holder, and each is an event. Three rules make the events of one
 * page a chain that a reader can follow:
 *
 * PAGE-5   while get and put are recorded, a count and its record change under the page's count lock, so the
 *          times of a page's records order its life on all harts; equal times are ordered by before / after.
 * PAGE-6   page_free is recorded before the block can be taken again, page_alloc after it was taken.
 * PAGE-7   a get or put on a page without a reference changes nothing: it is an incident (STALE, DBL, UNDER).
 * PAGE-8   references that a program can take without end (PTE) are got by page_try_get, which refuses at
 *          PAGE_REFS_MAX; the others are a few for each task in the kernel. So every count can be recorded and every
 *          claim counted.
 *
 * page->stack and pid name the allocator while the page lives and the last freer when it is free; the same
 * unwind serves the field and the record. owner is the first holder, unless the page's user sets it.
 *
 * Locks: `buddy` inside buddy.c; the count locks are leaves, held with interrupts off around one record.
 * Callers: anyone, in any context, with ALLOC_NORECLAIM where the caller may not sleep.
 */
#include <kernel/arch.h>

#include "pcp_priv.h"

#define RECLAIM_TRIES 8   /* each must have freed something */
#define RECLAIM_BATCH 32  /* pages to ask for: a refill, not one page at a time */
#define NR_COUNT_LOCKS 64 /* by page number; contention needs two harts on one of 1/64 of all pages */

struct page *pages;
u64 page_zero;
pfn_t first_pfn;
pfn_t managed_pfn;
u32 nr_pages;
struct page_times *page_times;

static u32 (*reclaim_hook)(u32 nr_wanted);
static bool (*fail_hook)(u32 order);
static u32 count_locks[NR_COUNT_LOCKS];

void page_set_reclaim(u32 (*reclaim)(u32 nr_wanted))
{
	reclaim_hook = reclaim;
}

void page_set_fail_hook(bool (*fail)(u32 order))
{
	fail_hook = fail;
}

struct page *page_head(struct page *page)
{
	pfn_t pfn = page_to_pfn(page);

	if (page->order != PAGE_BODY)
		return page;
	if (page->kind != PK_FREE)
		return pfn_valid(page->owner.index) ? pfn_to_page(page->owner.index) : page;
	/* A free body does not know its head; the head is the aligned page below whose order reaches this
	 * far. */
	for (u32 order = 1; order <= PAGE_MAX_ORDER; order++) {
		pfn_t head = pfn & ~((1U << order) - 1);

		if (pfn_valid(head) && pfn_to_page(head)->kind == PK_FREE &&
		    pfn_to_page(head)->order != PAGE_BODY && pfn_to_page(head)->order >= order)
			return pfn_to_page(head);
	}
	return page;
}

/* ---- events ---- */

/* The payload as whole words, and in line where it counts, since each page makes several records. */
static inline u64 payload_where(const struct page *page, struct holder holder)
{
	return ((u64)page - page_zero) / sizeof(*page) | (u64)holder.index << 32; /* its number */
}
static inline u64 payload_who(struct holder holder) /* with a count of 0 before and after */
{
	return (u64)trace_current_pid() << 32 | (u64)holder.id << 48;
}
static inline u64 payload_counts(s32 before, s32 after)
{
	if (UNLIKELY((u32)(before | after) > 0xffff))
		return (u64)count_for_event(before) | (u64)count_for_event(after) << 16;
	return (u64)before | (u64)after << 16;
}
static inline u64 page_head_word(enum trace_event event, enum ref_kind ref, u32 stack,
				 const struct page *page, u32 order)
{
	STATIC_ASSERT(REF_NR <= TRACE_KIND_MAX, "trace_record_head_signed");
	return trace_record_head_signed((s32)event, (s32)ref, page->kind << 4 | (s32)order, stack);
}

void page_record(enum trace_event event, u8 kind, u32 stack, const struct page *page, u32 order,
		 struct holder holder, s32 before, s32 after)
{
	trace_record_words(page_head_word(event, kind, stack, page, order), payload_where(page, holder),
			   payload_who(holder) | payload_counts(before, after));
}
STATIC_ASSERT(offsetof(struct trace_payload_page, pfn) == 0 &&
		  offsetof(struct trace_payload_page, index) == 4 &&
		  offsetof(struct trace_payload_page, before) == 8 &&
		  offsetof(struct trace_payload_page, after) == 10 &&
		  offsetof(struct trace_payload_page, pid) == 12 &&
		  offsetof(struct trace_payload_page, holder) == 14,
	      "page_record writes whole words");

static void record_refusal(bool injected, u32 value, enum page_kind kind)
{
	u16 pid = trace_current_pid();
	union trace_payload payload = {.ev_payload_oom = {.pid = pid, .value = value}};

	str_copy(payload.ev_payload_oom.name, page_kind_name(kind), sizeof(payload.ev_payload_oom.name));
	if (trace_on(TRACE_CATEGORY_ALWAYS))
		trace_record(injected ? EV_fail_injected : EV_oom, 0, 0, true, &payload);
}

bool page_injected_failure(u32 order)
{
	if (LIKELY(!fail_hook) || !fail_hook(order))
		return false;
	record_refusal(true, order, PK_FREE);
	return true;
}

/* ---- allocation ---- */

/* Before the first task, and for those that nothing may wait for, there is only what is free. */
static bool may_reclaim(u32 flags)
{
	const struct hart *hart = this_hart();

	if (flags & ALLOC_NORECLAIM || !reclaim_hook || !hart->current || hart->current == hart->idle)
		return false;
	if (hart->irq_off_depth || !arch_irqs_on())
		panic("page_alloc: it may have to sleep, with interrupts off and no ALLOC_NORECLAIM");
	return true;
}

/* There was none: asks for reclaim as long as that gives something. NULL: recorded as a refusal. */
static __attribute__((noinline)) struct page *take_with_reclaim(u32 order, enum page_kind kind, u32 flags)
{
	struct page *page = NULL;

	if (order > PAGE_MAX_ORDER)
		return NULL;
	for (u32 i = 0; !page && i < RECLAIM_TRIES && may_reclaim(flags); i++) {
		u32 nr_freed = reclaim_hook(MAX(1U << order, RECLAIM_BATCH));

		page = block_take_slow(NULL, order, kind);
		if (!nr_freed)
			break;
	}
	if (!page) {
		buddy_count_failed();
		record_refusal(false, 1U << order, kind);
	}
	return page;
}

/* Of all pages of the block: each may be freed or allocated as part of another one. */
static __attribute__((noinline)) void note_allocated(const struct page *page)
{
	struct page_times *times = &page_times[page - pages];
	u64 now = arch_time();

	for (u32 i = 0; i < 1U << page->order; i++)
		times[i].allocated = now;
}

static __attribute__((noinline)) void note_freed(const struct page *page)
{
	struct page_times *times = &page_times[page - pages];
	u64 now = arch_time();

	for (u32 i = 0; i < 1U << page->order; i++)
		times[i].freed = now;
}

/* Tracing is initialized. Called by the function whose caller allocates. head: of the record, without the stack. */
static __attribute__((noinline)) void note_allocator(struct page *page, u64 head, struct holder holder)
{
	u32 stack = trace_stack_find(__builtin_frame_address(0), 2);

	page->stack = stack;
	if (UNLIKELY(page_times))
		note_allocated(page);
	if (trace_on(TRACE_CATEGORY_PAGE))
		trace_record_words(head | (u64)stack << 32, payload_where(page, holder),
				   payload_who(holder) | payload_counts(0, 1));
}

/* Always inlined, so that the trace starts at the allocator's caller. */
static inline __attribute__((always_inline)) struct page *
alloc_block(u32 order, enum page_kind kind, enum ref_kind ref, struct holder holder, u32 flags)
{
	struct page *page;

	if (UNLIKELY(page_injected_failure(order)))
		return NULL;
	page = block_take(order, kind);
	if (UNLIKELY(!page)) {
		page = take_with_reclaim(order, kind, flags);
		if (!page)
			return NULL;
	}
	page->free_ref = REF_NONE;
	page->stack = 0;
	page->pid = trace_current_pid();
	page->owner = holder; /* as one word */
	if (trace_stacks_on)
		note_allocator(page, page_head_word(EV_page_alloc, ref, 0, page, order), holder);
	return page;
}

struct page *page_alloc_reclaiming(u32 order, enum page_kind kind, enum ref_kind ref, struct holder holder)
{
	return alloc_block(order, kind, ref, holder, 0);
}

struct page *page_alloc_noreclaim(u32 order, enum page_kind kind, enum ref_kind ref, struct holder holder)
{
	return alloc_block(order, kind, ref, holder, ALLOC_NORECLAIM);
}

/* ---- references ---- */

static inline u32 *count_lock_of(const struct page *page)
{
	return &count_locks[(u64)page / sizeof(*page) % NR_COUNT_LOCKS];
}

struct count_section {
	u32 *lock;
	bool irqs; /* were on */
};

static inline struct count_section count_lock(const struct page *page)
{
	struct count_section section = {count_lock_of(page),
					this_hart()->irq_off_depth == 0 && arch_irq_save()};

	KEEP(section.lock);
	while (UNLIKELY(__atomic_exchange_n(section.lock, 1, __ATOMIC_ACQUIRE)))
		arch_relax();
	return section;
}

static inline void count_unlock(struct count_section section)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
	*(volatile u32 *)section.lock = 0;
	arch_irq_restore(section.irqs);
}

/* Adds delta (1 or -1) unless there is no reference at all, or `limit` of them (0: no limit). Returns the count before. */
static inline s32 count_change(struct page *page, s32 delta, s32 limit)
{
	s32 before = __atomic_load_n(&page->count, __ATOMIC_RELAXED);

	while (before > 0 && (!limit || before < limit) &&
	       !__atomic_compare_exchange_n(&page->count, &before, before + delta, true, __ATOMIC_ACQ_REL,
					    __ATOMIC_RELAXED))
		;
	return before;
}

/*
 * The same under the page's count lock, where it is cheaper: a count that is not 0 stays so but for who does not record, and
 * for double puts, which are taken back.
 */
static inline s32 count_change_locked(struct page *page, s32 delta, s32 limit)
{
	s32 before = __atomic_load_n(&page->count, __ATOMIC_RELAXED);

	if (UNLIKELY(before <= 0) || (limit && UNLIKELY(before >= limit)))
		return before;
	before = __atomic_fetch_add(&page->count, delta, __ATOMIC_ACQ_REL);
	if (UNLIKELY(before <= 0))
		__atomic_fetch_sub(&page->count, delta, __ATOMIC_ACQ_REL);
	return before;
}

static inline __attribute__((always_inline)) s32 get_recorded(struct page *page, s32 limit, enum ref_kind ref,
							      struct holder holder, u32 stack)
{
	struct count_section section = count_lock(page);
	s32 before = count_change_locked(page, 1, limit);

	if (LIKELY(before > 0 && (!limit || before < limit)))
		trace_record_locked(page_head_word(EV_page_get, ref, stack, page, page->order & 15),
				    payload_where(page, holder),
				    payload_who(holder) | payload_counts(before, before + 1));
	count_unlock(section);
	return before;
}

/* Always inlined, so that the stack starts at the caller of the function that gets. Returns the count before. */
static inline __attribute__((always_inline)) s32 get(struct page *page, s32 limit, enum ref_kind ref,
						     struct holder holder)
{
	s32 before;

	if (trace_on(TRACE_CATEGORY_REF))
		before = get_recorded(page, limit, ref, holder, trace_stack_here(1));
	else
		before = count_change(page, 1, limit);
	if (UNLIKELY(before <= 0))
		audit_incident(VERDICT_STALE, page, page->stack, trace_stack_here(1));
	return before;
}

void page_get(struct page *page, enum ref_kind ref, struct holder holder)
{
	if (UNLIKELY(get(page, 0, ref, holder) == 0xffff)) /* beyond what a record can say: a leak */
		audit_incident(VERDICT_OVER, page, page->stack, trace_stack_here(1));
}

bool page_try_get(struct page *page, enum ref_kind ref, struct holder holder)
{
	if (LIKELY(get(page, PAGE_REFS_MAX, ref, holder) < PAGE_REFS_MAX))
		return true;
	record_refusal(false, 1, page->kind);
	return false;
}

#define KINDS_IN_USE (1U << PK_KSTACK | 1U << PK_PAGETABLE)

/* Freed while a hart runs on it: as the active page table, or as the stack. */
static __attribute__((noinline)) bool is_kstack_or_root_in_use(const struct page *page)
{
	paddr_t pa = page_to_pa(page);

	if (page->kind == PK_KSTACK)
		return kstack_page_in_use(page);
	for (u32 i = 0; i < nr_harts; i++)
		if (arch_active_root(i) == pa)
			return true;
	return false;
}

static inline bool machine_stands_on(const struct page *page)
{
	return KINDS_IN_USE >> page->kind & 1 && UNLIKELY(is_kstack_or_root_in_use(page));
}

/*
 * The choke point: the last reference is gone, and the block goes back to the free lists. Its page_free is recorded.
 * Returns true.
 */
static inline __attribute__((always_inline)) bool page_reached_zero(struct page *page, u32 stack)
{
	block_give(page, page->order, stack, trace_current_pid());
	return true;
}

/*
 * There was no reference; or that was the last one and the machine still stands on the page, which stays where it is,
 * without a reference, for the auditor to show. Returns false.
 */
static __attribute__((noinline, cold)) bool put_refused(struct page *page, s32 before, u32 stack)
{
	bool free = page->kind == PK_FREE || page->kind == PK_PCP;

	if (before > 0)
		audit_incident(VERDICT_INUSE, page, page->stack, stack);
	else
		audit_incident(free ? VERDICT_DBL : VERDICT_UNDER, page, page->stack, stack);
	return false;
}

/* What such a function goes on to in its end is called by its own caller: it jumps there, and its frame is gone. */
#define PUT_WAY static __attribute__((noinline, optimize("optimize-sibling-calls")))

/* put_traced went on to this: the machine stands on the page, so this may not be the last reference. */
static __attribute__((noinline, cold)) bool put_stood_on(struct page *page, enum ref_kind ref,
							 struct holder holder)
{
	u32 stack = trace_stack_find(__builtin_frame_address(0), 1);
	struct count_section section = count_lock(page);
	s32 before = count_change_locked(page, -1, 0);

	if (before == 1)
		page->free_ref = (u8)ref;
	if (before > 0)
		page_record(EV_page_put, (u8)ref, stack, page, page->order & 15, holder, before, before - 1);
	count_unlock(section);
	return before > 1 ? false : put_refused(page, before, stack);
}

/* The references are recorded, and with the last of them what it frees. Returns where page_put was called. */
PUT_WAY bool put_traced(struct page *page, enum ref_kind ref, struct holder holder)
{
	struct count_section section;
	u32 stack;
	s32 before;

	if (UNLIKELY(machine_stands_on(page)))
		return put_stood_on(page, ref, holder);
	stack = trace_stack_find(__builtin_frame_address(0), 1);
	section = count_lock(page);
	before = count_change_locked(page, -1, 0);
	if (LIKELY(before > 0)) {
		u64 head = page_head_word(EV_page_put, ref, stack, page, page->order & 15);
		u64 where = payload_where(page, holder), who = payload_who(holder);

		if (before > 1) {
			trace_record_locked(head, where, who | payload_counts(before, before - 1));
		} else {
			page->free_ref = (u8)ref;
			if (trace_on(TRACE_CATEGORY_PAGE))
				trace_record_two(head, head ^ EV_page_put ^ EV_page_free, where,
						 who | payload_counts(1, 0), who);
			else
				trace_record_locked(head, where, who | payload_counts(1, 0));
		}
	}
	count_unlock(section);
	if (before > 1)
		return false;
	if (UNLIKELY(before <= 0))
		return put_refused(page, before, stack);
	if (UNLIKELY(page_times))
		note_freed(page);
	return page_reached_zero(page, stack);
}

/* They are not, and the freer's stack is wanted all the same. */
PUT_WAY bool put_masked(struct page *page, enum ref_kind ref, struct holder holder)
{
	s32 before = count_change(page, -1, 0);
	u32 stack;

	if (before > 1)
		return false;
	stack = trace_stack_here(1);
	if (before == 1)
		page->free_ref = (u8)ref;
	if (UNLIKELY(before <= 0 || machine_stands_on(page)))
		return put_refused(page, before, stack);
	if (trace_on(TRACE_CATEGORY_PAGE))
		page_record(EV_page_free, (u8)ref, stack, page, page->order, holder, 0, 0);
	if (UNLIKELY(page_times))
		note_freed(page);
	return page_reached_zero(page, stack);
}

PUT_WAY bool put_untraced(struct page *page, enum ref_kind ref)
{
	s32 before = count_change(page, -1, 0);

	if (before > 1)
		return false;
	if (before == 1)
		page->free_ref = (u8)ref;
	if (UNLIKELY(before <= 0 || machine_stands_on(page)))
		return put_refused(page, before, 0);
	return page_reached_zero(page, 0);
}

/* Leaves no frame: it would cost as much as a fifth of a record, and say nothing. */
__attribute__((optimize("omit-frame-pointer", "optimize-sibling-calls"))) bool
page_put(struct page *page, enum ref_kind ref, struct holder holder)
{
	if (LIKELY(trace_on(TRACE_CATEGORY_REF)))
		return put_traced(page, ref, holder);
	return trace_stacks_on ? put_masked(page, ref, holder) : put_untraced(page, ref);
}
