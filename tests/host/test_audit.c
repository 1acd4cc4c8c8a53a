/* SPDX-License-Identifier: MIT */
/*
 * The auditor on a healthy little world, and then on one broken in every way that it has a verdict for. After each
 * break is mended the audit must be clean again. What it does with its findings is tested in test_audit_report.c.
 */
#include <host/audit_world.h>
#include <kernel/addrspace.h>
#include <kernel/kstack.h>
#include <stdlib.h>

/* Without those of checkers, which may see the same break from their side. */
static u32 nr_of_books(const struct audit_result *result)
{
	return result->nr_findings - result->nr_by_verdict[VERDICT_INVARIANT];
}

/* Exactly one finding of the books, of this verdict. */
static const struct finding *only(enum verdict verdict)
{
	const struct audit_result *result = world_audit(0);

	for (u32 i = 0; i < result->nr_kept && result->nr_findings != 1; i++)
		print_message("%s pfn 0x%x count %u claims %u\n", verdict_name(result->findings[i].verdict),
			      result->findings[i].pfn, result->findings[i].count, result->findings[i].claims);
	assert_int_equal(nr_of_books(result), 1);
	assert_int_equal(result->nr_by_verdict[verdict], 1);
	assert_int_equal(result->findings[0].verdict, verdict);
	return &result->findings[0];
}

/* Exactly one finding, a checker's. */
static const struct finding *only_broken(void)
{
	const struct audit_result *result = world_audit(0);

	assert_int_equal(result->nr_findings, 1);
	assert_int_equal(result->nr_by_verdict[VERDICT_INVARIANT], 1);
	return &result->findings[0];
}

static void test_clean_numbers(void **state)
{
	const struct audit_result *result = world_audit(0);

	assert_int_equal(result->nr_pages, 4096 - 512);
	assert_int_equal(result->nr_objects, 3 + 1 + 1 + 1);
	assert_int_equal(result->nr_parked, page_nr_parked());
	assert_int_equal(result->totals.nr_by_kind[PK_ANON], 8);
	assert_int_equal(result->totals.nr_by_kind[PK_KSTACK], 2);
}

/* AUDIT-2, PAGE-3: the finding names who is known to hold the page. */
static void test_over(void **state)
{
	const struct finding *finding;

	page_get(world.cache_page, REF_IO, HOLDER(4, 3)); /* and never returned */
	finding = only(VERDICT_OVER);
	assert_int_equal(finding->pfn, page_to_pfn(world.cache_page));
	assert_int_equal(finding->kind, PK_PAGECACHE);
	assert_int_equal(finding->count, 2);
	assert_int_equal(finding->claims, 1);
	assert_int_equal(finding->ref, REF_CACHE); /* who is known to hold it */
	assert_int_equal(finding->owner_id, 12);
	assert_int_equal(finding->owner_index, 3);
	page_put(world.cache_page, REF_IO, HOLDER(4, 3));
}

static void test_under(void **state)
{
	const struct finding *finding;

	world.claim_twice = true;
	finding = only(VERDICT_UNDER);
	assert_int_equal(finding->pfn, page_to_pfn(world.cache_page));
	assert_int_equal(finding->count, 1);
	assert_int_equal(finding->claims, 2);
	world.claim_twice = false;
}

/* Two address spaces map a page that has one reference. */
static void test_under_pte(void **state)
{
	pte_t *from = pt_walk(world.mm->root, 0x10000, world.mm->id, false),
	      *to = pt_walk(world.mm->root, 0x1f000, world.mm->id, true);

	*to = *from;
	assert_int_equal(only(VERDICT_UNDER)->claims, 2);
	*to = 0;
}

static void test_orphan(void **state)
{
	struct page *page = page_alloc(0, PK_ANON, REF_PTE, HOLDER(3, 5), 0);
	const struct finding *finding;

	page->count = 0; /* decremented behind the choke point's back */
	finding = only(VERDICT_ORPHAN);
	assert_int_equal(finding->pfn, page_to_pfn(page));
	assert_int_equal(finding->owner_id, 3);
	assert_int_equal(finding->owner_index, 5);
	page->count = 1;
	page_put(page, REF_PTE, HOLDER(3, 5));
}

