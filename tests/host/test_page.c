/* SPDX-License-Identifier: MIT */
/* Pages: random life against a plain model, boot, and every fault that the allocator sees when it is made. */
#include <host/host_test.h>
#include <kernel/audit.h>
#include <kernel/page.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define RAM (16UL << 20)
#define MODEL_MAX 2000

static const struct holder holder = {7, 42};

static int boot(void **state)
{
	host_boot(RAM, 2);
	return 0;
}

/* ---- the model: a list of blocks with their counts and contents ---- */

static struct block {
	struct page *page;
	u32 order;
	s32 count;
	u8 kind;
	u64 stamp;
} blocks[MODEL_MAX];
static u32 nr_blocks;
static u64 pages_held;

static void stamp_block(const struct block *block)
{
	u64 *words = page_to_va(block->page);

	words[0] = block->stamp;
	words[(PAGE_SIZE << block->order) / 8 - 1] = ~block->stamp;
}

static void check_stamp(const struct block *block)
{
	const u64 *words = page_to_va(block->page);

	assert_true(words[0] == block->stamp);
	assert_true(words[(PAGE_SIZE << block->order) / 8 - 1] == ~block->stamp);
}

static void model_alloc(u64 nr_total)
{
	static const u8 kinds[] = {PK_ANON, PK_PAGECACHE, PK_SLAB, PK_PIPE, PK_KERNEL};
	struct block block = {.order =
				  (u32)host_random_below(4) ? 0 : (u32)host_random_below(PAGE_MAX_ORDER + 1)};

	block.kind = kinds[host_random_below(ARRAY_SIZE(kinds))];
	block.count = 1;
	block.stamp = host_random();
	if (host_random_below(5) == 0) {
		block.order = 0;
		block.page = page_alloc(0, block.kind, REF_OWNER, holder, ALLOC_ZEROED);
		if (block.page)
			assert_int_equal(mem_find_difference(page_to_va(block.page), 0, PAGE_SIZE),
					 PAGE_SIZE);
	} else {
		block.page = page_alloc(block.order, block.kind, REF_OWNER, holder, 0);
	}
	if (!block.page) {
		/* only when no block of this order is left */
		struct page_totals totals;

		page_totals(&totals);
		for (u32 order = block.order; order <= PAGE_MAX_ORDER; order++)
			assert_int_equal(totals.nr_by_order[order], 0);
		return;
	}
	assert_int_equal(page_to_pfn(block.page) % (1U << block.order), 0);
	assert_int_equal(block.page->kind, block.kind);
	assert_int_equal(page_count(block.page), 1);
	for (u32 i = 0; i < nr_blocks; i++)
		assert_true(block.page >= blocks[i].page + (1U << blocks[i].order) ||
			    blocks[i].page >= block.page + (1U << block.order));
	stamp_block(&block);
	blocks[nr_blocks++] = block;
	pages_held += 1U << block.order;
	assert_true(pages_held <= nr_total);
}

static void model_put(u32 i)
{
	bool last = blocks[i].count == 1;

	check_stamp(&blocks[i]);
	assert_int_equal(page_put(blocks[i].page, REF_OWNER, holder), last);
	if (!last) {
		blocks[i].count--;
		return;
	}
	pages_held -= 1U << blocks[i].order;
	blocks[i] = blocks[--nr_blocks];
}

static void model_step(u64 nr_total)
{
	u64 dice = host_random_below(10);

	if (nr_blocks < MODEL_MAX && (dice < 5 || nr_blocks == 0))
		model_alloc(nr_total);
	else if (dice < 7) {
		struct block *block = &blocks[host_random_below(nr_blocks)];

		page_get(block->page, REF_OWNER, holder);
		block->count++;
	} else {
		model_put((u32)host_random_below(nr_blocks));
	}
	if (nr_blocks)
		assert_int_equal(page_count(blocks[0].page), blocks[0].count);
}

static void model_check(u64 nr_total)
{
	struct page_totals totals;
	u64 sum = 0;

	assert_sound(page_check());
	page_totals(&totals);
	assert_int_equal(totals.nr_free + totals.nr_by_kind[PK_PCP], nr_total - pages_held);
	assert_int_equal(page_nr_free(), nr_total - pages_held);
	for (u32 kind = 0; kind < PK_NR; kind++)
		sum += totals.nr_by_kind[kind];
	assert_int_equal(sum, totals.nr_managed);
	assert_int_equal(sum + totals.nr_firmware, RAM / PAGE_SIZE);
}

