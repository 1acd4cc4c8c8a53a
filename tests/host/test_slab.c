/* SPDX-License-Identifier: MIT */
/* Slab caches: random life against a model, and what a wrong free or a stray write does. */
#include <host/host_test.h>
#include <kernel/audit.h>
#include <kernel/slab.h>
#include <stdlib.h>

enum { OBJECTS = 3000, CACHES = 5 };

static struct kmem_cache *caches_under_test[CACHES];
static const u32 sizes[CACHES] = {8, 40, 200, 511, 2000};

static struct object {
	u8 *start;
	u32 cache;
	u8 fill;
} objects[OBJECTS];
static u32 nr_objects;

static int boot(void **state)
{
	static const char *const names[CACHES] = {"tiny", "forty", "hundreds", "odd", "large"};

	host_boot(16UL << 20, 2);
	for (u32 i = 0; i < CACHES; i++)
		caches_under_test[i] = kmem_cache_create(names[i], sizes[i]);
	return 0;
}

static void model_alloc(void)
{
	struct object object = {.cache = (u32)host_random_below(CACHES), .fill = (u8)host_random()};
	struct kmem_object found;

	object.start = kmem_cache_alloc(caches_under_test[object.cache], HOLDER_NONE, 0);
	assert_non_null(object.start);
	assert_int_equal((u64)object.start % 8, 0);
	for (u32 i = 0; i < sizes[object.cache]; i++)
		assert_int_equal(object.start[i], 0);
	memset(object.start, object.fill, sizes[object.cache]);
	assert_true(kmem_find_object(object.start + host_random_below(sizes[object.cache]), &found));
	assert_ptr_equal(found.start, object.start);
	assert_ptr_equal(found.cache, caches_under_test[object.cache]);
	assert_true(found.live);
	objects[nr_objects++] = object;
}

static void model_free(u32 i)
{
	struct kmem_object found;

	for (u32 at = 0; at < sizes[objects[i].cache]; at++)
		assert_int_equal(objects[i].start[at], objects[i].fill);
	kmem_cache_free(caches_under_test[objects[i].cache], objects[i].start, HOLDER_NONE);
	assert_true(!kmem_find_object(objects[i].start, &found) || !found.live);
	objects[i] = objects[--nr_objects];
}

static void model_check(void)
{
	u32 live[CACHES] = {0};

	assert_sound(kmem_check());
	assert_sound(page_check());
	for (u32 i = 0; i < nr_objects; i++)
		live[objects[i].cache]++;
	for (u32 i = 0; i < CACHES; i++) {
		struct kmem_cache_stats stats;

		kmem_cache_stats(i, &stats);
		assert_int_equal(stats.nr_live, live[i]);
		assert_int_equal(stats.nr_allocs - stats.nr_frees, live[i]);
		assert_true(stats.object_bytes >= sizes[i]);
		assert_true(stats.nr_slabs * stats.per_slab >= live[i]);
	}
}

static void test_random(void **state)
{
	u64 nr_free = page_nr_free();

	host_random_start();
	for (u32 step = 0; step < 40000; step++) {
		/* waves: mostly growing, then mostly shrinking, so that slabs come and go */
		bool grow = host_random_below(10) < (step / 4000 % 2 ? 3 : 7);

		if (nr_objects == 0 || (grow && nr_objects < OBJECTS))
			model_alloc();
		else
			model_free((u32)host_random_below(nr_objects));
		if (step % 256 == 0)
			model_check();
	}
	while (nr_objects)
		model_free(nr_objects - 1);
	model_check();
	assert_true(page_nr_free() + CACHES >= nr_free); /* one empty slab each may stay */
	kmem_cache_shrink_all();
	assert_int_equal(page_nr_free(), nr_free);
	assert_int_equal(audit_nr_incidents(), 0);
}

static void test_wrong_frees(void **state)
{
	u8 *a = kmem_cache_alloc(caches_under_test[1], HOLDER_NONE, 0),
	   *b = kmem_cache_alloc(caches_under_test[1], HOLDER_NONE, 0);
	u32 before = audit_nr_incidents();
	static u64 foreign[8];

	host_log_clear();
	kmem_cache_free(caches_under_test[1], a, HOLDER_NONE);
	kmem_cache_free(caches_under_test[1], a, HOLDER_NONE);
	assert_non_null(strstr(host_log, "DBL"));
	kmem_cache_free(caches_under_test[1], b + 8, HOLDER_NONE);
	kmem_cache_free(caches_under_test[2], b, HOLDER_NONE);
	kmem_cache_free(caches_under_test[1], page_to_va(va_to_page(b)), HOLDER_NONE); /* the slab's header */
	kmem_cache_free(caches_under_test[1], foreign, HOLDER_NONE);
	kmem_cache_free(caches_under_test[1], NULL, HOLDER_NONE);
	assert_int_equal(audit_nr_incidents() - before, 6);
	assert_non_null(strstr(host_log, "OBJSTALE"));
	assert_sound(kmem_check());
	kmem_cache_free(caches_under_test[1], b, HOLDER_NONE);
	assert_int_equal(audit_nr_incidents() - before, 6);
	assert_sound(kmem_check());
}

