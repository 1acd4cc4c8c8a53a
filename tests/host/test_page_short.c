/* SPDX-License-Identifier: MIT */
/* Pages when memory is short: what other harts have parked, what reclaim gives back, failures that are asked for. */
#include <host/host_test.h>
#include <kernel/page.h>

#define RAM (16UL << 20)

static const struct holder holder = {7, 42};

static int boot(void **state)
{
	host_boot(RAM, 2);
	return 0;
}

/* ---- per-hart caches ---- */

/* A hart whose cache and whose buddy are empty takes what another hart has parked, to the last page. */
static void test_steal(void **state)
{
	static struct page *taken[8192];
	u32 nr = 0, nr_free, freer = host_hart;

	page_drain_caches();
	while ((taken[nr] = page_alloc(0, PK_ANON, REF_PTE, holder, 0)))
		nr++;
	assert_true(nr > 100 && nr < ARRAY_SIZE(taken));
	assert_int_equal(page_nr_free(), 0);
	nr_harts = 2;
	for (u32 i = 0; i < 5; i++)
		page_put(taken[--nr], REF_PTE, holder);
	assert_int_equal(page_nr_parked(), 5);
	host_hart = 1;
	for (u32 i = 0; i < 5; i++)
		assert_non_null(taken[nr++] = page_alloc(0, PK_ANON, REF_PTE, holder, 0));
	assert_null(page_alloc(0, PK_ANON, REF_PTE, holder, 0));
	assert_sound(page_check());
	host_hart = freer;
	while (nr > 0)
		page_put(taken[--nr], REF_PTE, holder);
	nr_free = page_nr_free();
	assert_true(page_nr_parked() > 0);
	page_drain_caches();
	assert_int_equal(page_nr_parked(), 0);
	assert_int_equal(page_nr_free(), nr_free);
	assert_sound(page_check());
	nr_harts = 1;
}

/* Pages that wait in a cache are given back when a larger block is missing them. */
static void test_parked_for_a_block(void **state)
{
	static struct page *taken[8192];
	struct page *block;
	u32 nr = 0;

	page_drain_caches();
	while ((taken[nr] = page_alloc(0, PK_ANON, REF_PTE, holder, 0)))
		nr++;
	for (u32 i = 0; i < nr; i++) {
		pfn_t pfn = page_to_pfn(taken[i]);

		if (pfn % 4 == 0 && i + 4 <= nr && page_to_pfn(taken[i + 3]) == pfn + 3) {
			for (u32 k = 0; k < 4; k++)
				page_put(taken[i + k], REF_PTE, holder);
			memmove(&taken[i], &taken[i + 4], (nr - i - 4) * sizeof(taken[0]));
			nr -= 4;
			break;
		}
	}
	assert_int_equal(page_nr_parked(), 4);
	block = page_alloc(2, PK_ANON, REF_PTE, holder, 0);
	assert_non_null(block);
	page_put(block, REF_PTE, holder);
	while (nr > 0)
		page_put(taken[--nr], REF_PTE, holder);
	assert_sound(page_check());
}

/* ---- reclaim, and failures that are asked for ---- */

static u32 nr_reclaims, reclaim_gives;
static struct page *hoard[8192];
static u32 nr_hoard;

static struct task *reclaimer; /* who is inside, as the page cache's lock tells it */

static u32 reclaim(u32 nr_wanted)
{
	u32 nr = 0;

	if (reclaimer == this_hart()->current)
		return 0;
	nr_reclaims++;
	reclaimer = this_hart()->current;
	assert_null(page_alloc(0, PK_ANON, REF_PTE, holder, 0)); /* no reclaim inside reclaim */
	reclaimer = NULL;
	for (; nr < reclaim_gives && nr_hoard; nr++)
		page_put(hoard[--nr_hoard], REF_PTE, holder);
	return nr;
}

static void fill_memory(void)
{
	for (nr_hoard = 0; (hoard[nr_hoard] = page_alloc(0, PK_ANON, REF_PTE, holder, 0)); nr_hoard++)
		;
}

