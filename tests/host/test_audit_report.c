/* SPDX-License-Identifier: MIT */
/*
 * What becomes of an audit: whether it waited until nothing moves, its text, its events in the trace, what is counted
 * when there is more than it keeps, and the audit at the machine's end.
 */
#include <host/audit_world.h>
#include <stdlib.h>

static u32 nr_busy, nr_yields;

static u32 busy(void)
{
	return nr_busy;
}

static void yield(void)
{
	assert_int_equal(host_world_stopped, 0);
	if (++nr_yields == 3)
		nr_busy = 0;
}

static void test_quiet(void **state)
{
	static int task;

	this_hart()->current = (struct task *)&task;
	audit_set_busy_hook(busy);
	audit_set_yield_hook(yield);
	nr_busy = 2;
	assert_false(world_audit(0)->quiet);
	assert_int_equal(nr_yields, 0);
	assert_true(world_audit(AUDIT_WAIT)->quiet);
	assert_int_equal(nr_yields, 3);
	host_world_quiet = false;
	assert_false(world_audit(AUDIT_WAIT)->quiet); /* bounded */
	host_world_quiet = true;
	audit_set_busy_hook(NULL);
	audit_set_yield_hook(NULL);
	this_hart()->current = NULL;
}

static void test_text(void **state)
{
	static char buf[16384];
	struct text text = {buf, sizeof(buf), 0};
	u64 ram = 0, sum = 0;
	char *at;

	audit_format(world_audit(0), &text);
	assert_true(text.length_bytes < sizeof(buf));
	assert_non_null(strstr(buf, "verdict: clean\n"));
	at = strchr(buf, '\n');
	assert_memory_equal(at - 4, "  OK", 4);
	ram = strtoul(buf + 4, &at, 10);
	while ((at = strpbrk(at, "=+"))) { /* "= firmware 512 + image 3 ..." */
		at += 2 + strcspn(at + 2, " ");
		sum += strtoul(at, &at, 10);
		if (at[0] == ' ' && at[1] == ' ')
			break;
	}
	assert_int_equal(ram, 4096);
	assert_int_equal(sum, ram);

	text.length_bytes = 0;
	page_get(world.cache_page, REF_IO, HOLDER(4, 3));
	world.skip_thing = true;
	audit_format(world_audit(0), &text);
	assert_non_null(strstr(buf, "OVER 1  leaked reference: the count is above the holders found\n"));
	assert_non_null(
	    strstr(buf, "pagecache count 2 claims 1 cache inode 12 page index 3 pid 0\n  from 200"));
	assert_non_null(strstr(buf, "OBJ 1  unreachable object: live, and nothing points to it\n"));
	assert_non_null(strstr(buf, " cache thing pid 0\n"));
	assert_non_null(strstr(buf, "verdict: 2 findings\n"));
	world.skip_thing = false;
	page_put(world.cache_page, REF_IO, HOLDER(4, 3));
}

static void test_events(void **state)
{
	struct trace_record records[4];

	page_get(world.cache_page, REF_IO, HOLDER(4, 3));
	world_audit(0);
	assert_int_equal(trace_newest(records, 4 * 32), 64); /* two rings share the room */
	assert_int_equal(records[0].event, EV_finding);
	assert_int_equal(records[0].kind, VERDICT_OVER);
	assert_int_equal(records[0].stack, world.cache_page->stack);
	assert_int_equal(records[0].payload.ev_payload_finding.where, page_to_pfn(world.cache_page));
	assert_int_equal(records[0].payload.ev_payload_finding.count, 2);
	assert_int_equal(records[0].payload.ev_payload_finding.claims, 1);
	assert_int_equal(records[1].event, EV_audit_done);
	assert_int_equal(records[1].payload.ev_payload_audit_done.findings, 1);
	assert_int_equal(records[1].payload.ev_payload_audit_done.quiet, 1);
	page_put(world.cache_page, REF_IO, HOLDER(4, 3));
}