static void test_under_at_zero(void **state)
{
	world.cache_page->count = 0; /* count 0, but the cache still holds it */
	assert_int_equal(only(VERDICT_UNDER)->count, 0);
	world.cache_page->count = 1;
}

static void test_unreach(void **state)
{
	const struct finding *finding;

	world.skip_page = true;
	finding = only(VERDICT_UNREACH);
	assert_int_equal(finding->pfn, page_to_pfn(world.cache_page));
	assert_int_equal(finding->ref, REF_NONE);
	assert_int_equal(finding->owner_id, 12);
	world.skip_page = false;
}

/* The whole tree of a root that was forgotten (faults 1, 22, 27). */
static void test_unreach_tables(void **state)
{
	struct page *root = pt_create(77);
	const struct audit_result *result;

	*pt_walk(root, 0x5000, 77, true) = 0;
	result = world_audit(0);
	assert_int_equal(result->nr_by_verdict[VERDICT_UNREACH], 3);
	assert_int_equal(nr_of_books(result), 3);
	for (u32 i = 0; i < 3; i++) {
		assert_int_equal(result->findings[i].kind, PK_PAGETABLE);
		assert_int_equal(result->findings[i].owner_id, 77);
	}
	pt_destroy(root, 77);
}

/* An address space that is on its list and no task's: all that it has is lost, the mm itself too. */
static void test_unreach_forgotten_mm(void **state)
{
	const struct audit_result *result;

	world.skip_mm = true;
	result = world_audit(0);
	assert_int_equal(result->nr_by_verdict[VERDICT_OBJ], 2); /* mm, vma */
	assert_int_equal(result->nr_by_verdict[VERDICT_UNREACH],
			 8 + 3); /* pages, and tables of three levels */
	assert_int_equal(nr_of_books(result), 2 + 8 + 3);
	world.skip_mm = false;
}

/* A stack that its slot has, and no task. */
static void test_unreach_forgotten_stack(void **state)
{
	const struct audit_result *result;

	world.skip_stack = true;
	result = world_audit(0);
	assert_int_equal(result->nr_by_verdict[VERDICT_UNREACH], 2);
	assert_int_equal(nr_of_books(result), 2);
	world.skip_stack = false;
}

/* CLAIM-2: while somebody is at work anything may be in his hands, and lists are roots. */
static void test_lists_are_roots_while_there_is_work(void **state)
{
	world.skip_mm = world.skip_stack = true;
	world.user->count = 2;
	host_world_quiet = false;
	assert_int_equal(world_audit(0)->nr_findings, 0);
	host_world_quiet = true;
	world.skip_mm = world.skip_stack = false;
	world.user->count = 1;
}

static void test_unreach_block(void **state)
{
	struct page *page = page_alloc(4, PK_KERNEL, REF_OWNER, HOLDER_NONE, 0);

	only(VERDICT_UNREACH); /* a block is one finding, not sixteen */
	page_put(page, REF_OWNER, HOLDER_NONE);
}

static void test_object_lost(void **state)
{
	const struct finding *finding;

	world.skip_thing = true;
	finding = only(VERDICT_OBJ);
	assert_true(finding->is_object);
	assert_true(finding->object == (u64)world.things[1]);
	assert_string_equal(finding->cache_name, "thing");
	assert_int_not_equal(finding->stack, 0);
	world.skip_thing = false;
}

/* A reference to a counted object that nobody gave back: the finding says who is known to hold it. */
static void test_object_over(void **state)
{
	static char buf[8192];
	struct text text = {buf, sizeof(buf), 0};
	const struct finding *finding;

	world.user->count = 3;
	finding = only(VERDICT_OVER);
	assert_true(finding->is_object);
	assert_true(finding->object == (u64)world.user);
	assert_int_equal(finding->count, 3);
	assert_int_equal(finding->claims, 1);
	assert_int_equal(finding->ref, REF_FD);
	assert_int_equal(finding->owner_id, 4);
	assert_int_equal(finding->owner_index, 1);
	audit_format(world_audit(0), &text);
	assert_non_null(strstr(buf, "cache user count 3 claims 1 fd pid 4 descriptor 1 pid 0\n"));
	world.user->count = 1;
}