#define NR_WAITING 100

/* While it waits for its turn, another task runs out of memory, and so on; the last one's turn comes first. */
static u32 reclaim_waiting(u32 nr_wanted)
{
	static int tasks[NR_WAITING];
	struct task *self = this_hart()->current;
	struct page *page;

	if (++nr_reclaims < NR_WAITING) {
		this_hart()->current = (struct task *)&tasks[nr_reclaims];
		page = page_alloc(0, PK_ANON, REF_PTE, holder, 0);
		assert_non_null(page);
		hoard[nr_hoard++] = page;
		this_hart()->current = self;
	}
	page_put(hoard[--nr_hoard], REF_PTE, holder);
	return 1;
}

/* RECLAIM-2: . */
static void test_reclaim_of_many(void **state)
{
	static int somebody;
	struct page *page;

	fill_memory();
	page_set_reclaim(reclaim_waiting);
	nr_reclaims = 0;
	this_hart()->current = (struct task *)&somebody;
	page = page_alloc(0, PK_ANON, REF_PTE, holder, 0);
	assert_non_null(page);
	hoard[nr_hoard++] = page;
	assert_int_equal(nr_reclaims, NR_WAITING);
	page_set_reclaim(NULL);
	this_hart()->current = NULL;
	while (nr_hoard)
		page_put(hoard[--nr_hoard], REF_PTE, holder);
	assert_sound(page_check());
}

static void test_reclaim(void **state)
{
	static int somebody;
	struct page *page;
	u64 nr_free = page_nr_free();

	fill_memory();
	page_set_reclaim(reclaim);
	nr_reclaims = 0;
	assert_null(page_alloc(0, PK_ANON, REF_PTE, holder, 0)); /* no task: may not sleep */
	assert_int_equal(nr_reclaims, 0);
	this_hart()->current = (struct task *)&somebody;
	irq_push(); /* a lock is held */
	assert_null(page_alloc(0, PK_ANON, REF_PTE, holder, ALLOC_NORECLAIM));
	if (HOST_PANICS()) {
		assert_non_null(
		    strstr(host_panic_text, "no ALLOC_NORECLAIM")); /* and no lock is held any more */
	} else {
		page_alloc(0, PK_ANON, REF_PTE, holder, 0);
		fail();
	}
	assert_int_equal(nr_reclaims, 0);
	assert_null(page_alloc(0, PK_ANON, REF_PTE, holder, ALLOC_NORECLAIM));
	assert_int_equal(nr_reclaims, 0);
	reclaim_gives = 3;
	page = page_alloc(0, PK_ANON, REF_PTE, holder, 0);
	assert_non_null(page);
	assert_int_equal(nr_reclaims, 1);
	page_put(page, REF_PTE, holder);
	reclaim_gives = 0;
	while (page_alloc(0, PK_ANON, REF_PTE, holder, 0) && nr_reclaims < 100)
		;
	assert_int_equal(nr_reclaims, 2); /* nothing came: not asked again and again */
	page_set_reclaim(NULL);
	this_hart()->current = NULL;
	while (nr_hoard)
		page_put(hoard[--nr_hoard], REF_PTE, holder);
	assert_true(page_nr_free() <= nr_free && page_nr_free() + 4 >= nr_free);
	assert_sound(page_check());
}

static void test_fail_hook(void **state)
{
	u64 nr_free = page_nr_free();

	host_fail_nth(3);
	for (u32 i = 1; i <= 5; i++) {
		struct page *page = page_alloc(0, PK_ANON, REF_PTE, holder, 0);

		assert_int_equal(page == NULL, i == 3);
		if (page)
			page_put(page, REF_PTE, holder);
	}
	host_fail_nth(0);
	assert_int_equal(page_nr_free(), nr_free);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reclaim),
	    cmocka_unit_test(test_reclaim_of_many),
	    cmocka_unit_test(test_fail_hook),
	    cmocka_unit_test(test_steal),
	    cmocka_unit_test(test_parked_for_a_block),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