static void run_model(u32 nr_steps)
{
	u64 nr_total = page_nr_free();

	host_random_start();
	nr_blocks = 0;
	pages_held = 0;
	for (u32 step = 0; step < nr_steps; step++) {
		model_step(nr_total);
		if (step % 16 == 0)
			model_check(nr_total);
	}
	while (nr_blocks)
		model_put(nr_blocks - 1);
	model_check(nr_total);
	assert_int_equal(page_check_poison(), 0);
	assert_int_equal(audit_nr_incidents(), 0);
}

static void test_random(void **state)
{
	run_model(20000);
}

static void test_random_traced(void **state)
{
	trace_set_mask(TRACE_MASK_ALL);
	run_model(5000);
	trace_set_mask(0);
	run_model(5000);
	trace_set_mask(TRACE_MASK_ALL);
}

/* ---- boot ---- */

/* Everything comes back as the largest aligned blocks, and the numbers of the design hold. */
static void test_boot_numbers(void **state)
{
	struct page_totals totals;
	struct page *array = malloc(32768 * sizeof(struct page));

	trace_set_mode(TRACE_OFF); /* its memory goes with the old RAM */
	host_ram_init(128UL << 20);
	page_init(RAM_BASE, RAM_BASE + (128UL << 20), KERNEL_PA, array);
	page_totals(&totals);
	assert_int_equal(totals.nr_managed, 32256);
	assert_int_equal(totals.nr_firmware, 512);
	assert_int_equal(totals.nr_by_kind[PK_IMAGE], 32256);
	page_boot_claim(KERNEL_PA, KERNEL_PA + 0x49000, PK_IMAGE);
	page_boot_free(KERNEL_PA + 0x49000, RAM_BASE + (128UL << 20));
	page_totals(&totals);
	assert_int_equal(totals.nr_free, 32183);
	assert_int_equal(totals.nr_by_order[10], 31);
	assert_sound(page_check());
	free(array);
}

/* ---- faults seen when they are made ---- */

static u32 incidents_of(enum verdict verdict)
{
	u32 nr = 0;

	for (const char *at = host_log; (at = strstr(at, "incident: ")); at += 10)
		if (!strncmp(at + 10, verdict_name(verdict), strlen(verdict_name(verdict))))
			nr++;
	return nr;
}

static void test_double_free(void **state)
{
	struct page *page = page_alloc(0, PK_ANON, REF_PTE, holder, 0);
	u64 nr_free = page_nr_free();

	assert_true(page_put(page, REF_PTE, holder));
	assert_false(page_put(page, REF_PTE, holder));
	assert_int_equal(incidents_of(VERDICT_DBL), 1);
	assert_int_equal(page_nr_free(), nr_free + 1);
	assert_sound(page_check());
}

/* PAGE-7: . */
static void test_get_of_free(void **state)
{
	struct page *page = page_alloc(1, PK_ANON, REF_PTE, holder, 0);

	page_put(page, REF_PTE, holder);
	page_get(page, REF_PTE, holder);
	assert_int_equal(incidents_of(VERDICT_STALE), 1);
	assert_int_equal(page_count(page), 0);
	assert_sound(page_check());
}

static void test_put_below_zero(void **state)
{
	struct page *page = page_alloc(1, PK_ANON, REF_PTE, holder, 0);

	page->count = 0; /* what a bare decrement would have left */
	assert_false(page_put(page, REF_PTE, holder));
	assert_int_equal(incidents_of(VERDICT_UNDER), 1);
	assert_int_equal(page_count(page), 0);
	page->count = 1;
	assert_false(page_put(page + 1, REF_PTE, holder)); /* a body page has no count of its own */
	assert_int_equal(incidents_of(VERDICT_UNDER), 2);
	assert_true(page_put(page, REF_PTE, holder));
}

static void test_overflow(void **state)
{
	struct page *page = page_alloc(0, PK_ANON, REF_PTE, holder, 0);

	page->count = 0xffff;
	page_get(page, REF_PTE, holder);
	assert_int_equal(incidents_of(VERDICT_OVER), 1);
	page->count = 300; /* 256 sharers are nothing special */
	page_get(page, REF_PTE, holder);
	assert_int_equal(page_count(page), 301);
	page->count = 1;
	assert_true(page_put(page, REF_PTE, holder));
}