static void test_object_under(void **state)
{
	const struct finding *finding;

	world.claim_user_twice = true;
	finding = only(VERDICT_UNDER);
	assert_true(finding->is_object);
	assert_int_equal(finding->count, 1);
	assert_int_equal(finding->claims, 2);
	world.claim_user_twice = false;
}

/* Counted, and nobody who is known has it. */
static void test_object_of_nobody(void **state)
{
	const struct finding *finding;

	world.skip_user = true;
	finding = only(VERDICT_OBJ);
	assert_int_equal(finding->count, 1);
	assert_int_equal(finding->claims, 0);
	world.skip_user = false;
}

/* CLAIM-1: two that count each other. A cycle is reached from outside, or lost whole. */
static void test_cycle(void **state)
{
	struct world_user *other = kmem_cache_alloc(world.user_cache, HOLDER_NONE, 0);
	const struct audit_result *result;

	world.user->next = other;
	other->next = world.user;
	other->count = 1;
	world.user->count = 2;
	assert_int_equal(world_audit(0)->nr_findings, 0);
	world.skip_user = true;
	world.user->count = 1;
	result = world_audit(0);
	assert_int_equal(result->nr_by_verdict[VERDICT_OBJ], 2);
	assert_int_equal(nr_of_books(result), 2);
	world.skip_user = false;
	world.user->next = NULL;
	kmem_cache_free(world.user_cache, other, HOLDER_NONE);
}

static void test_objstale(void **state)
{
	void *dead = kmem_cache_alloc(world.thing_cache, HOLDER_NONE, 0);

	kmem_cache_free(world.thing_cache, dead, HOLDER_NONE);
	world.extra_object = dead;
	assert_string_equal(only(VERDICT_OBJSTALE)->cache_name, "thing");
	world.extra_object = (u8 *)world.things[0] + 8;
	only(VERDICT_OBJSTALE);
	world.extra_object = &world.extra_object; /* no slab, no RAM */
	only(VERDICT_OBJSTALE);
	world.extra_object = NULL;
}

static void test_stale(void **state)
{
	struct page *page = page_alloc(0, PK_ANON, REF_PTE, HOLDER(1, 1), 0);
	const struct finding *finding;

	page_put(page, REF_PTE, HOLDER(1, 1));
	world.extra_page = page; /* free */
	world.extra_ref = REF_PTE;
	world.extra_holder = HOLDER(9, 8);
	finding = only(VERDICT_STALE);
	assert_int_equal(finding->ref, REF_PTE);
	assert_int_equal(finding->owner_id, 9);
	assert_int_equal(finding->owner_index, 8);
	world.extra_page = NULL; /* not RAM at all */
	only(VERDICT_STALE);
	world.extra_ref = REF_NONE;
}

/* A reference to a page that lives, but is another's: STALE for the claim, UNDER for the count. */
static void test_stale_others(void **state)
{
	static const struct {
		enum ref_kind ref;
		u32 index;
	} wrong[] = {{REF_TABLE, 3}, {REF_PTE, 0},  {REF_KSTACK, 3}, {REF_SLAB, 3},
		     {REF_BOOT, 3},  {REF_PIPE, 3}, {REF_CACHE, 4},  {REF_DIRTY, 4}};

	for (u32 i = 0; i < ARRAY_SIZE(wrong); i++) {
		const struct audit_result *result;

		world.extra_ref = wrong[i].ref;
		world.extra_page = wrong[i].ref == REF_PTE ? world.mm->root : world.cache_page;
		world.extra_holder = HOLDER(12, wrong[i].index);
		result = world_audit(0);
		assert_int_equal(result->nr_by_verdict[VERDICT_STALE], 1);
		assert_int_equal(result->nr_by_verdict[VERDICT_UNDER], 1);
		assert_int_equal(nr_of_books(result), 2);
	}
	world.extra_ref = REF_NONE;
}

