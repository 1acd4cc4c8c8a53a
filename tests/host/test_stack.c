/* SPDX-License-Identifier: MIT */
/*
 * What a hart remembers of stacks: found only where place, depth and every return address are the same (STACK-1, STACK-2).
 */
#include "../../kernel/trace/trace_priv.h"
#include <host/host_test.h>

static u64 stack[2 * ARCH_STACK_BYTES / 8] __attribute__((aligned(8192)));
#define SET_BITS 6U
static struct cached_stack cache[STACK_CACHE_WAYS << SET_BITS] __attribute__((aligned(256)));

#define SITE 0xffffffc080212346UL
#define FRAMES 5U
#define FRAME_BYTES 48

/* The function's frame ends at `frame`; those of its callers follow, each with its return address below its end. */
static void build(const u8 *frame, u32 seed)
{
	for (u32 i = 0; i < FRAMES; i++)
		*(u64 *)(frame + i * FRAME_BYTES - 8) = 0xffffffc080200000UL + seed * 64 + i * 2;
}

static void put(const u8 *frame, u32 id)
{
	struct cached_stack fresh = {0};

	for (u32 i = 0; i < FRAMES; i++) {
		fresh.at[i] = (s16)(i * FRAME_BYTES - 8);
		fresh.ra[i] = (u32) * (const u64 *)(frame + fresh.at[i]);
	}
	stack_cache_put(cache, frame, SITE, &fresh, FRAMES, id);
}

static int forget(void **state)
{
	stack_cache_clear(0, cache, SET_BITS);
	return 0;
}

static void test_every_address_counts(void **state)
{
	const u8 *frame = (u8 *)stack + 0x400;

	build(frame, 1);
	put(frame, 7);
	assert_int_equal(stack_cache_find(cache, frame, SITE), 7);
	for (u32 i = 1; i < FRAMES; i++) { /* the first one also says where to look */
		u64 *ra = (u64 *)(frame + i * FRAME_BYTES - 8);

		*ra += 2;
		assert_int_equal(stack_cache_find(cache, frame, SITE), 0);
		*ra -= 2;
		assert_int_equal(stack_cache_find(cache, frame, SITE), 7);
	}
	assert_int_equal(stack_cache_find(cache, frame, SITE + 4), 0);
	build(frame + 16, 1);
	assert_int_equal(stack_cache_find(cache, frame + 16, SITE), 0);
}

static void test_the_newer_ones_stay(void **state)
{
	const u8 *frame = (u8 *)stack + 0x400;
	u64 *last = (u64 *)(frame + (FRAMES - 1) * FRAME_BYTES - 8);

	for (u32 id = 1; id <= 3; id++) {
		build(frame, 1);
		*last += id * 2;
		put(frame, id);
	}
	for (u32 id = 1; id <= 3; id++) {
		build(frame, 1);
		*last += id * 2;
		assert_int_equal(stack_cache_find(cache, frame, SITE), id == 1 ? 0 : id);
	}
}

static void test_what_is_not_remembered(void **state)
{
	const u8 *frame = (u8 *)stack + 0x400;
	struct cached_stack fresh = {0};

	build(frame, 1);
	put(frame, 0); /* the depot was full */
	stack_cache_put(cache, frame, SITE, &fresh, STACK_CACHE_FRAMES + 1, 9);
	stack_cache_put(cache, frame, SITE, &fresh, 0, 9);
	assert_int_equal(stack_cache_find(cache, frame, SITE), 0);
}

/* The tag of place 0 at a stack's end is that of an entry not in use. */
static void test_an_entry_not_in_use_is_no_stack(void **state)
{
	static const u32 frames[] = {0x200111};
	u32 id;

	host_boot_trace(16UL << 20, 4UL << 20, 1);
	stack_cache_clear(0, cache, SET_BITS);
	harts[0].stack_cache = cache; /* on the host every stack is walked, but for this */
	host_set_stack(frames, 1);
	id = trace_stack_find((u8 *)stack + ARCH_STACK_BYTES - 16, 1);
	assert_int_not_equal(id, 0);
	assert_int_equal(trace_stack_find((u8 *)stack + ARCH_STACK_BYTES, 1), id);
	harts[0].stack_cache = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_every_address_counts, forget),
	    cmocka_unit_test_setup(test_the_newer_ones_stay, forget),
	    cmocka_unit_test_setup(test_what_is_not_remembered, forget),
	    cmocka_unit_test(test_an_entry_not_in_use_is_no_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