/* PAGE-4: . */
static void test_poison(void **state)
{
	struct page *page = page_alloc(2, PK_ANON, REF_PTE, holder, 0), *other;
	u64 nr_free;

	page_put(page, REF_PTE, holder);
	nr_free = page_nr_free();
	((u8 *)page_to_va(page + 1))[4095] = 0; /* the last byte of the second page */
	other = page_alloc(2, PK_ANON, REF_PTE, holder, 0);
	assert_non_null(other);
	assert_ptr_not_equal(other, page);
	assert_int_equal(incidents_of(VERDICT_POISON), 1);
	assert_int_equal(page[1].kind, PK_BAD);
	assert_int_equal(page_nr_free(), nr_free - 4 - 1);
	assert_sound(page_check());
	page_put(other, REF_PTE, holder);
	assert_sound(page_check());
}

static void test_poison_scan(void **state)
{
	struct page *page = page_alloc(0, PK_ANON, REF_PTE, holder, 0);

	page_put(page, REF_PTE, holder);
	assert_int_equal(page_check_poison(), 0);
	((u64 *)page_to_va(page))[17] = 5;
	assert_int_equal(page_check_poison(), 1);
	assert_int_equal(incidents_of(VERDICT_POISON), 1);
	assert_int_equal(page_check_poison(), 0);
}

/* SWITCH-4: a table that a hart runs on is not freed. */
static void test_active_root(void **state)
{
	struct page *page = page_alloc(0, PK_PAGETABLE, REF_TABLE, holder, 0);

	host_active_roots[1] = page_to_pa(page);
	assert_false(page_put(page, REF_TABLE, holder));
	assert_int_equal(incidents_of(VERDICT_INUSE), 1);
	assert_int_equal(page->kind, PK_PAGETABLE);
	host_active_roots[1] = 0;
	page->count = 1;
	assert_true(page_put(page, REF_TABLE, holder));
}

/* Broken lists must be found, not followed. */
static void test_check_can_fail(void **state)
{
	struct page *page = page_alloc(0, PK_ANON, REF_PTE, holder, 0), *next, saved;

	assert_sound(page_check());
	page->count = 0;
	assert_non_null(strstr(page_check(), "PAGE-2"));
	page->count = 1;
	page_put(page, REF_PTE, holder);
	for (u32 order = 0;; order++) { /* some block that has a neighbour on its list */
		struct page_totals totals;

		page_totals(&totals);
		if (totals.nr_by_order[order] >= 2)
			break;
		assert_true(order < PAGE_MAX_ORDER);
	}
	for (page = pages; page->kind != PK_FREE || page->order == PAGE_BODY || page->next == PFN_NONE;
	     page++)
		;
	saved = *page;
	next = pfn_to_page(page->next);
	next->prev ^= 1;
	assert_non_null(strstr(page_check(), "BUDDY-3"));
	next->prev ^= 1;
	page->next = page_to_pfn(page);
	assert_non_null(page_check());
	page->next = 1;
	assert_non_null(strstr(page_check(), "BUDDY-3"));
	*page = saved;
	page->order++;
	assert_non_null(page_check());
	*page = saved;
	page->kind = PK_ANON;
	assert_non_null(page_check());
	*page = saved;
	assert_sound(page_check());
}

/* ---- many harts ---- */

enum { THREADS = 4 };

static struct page *shared_page;
static u32 nr_rounds;

static void *share(void *arg)
{
	host_hart = (u32)(uintptr_t)arg;
	for (u32 i = 0; i < nr_rounds; i++) {
		page_get(shared_page, REF_IO, HOLDER(host_hart, i));
		if (i % 16 == host_hart)
			sched_yield();
		page_put(shared_page, REF_IO, HOLDER(host_hart, i));
	}
	return NULL;
}