/* Findings that the trace got since the last call, by verdict. */
static void count_recorded(u32 nr_by_verdict[VERDICT_NR])
{
	static struct trace_record records[4096];
	static u64 since;
	u64 nr = trace_newest(records, sizeof(records)) / sizeof(records[0]), newest = since;

	memset(nr_by_verdict, 0, VERDICT_NR * sizeof(nr_by_verdict[0]));
	for (u64 i = 0; i < nr; i++) {
		if (records[i].event == EV_finding && records[i].time > since)
			nr_by_verdict[records[i].kind]++;
		newest = MAX(newest, records[i].time);
	}
	since = newest;
}

/* More incidents than are kept for the audit: all are counted, by verdict, and the trace has each of them once. */
static void test_many_incidents(void **state)
{
	static char buf[32768];
	struct text text = {buf, sizeof(buf), 0};
	struct page *page = page_alloc(0, PK_ANON, REF_PTE, HOLDER(1, 1), 0);
	u32 nr_recorded[VERDICT_NR];
	const struct audit_result *result;

	count_recorded(nr_recorded);
	page_put(page, REF_PTE, HOLDER(1, 1));
	for (u32 i = 0; i < 48; i++)
		page_put(page, REF_PTE, HOLDER(1, 1));
	result = world_audit(0);
	assert_int_equal(result->nr_findings, 48);
	assert_int_equal(result->nr_by_verdict[VERDICT_DBL], 48);
	assert_int_equal(result->nr_kept, 32);
	for (u32 i = 0; i < result->nr_kept; i++)
		assert_int_equal(result->findings[i].verdict, VERDICT_DBL);
	count_recorded(nr_recorded);
	for (u32 verdict = 0; verdict < VERDICT_NR; verdict++)
		assert_int_equal(nr_recorded[verdict], verdict == VERDICT_DBL ? 48 : 0);
	audit_format(result, &text);
	assert_non_null(strstr(buf, "\nDBL 48  "));
	assert_non_null(strstr(buf, "\nand 16 more, not kept here: the trace has each of them\n"));
}

/* More findings than are kept, of a sort that comes from claims: those beyond go to the trace as well. */
static void test_many_stale(void **state)
{
	struct page *page = page_alloc(0, PK_ANON, REF_PTE, HOLDER(1, 1), 0);
	u32 nr_recorded[VERDICT_NR];
	const struct audit_result *result;

	page_put(page, REF_PTE, HOLDER(1, 1));
	count_recorded(nr_recorded);
	world.nr_extra_claims = AUDIT_FINDINGS_MAX + 10;
	world.extra_page = page;
	world.extra_ref = REF_PTE;
	result = world_audit(0);
	world.nr_extra_claims = 1;
	world.extra_ref = REF_NONE;
	assert_int_equal(result->nr_by_verdict[VERDICT_STALE], AUDIT_FINDINGS_MAX + 10);
	assert_int_equal(result->nr_kept, AUDIT_FINDINGS_MAX);
	count_recorded(nr_recorded);
	assert_int_equal(nr_recorded[VERDICT_STALE], AUDIT_FINDINGS_MAX + 10);
}

/* At the machine's end the claims of programs do not count: what they hold is found, what the kernel holds is not. */
static void test_end(void **state)
{
	const struct audit_result *result = world_audit(AUDIT_END);
	bool found = false;

	assert_int_equal(result->nr_by_verdict[VERDICT_OBJ],
			 ARRAY_SIZE(world.things) + 1 + 1 + 1); /* mm, its VMA, and the user */
	assert_int_equal(result->nr_by_verdict[VERDICT_UNREACH],
			 1 + result->totals.nr_by_kind[PK_ANON] + result->totals.nr_by_kind[PK_PAGETABLE]);
	for (u32 i = 0; i < result->nr_kept; i++) {
		assert_int_not_equal(result->findings[i].kind, PK_KSTACK);
		found = found || result->findings[i].pfn == page_to_pfn(world.cache_page);
	}
	assert_true(found);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_is_clean, world_is_clean)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_quiet),          TEST(test_text),       TEST(test_events),
	    TEST(test_many_incidents), TEST(test_many_stale), TEST(test_end),
	};

	return cmocka_run_group_tests(tests, world_boot, NULL);
}