/* A live object knows who allocated it, a dead one who freed it. */
static void test_tags(void **state)
{
	static const u32 birth[] = {0x200100}, death[] = {0x200200};
	struct kmem_object found;
	const u32 *frames;
	void *object, *other = kmem_cache_alloc(caches_under_test[1], HOLDER_NONE, 0);

	host_set_stack(birth, 1);
	object = kmem_cache_alloc(caches_under_test[1], HOLDER_NONE, 0);
	assert_true(kmem_find_object(object, &found) && found.live);
	assert_int_equal(trace_stack_frames(found.stack, &frames), 1);
	assert_int_equal(frames[0], birth[0]);
	host_set_stack(death, 1);
	kmem_cache_free(caches_under_test[1], object, HOLDER_NONE);
	assert_true(kmem_find_object(object, &found) && !found.live);
	assert_int_equal(trace_stack_frames(found.stack, &frames), 1);
	assert_int_equal(frames[0], death[0]);
	kmem_cache_free(caches_under_test[1], other, HOLDER_NONE);
}

static void test_stray_write(void **state)
{
	u8 *a = kmem_cache_alloc(caches_under_test[2], HOLDER_NONE, 0);
	u32 before = audit_nr_incidents();

	kmem_cache_free(caches_under_test[2], a, HOLDER_NONE);
	a[100] = 1;
	assert_non_null(strstr(kmem_check(), "SLAB-3"));
	assert_ptr_equal(kmem_cache_alloc(caches_under_test[2], HOLDER_NONE, 0), a);
	assert_int_equal(audit_nr_incidents() - before, 1);
	assert_int_equal(a[100], 0);
	assert_sound(kmem_check());
	kmem_cache_free(caches_under_test[2], a, HOLDER_NONE);
}

/* Each allocation of a walk may fail, at the object or at its page; nothing is lost either way. */
static void test_no_memory(void **state)
{
	void *got[40];
	u64 nr_free;

	kmem_cache_shrink_all();
	nr_free = page_nr_free();
	for (u64 n = 1;; n++) {
		u32 nr = 0, nr_null = 0;

		host_fail_nth(n);
		for (u32 i = 0; i < ARRAY_SIZE(got); i++) {
			got[nr] = kmem_cache_alloc(caches_under_test[4], HOLDER_NONE, 0);
			if (got[nr])
				nr++;
			else
				nr_null++;
		}
		assert_int_equal(nr_null, host_failed);
		while (nr)
			kmem_cache_free(caches_under_test[4], got[--nr], HOLDER_NONE);
		kmem_cache_shrink_all();
		assert_sound(kmem_check());
		assert_int_equal(page_nr_free(), nr_free);
		if (!host_failed)
			break;
	}
	host_fail_nth(0);
}

/* SLAB-4: the count of live objects follows the trace. */
static void test_events(void **state)
{
	struct trace_record records[8];
	void *a = kmem_cache_alloc(caches_under_test[3], HOLDER(5, 77), 0),
	     *b = kmem_cache_alloc(caches_under_test[3], HOLDER_NONE, 0);
	const struct trace_payload_object *payload = &records[0].payload.ev_payload_obj_alloc;

	kmem_cache_free(caches_under_test[3], b, HOLDER_NONE);
	kmem_cache_free(caches_under_test[3], a, HOLDER(5, 77));
	assert_int_equal(trace_newest(records, 2 * 32), 32); /* two rings share the room */
	assert_int_equal(records[0].event, EV_obj_free);
	assert_int_equal(payload->obj, va_to_pa(a) / 8);
	assert_int_equal(payload->cache, 3);
	assert_int_equal(payload->live, 0);
	assert_int_equal(payload->holder, 5);
	assert_int_equal(payload->index, 77);
}

static void test_check_can_fail(void **state)
{
	u8 *a = kmem_cache_alloc(caches_under_test[0], HOLDER_NONE, 0);
	u64 *header = page_to_va(va_to_page(a));
	struct page *page = va_to_page(a);

	assert_sound(kmem_check());
	for (u32 word = 0; word < 5; word++) { /* magic and id, in use and capacity, the bitmap */
		header[word] ^= 0x100000001UL;
		if (word != 4) /* bits 64.. belong to objects that are free: live there breaks the sum */
			assert_non_null(kmem_check());
		header[word] ^= 0x100000001UL;
	}
	page->prev = 3;
	assert_non_null(strstr(kmem_check(), "SLAB-1"));
	page->prev = PFN_NONE;
	assert_sound(kmem_check());
	kmem_cache_free(caches_under_test[0], a, HOLDER_NONE);
}

static void test_too_many_caches(void **state)
{
	if (HOST_PANICS()) {
		assert_non_null(strstr(host_panic_text, "kmem_cache_create"));
		return;
	}
	for (u32 i = 0; i <= NR_CACHES_MAX; i++)
		kmem_cache_create("more", 64);
	fail();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random),         cmocka_unit_test(test_wrong_frees),
	    cmocka_unit_test(test_stray_write),    cmocka_unit_test(test_tags),
	    cmocka_unit_test(test_no_memory),      cmocka_unit_test(test_events),
	    cmocka_unit_test(test_check_can_fail), cmocka_unit_test(test_too_many_caches),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