static void share_among_threads(u32 rounds)
{
	pthread_t threads[THREADS];

	nr_rounds = rounds;
	shared_page = page_alloc(0, PK_PIPE, REF_PIPE, holder, 0);
	for (u32 i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, share, (void *)(uintptr_t)i);
	for (u32 i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(page_count(shared_page), 1);
}

static int by_time(const void *a, const void *b)
{
	const struct trace_record *x = a, *y = b;

	return x->time < y->time ? -1 : x->time > y->time;
}

/* No count is lost; and, recorded, the times of all harts' records order the page's life (PAGE-5). */
static void test_counts_of_many_harts(void **state)
{
	static struct trace_record all[THREADS * 2000];
	u32 nr, last = 1, seen = 0;

	trace_set_mask(0);
	share_among_threads(100000);
	page_put(shared_page, REF_PIPE, holder);
	trace_set_mask(1U << TRACE_CATEGORY_REF);
	host_chaos = 3;
	share_among_threads(900);
	host_chaos = 0;
	nr = (u32)(trace_newest(all, sizeof(all)) / sizeof(*all));
	qsort(all, nr, sizeof(*all), by_time);
	for (u32 i = 0; i < nr; i++) {
		const struct trace_payload_page *payload = &all[i].payload.ev_payload_page_get;

		if (payload->pfn != page_to_pfn(shared_page) || all[i].kind != REF_IO)
			continue;
		assert_int_equal(payload->before, last);
		last = payload->after;
		seen++;
	}
	assert_int_equal(seen, THREADS * 900 * 2);
	trace_set_mask(TRACE_MASK_ALL);
	page_put(shared_page, REF_PIPE, holder);
}

static int boot_harts(void **state)
{
	host_boot(RAM, THREADS);
	return 0;
}

/* ---- events ---- */

static struct trace_record records[64];

static u32 newest(void)
{
	return (u32)(trace_newest(records, sizeof(records)) / sizeof(*records));
}

/* One life, as the trace tells it. (PAGE-6) */
static void test_events(void **state)
{
	static const u32 wanted[] = {EV_page_alloc, EV_page_get, EV_page_put, EV_page_put, EV_page_free};
	static const u16 before[] = {0, 1, 2, 1, 0}, after[] = {1, 2, 1, 0, 0};
	struct page *page = page_alloc(3, PK_PIPE, REF_PIPE, holder, 0);
	u32 nr;

	page_get(page, REF_IO, HOLDER(9, 9));
	page_put(page, REF_IO, HOLDER(9, 9));
	page_put(page, REF_PIPE, holder);
	nr = newest();
	assert_true(nr >= 5);
	for (u32 i = 0; i < 5; i++) {
		const struct trace_record *record = &records[nr - 5 + i];
		const struct trace_payload_page *payload = &record->payload.ev_payload_page_alloc;

		assert_int_equal(record->event, wanted[i]);
		assert_int_equal(record->flags, PK_PIPE << 4 | 3);
		assert_int_equal(payload->pfn, page_to_pfn(page));
		assert_int_equal(payload->before, before[i]);
		assert_int_equal(payload->after, after[i]);
		assert_int_not_equal(record->stack, 0);
		assert_int_equal(payload->holder, i == 1 || i == 2 ? 9 : 7);
	}
	assert_int_equal(records[nr - 5].kind, REF_PIPE);
	assert_int_equal(records[nr - 4].kind, REF_IO);
	assert_int_equal(records[nr - 1].kind, REF_PIPE);
}

/* page_owner=on: every page of a block says when. What is recorded or not makes no difference. */
static void test_times(void **state)
{
	page_times = calloc(nr_pages, sizeof(*page_times));
	for (u32 i = 0; i < 2; i++) {
		struct page *page = page_alloc(1, PK_PIPE, REF_PIPE, holder, 0);
		const struct page_times *mine = &page_times[page - pages];
		u64 before;

		assert_in_range(mine->allocated, 1, host_time);
		assert_int_equal(mine[1].allocated, mine->allocated);
		assert_int_equal(mine[2].allocated, 0);
		before = host_time;
		page_get(page, REF_IO, HOLDER(9, 9));
		page_put(page, REF_IO, HOLDER(9, 9));
		assert_true(mine->freed < mine->allocated); /* not by a put that is not the last */
		page_put(page, REF_PIPE, holder);
		assert_in_range(mine->freed, before + 1, host_time);
		assert_int_equal(mine[1].freed, mine->freed);
		assert_int_equal(mine[2].freed, 0);
		trace_set_mask(0);
	}
	trace_set_mask(TRACE_MASK_ALL);
	free(page_times);
	page_times = NULL;
}

static int clear_log(void **state)
{
	host_log_clear();
	return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, clear_log)

int main(void)
{
	const struct CMUnitTest random_tests[] = {TEST(test_random), TEST(test_random_traced)};
	const struct CMUnitTest fault_tests[] = {
	    TEST(test_double_free), TEST(test_get_of_free),    TEST(test_put_below_zero),
	    TEST(test_overflow),    TEST(test_poison),         TEST(test_poison_scan),
	    TEST(test_active_root), TEST(test_check_can_fail), TEST(test_events),
	    TEST(test_times),
	};
	const struct CMUnitTest hart_tests[] = {TEST(test_counts_of_many_harts)};
	const struct CMUnitTest boot_tests[] = {TEST(test_boot_numbers)};

	return cmocka_run_group_tests(random_tests, boot, NULL) +
	       cmocka_run_group_tests(fault_tests, boot, NULL) +
	       cmocka_run_group_tests(hart_tests, boot_harts, NULL) +
	       cmocka_run_group_tests(boot_tests, NULL, NULL);
}