static void test_double_free(void **state)
{
	struct page *page = page_alloc(0, PK_ANON, REF_PTE, HOLDER(1, 1), 0);
	static const u32 first[] = {0x200111}, second[] = {0x200222};
	const struct finding *finding;
	const u32 *frames;

	host_set_stack(first, 1);
	page_put(page, REF_PTE, HOLDER(1, 1));
	host_set_stack(second, 1);
	page_put(page, REF_PTE, HOLDER(1, 1));
	finding = only(VERDICT_DBL);
	assert_int_equal(trace_stack_frames(finding->stack, &frames), 1);
	assert_int_equal(frames[0], first[0]);
	assert_int_equal(trace_stack_frames(finding->stack2, &frames), 1);
	assert_int_equal(frames[0], second[0]);
}

static void test_poison(void **state)
{
	struct page *page = page_alloc(0, PK_ANON, REF_PTE, HOLDER(1, 1), 0);
	const struct audit_result *result;

	page_put(page, REF_PTE, HOLDER(1, 1));
	((u8 *)page_to_va(page))[4000] = 0;
	assert_int_equal(nr_of_books(world_audit(0)), 0); /* not looked at */
	result = world_audit(AUDIT_POISON);
	assert_int_equal(nr_of_books(result), 1);
	assert_int_equal(result->findings[0].verdict, VERDICT_POISON);
	assert_int_equal(result->findings[0].pfn, page_to_pfn(page));
}

static void test_inuse(void **state)
{
	struct page *page = page_alloc(0, PK_PAGETABLE, REF_TABLE, HOLDER(1, 1), 0);
	const struct audit_result *result;

	host_active_roots[0] = page_to_pa(page);
	page_put(page, REF_TABLE, HOLDER(1, 1));
	result = world_audit(0);
	assert_int_equal(result->nr_by_verdict[VERDICT_INUSE], 1);
	assert_int_equal(result->nr_by_verdict[VERDICT_ORPHAN], 1); /* kept out of the free lists */
	assert_int_equal(nr_of_books(result), 2);
	host_active_roots[0] = 0;
	page->count = 1;
	page_put(page, REF_TABLE, HOLDER(1, 1));
}

static void test_identity(void **state)
{
	struct page *page = page_alloc(0, PK_ANON, REF_PTE, HOLDER(1, 1), 0);
	const struct audit_result *result;
	static char buf[8192];
	struct text text = {buf, sizeof(buf), 0};

	page->kind = PK_FREE; /* off the lists, yet free: one page is missing */
	page->count = 0;
	result = world_audit(0);
	assert_int_equal(result->nr_by_verdict[VERDICT_IDENTITY], 1);
	assert_int_equal(result->identity_difference, 1);
	audit_format(result, &text);
	assert_non_null(strstr(buf, "DIFFERS by 1 pages\n"));
	page->kind = PK_ANON;
	page->count = 1;
	page_put(page, REF_PTE, HOLDER(1, 1));
	world.cache_page->kind = PK_PIPE; /* the sum is right, the parts are not */
	world.extra_ref = REF_NONE;
	result = world_audit(0);
	assert_int_equal(result->nr_by_verdict[VERDICT_IDENTITY], 1);
	assert_int_equal(result->identity_difference, 0);
	world.cache_page->kind = PK_PAGECACHE;
}

/* Pages in a per-hart cache are counted, and are no finding. */
static void test_parked(void **state)
{
	struct page *page = page_alloc(0, PK_ANON, REF_PTE, HOLDER(1, 1), 0);
	const struct audit_result *result;
	u32 parked;

	page_put(page, REF_PTE, HOLDER(1, 1));
	result = world_audit(0);
	assert_true(page_nr_parked() > 0);
	assert_int_equal(result->nr_parked, page_nr_parked());
	assert_int_equal(result->totals.nr_by_kind[PK_PCP], page_nr_parked());
	assert_int_equal(nr_of_books(result), 0);

	page = page_alloc(0, PK_ANON, REF_PTE, HOLDER(1, 1), 0);
	parked = page_nr_parked();
	page->kind = PK_PCP;
	page->count = 0;
	result = world_audit(0);
	assert_int_equal(result->nr_parked, parked + 1);
	assert_int_equal(result->nr_by_verdict[VERDICT_IDENTITY], 1); /* the totals do not know of it */
	assert_int_equal(nr_of_books(result), 1);
	page->kind = PK_ANON;
	page->count = 1;
	page_put(page, REF_PTE, HOLDER(1, 1));
}

