/* SPDX-License-Identifier: MIT */
/*
 * What `make bench` measures: guest instructions of one operation, by the instret CSR.
 *
 * Meaningful with one hart under -icount only: there instret counts this hart's instructions exactly, and two
 * runs give the same number. The loop around the operation is measured alone and taken off.
 */
#include <kernel/errno.h>
#include <kernel/lib.h>
#include <kernel/page.h>
#include <kernel/syscall.h>
#include <kernel/trace.h>
#include <uapi/freemem.h>

#define ROUNDS 1000U

static struct page *bench_page;

static void __attribute__((noinline)) do_nothing(void)
{
	__asm__ volatile("");
}

static void __attribute__((noinline)) do_record_bare(void)
{
	static const union trace_payload payload;

	trace_record(EV_sample, 0, 0, false, &payload);
}

static void __attribute__((noinline)) do_record_stack(void)
{
	static const union trace_payload payload;

	trace_record(EV_sample, 0, 0, true, &payload);
}

static void __attribute__((noinline)) do_page_pair(void)
{
	struct page *page = page_alloc(0, PK_DEBUG, REF_OWNER, HOLDER_NONE, ALLOC_NORECLAIM);

	if (page)
		page_put(page, REF_OWNER, HOLDER_NONE);
}

static void __attribute__((noinline)) do_ref_pair(void)
{
	page_get(bench_page, REF_IO, HOLDER_NONE);
	page_put(bench_page, REF_IO, HOLDER_NONE);
}

/* What a page's poison costs: filled when it is freed, checked when it is allocated. */
static void __attribute__((noinline)) do_poison(void)
{
	mem_fill_words(page_to_va(bench_page), POISON_FREE, PAGE_SIZE);
	if (mem_find_difference(page_to_va(bench_page), POISON_FREE, PAGE_SIZE) != PAGE_SIZE)
		panic("bench: the page at %lx changed by itself", (unsigned long)page_to_pa(bench_page));
}

static u64 instructions_of_rounds(void (*operation)(void))
{
	bool irqs = arch_irq_save();
	u64 before, after;

	operation(); /* the first stack enters the depot, the first page comes from a larger block */
	before = csr_read(instret);
	for (u32 i = 0; i < ROUNDS; i++)
		operation();
	after = csr_read(instret);
	arch_irq_restore(irqs);
	return after - before;
}

u64 bench_run(u64 which)
{
	static void (*const operations[])(void) = {
	    [BENCH_RECORD_BARE] = do_record_bare, [BENCH_RECORD_STACK] = do_record_stack,
	    [BENCH_PAGE_PAIR] = do_page_pair,     [BENCH_REF_PAIR] = do_ref_pair,
	    [BENCH_POISON] = do_poison,
	};
	u64 loop, total;

	if (which >= ARRAY_SIZE(operations) || !operations[which])
		return (u64)-EINVAL;
	bench_page = page_alloc(0, PK_DEBUG, REF_OWNER, HOLDER_NONE, 0);
	if (!bench_page)
		return (u64)-ENOMEM;
	loop = instructions_of_rounds(do_nothing);
	total = instructions_of_rounds(operations[which]);
	page_put(bench_page, REF_OWNER, HOLDER_NONE);
	return total - loop; /* per ROUNDS operations: thousandths of an instruction per operation */
}