/* A checker that is not content is a finding, once, with its words; one that is asked in the midst of work is not. */
static const char *broken_promise;

static const char *promise_check(void)
{
	assert_int_equal(host_world_stopped, 1);
	return broken_promise;
}

static void test_broken(void **state)
{
	static char buf[16384];
	struct text text = {buf, sizeof(buf), 0};
	const struct audit_result *result;

	audit_register_check("promise", promise_check);
	audit_register_check("promise", promise_check);
	assert_int_equal(world_audit(0)->nr_findings, 0);
	broken_promise = "P-1: not kept";
	result = world_audit(0);
	assert_int_equal(result->nr_findings, 1);
	assert_int_equal(result->findings[0].verdict, VERDICT_INVARIANT);
	audit_format(result, &text);
	assert_non_null(strstr(buf, "\nINVARIANT promise: P-1: not kept\nverdict: 1 findings\n"));
	host_world_quiet = false;
	assert_int_equal(world_audit(0)->nr_findings, 0);
	host_world_quiet = true;
	broken_promise = NULL;
}

/* A private leaf that may write a page with two holders, each of which is counted: only the checker sees it. */
static void test_writable_and_shared(void **state)
{
	struct mm *child = mm_fork(world.mm, 5, false);
	pte_t *pte = pt_walk(world.mm->root, 0x10000, world.mm->id, false);
	const struct finding *finding;

	assert_non_null(child);
	world.other_mm = child;
	*pte |= PTE_W;
	*pte &= ~PTE_COW;
	finding = only_broken();
	assert_string_equal(finding->cache_name, "mm");
	assert_non_null(strstr(finding->broken, "PT-2: "));
	world.other_mm = NULL;
	mm_destroy(child);
}

/* More findings than are kept: the numbers stay right. */
static void test_many(void **state)
{
	static void *lost[300];
	const struct audit_result *result;

	for (u32 i = 0; i < 300; i++)
		lost[i] = kmem_cache_alloc(world.thing_cache, HOLDER_NONE, 0);
	world.skip_page = true;
	result = world_audit(0);
	assert_int_equal(result->nr_by_verdict[VERDICT_OBJ], 300);
	assert_int_equal(result->nr_by_verdict[VERDICT_UNREACH], 1);
	assert_int_equal(nr_of_books(result), 301);
	world.skip_page = false;
	for (u32 i = 0; i < 300; i++)
		kmem_cache_free(world.thing_cache, lost[i], HOLDER_NONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_is_clean, world_is_clean)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_clean_numbers),
	    TEST(test_over),
	    TEST(test_under),
	    TEST(test_under_pte),
	    TEST(test_orphan),
	    TEST(test_under_at_zero),
	    TEST(test_unreach),
	    TEST(test_unreach_tables),
	    TEST(test_unreach_block),
	    TEST(test_unreach_forgotten_mm),
	    TEST(test_object_lost),
	    TEST(test_objstale),
	    TEST(test_stale),
	    TEST(test_stale_others),
	    TEST(test_double_free),
	    TEST(test_poison),
	    TEST(test_inuse),
	    TEST(test_identity),
	    TEST(test_parked),
	    TEST(test_many),
	    TEST(test_broken),
	    TEST(test_writable_and_shared),
	    TEST(test_object_over),
	    TEST(test_object_under),
	    TEST(test_object_of_nobody),
	    TEST(test_cycle),
	    TEST(test_unreach_forgotten_stack),
	    TEST(test_lists_are_roots_while_there_is_work),
	};

	return cmocka_run_group_tests(tests, world_boot, NULL);
}
