/* SPDX-License-Identifier: MIT */
/*
 * What a hart remembers of stacks: found only where place, depth and every return address are the same (STACK-1, STACK-2).
 */
#include "../../kernel/trace/trace_priv.h"
#include <host/host_test.h>

static u64 stack[2 * ARCH_STACK_BYTES / 8] __attribute__((aligned(8192)));
#define NR_CACHED 64U
static u8 memory[STACK_CACHE_BYTES(NR_CACHED)] __attribute__((aligned(8)));

#define SITE 0xffffffc080212346UL
#define FRAMES 5U
#define FRAME_BYTES 48

/* The function's frame ends at `frame`; those of its callers follow: each keeps its return address and the next one's place. */
static void build(const u8 *frame, u32 seed)
{
	for (u32 i = 0; i < FRAMES; i++) {
		u64 *end = (u64 *)(frame + i * FRAME_BYTES);

		end[-1] = 0xffffffc080200000UL + seed * 64 + i * 2;
		end[-2] = i + 1 < FRAMES ? (u64)end + FRAME_BYTES : 0;
	}
}

static void put(const u8 *frame, u64 site, u32 id)
{
	u32 ra[FRAMES];

	for (u32 i = 0; i < FRAMES; i++)
		ra[i] = (u32) * (const u64 *)(frame + i * FRAME_BYTES - 8);
	stack_cache_put(0, frame, site, ra, FRAMES, id);
}

static u32 find(const u8 *frame, u64 site)
{
	return stack_cache_find(0, frame, site);
}

static int forget(void **state)
{
	stack_cache_init(0, memory, NR_CACHED);
	return 0;
}

static void test_every_address_counts(void **state)
{
	const u8 *frame = (u8 *)stack + 0x400;

	build(frame, 1);
	put(frame, SITE, 7);
	assert_int_equal(find(frame, SITE), 7);
	for (u32 i = 0; i < FRAMES; i++) {
		u64 *ra = (u64 *)(frame + i * FRAME_BYTES - 8);

		*ra += 2;
		assert_int_equal(find(frame, SITE), 0);
		*ra -= 2;
		assert_int_equal(find(frame, SITE), 7);
	}
	assert_int_equal(find(frame, SITE + 4), 0);
	build(frame + 16, 1);
	assert_int_equal(find(frame + 16, SITE), 0);
}

/* A frame that lies elsewhere than it did is followed: its place is in the frame before. */
static void test_frames_are_followed(void **state)
{
	const u8 *frame = (u8 *)stack + 0x400;
	u64 *second = (u64 *)(frame + FRAME_BYTES), *moved = (u64 *)(frame + FRAMES * FRAME_BYTES + 64);

	build(frame, 1);
	put(frame, SITE, 7);
	moved[-1] = second[-1];
	moved[-2] = second[-2];
	second[-1] = 0;
	((u64 *)frame)[-2] = (u64)moved;
	assert_int_equal(find(frame, SITE), 7);
}

/* Stacks of one place, caller and depth that differ further out. */
static void test_stacks_of_one_tag(void **state)
{
	const u8 *frame = (u8 *)stack + 0x400;
	u64 *last = (u64 *)(frame + (FRAMES - 1) * FRAME_BYTES - 8);

	build(frame, 1);
	for (u32 id = 1; id <= 20; id++) {
		*last += 2;
		assert_int_equal(find(frame, SITE), 0);
		put(frame, SITE, id);
	}
	for (u32 id = 20; id >= 1; id--, *last -= 2)
		assert_int_equal(find(frame, SITE), id);
	assert_int_equal(find(frame, SITE), 0);
}

/* Stacks whose tags have one place in the index. */
static void test_tags_of_one_place(void **state)
{
	const struct cached_stack *entries = (const struct cached_stack *)memory;
	const u8 *frame = (u8 *)stack + 0x400;
	u32 nr_behind = 0;

	build(frame, 1);
	for (u64 i = 0; i < NR_CACHED; i++)
		put(frame, SITE + i * i * 34, (u32)i + 1);
	for (u64 i = 0; i < NR_CACHED; i++) {
		nr_behind += entries[i].other >= entries && entries[i].other < entries + NR_CACHED;
		assert_int_equal(find(frame, SITE + i * i * 34), i + 1);
	}
	assert_true(nr_behind > 2);
}

/* Each is found until there is no room for one more; then that one alone, and none as another. */
static void test_all_are_found_until_all_are_forgotten(void **state)
{
	const u8 *frame = (u8 *)stack + 0x400;

	build(frame, 1);
	for (u32 round = 0; round < 3; round++) {
		for (u32 i = 0; i < NR_CACHED; i++)
			put(frame, SITE + (round * NR_CACHED + i) * 2, round * NR_CACHED + i + 1);
		for (u32 i = 0; i < (round + 2) * NR_CACHED; i++)
			assert_int_equal(find(frame, SITE + i * 2), i / NR_CACHED == round ? i + 1 : 0);
	}
}

static void test_what_is_not_remembered(void **state)
{
	const u8 *frame = (u8 *)stack + 0x400;
	static const u32 ra[STACK_CACHE_FRAMES + 1];

	build(frame, 1);
	put(frame, SITE, 0); /* the depot was full */
	stack_cache_put(0, frame, SITE, ra, STACK_CACHE_FRAMES + 1, 9);
	stack_cache_put(0, frame, SITE, ra, 0, 9);
	assert_int_equal(find(frame, SITE), 0);
}

/* What a record asks, by the functions of all lengths. */
static void test_a_record_finds_the_same(void **state)
{
	static const u32 frames[] = {0x200111};
	const u8 *frame = (u8 *)stack + 0x400;
	u32 walked;

	host_boot_trace(16UL << 20, 4UL << 20, 1);
	forget(NULL);
	host_set_stack(frames, 1);
	build(frame, 1);
	walked = trace_stack_find(frame, 1);
	assert_int_not_equal(walked, 0); /* on the host every stack is walked, but for this */
	stack_cache_use(0);
	assert_int_equal(trace_stack_find(frame, 1), walked);
	for (u32 nr = 1; nr <= FRAMES; nr++) {
		u32 ra[FRAMES];

		forget(NULL);
		stack_cache_use(0);
		for (u32 i = 0; i < nr; i++)
			ra[i] = (u32) * (const u64 *)(frame + i * FRAME_BYTES - 8);
		stack_cache_put(0, frame, 0, ra, nr, 1000 + nr);
		assert_int_equal(trace_stack_find(frame, 1), 1000 + nr);
		*(u64 *)(frame + (nr - 1) * FRAME_BYTES - 8) += 2;
		assert_int_equal(trace_stack_find(frame, 1), walked);
		*(u64 *)(frame + (nr - 1) * FRAME_BYTES - 8) -= 2;
		for (u32 i = nr; i < FRAMES; i++) /* what is further out is not looked at */
			((u64 *)(frame + i * FRAME_BYTES))[-1] ^= 2;
		assert_int_equal(trace_stack_find(frame, 1), 1000 + nr);
		build(frame, 1);
	}
}

/* The tag of an entry not in use is one that a stack may have. */
static void test_a_free_place_is_no_stack(void **state)
{
	static const u32 frames[] = {0x200111};
	u64 *frame = (u64 *)((u8 *)stack + ARCH_STACK_BYTES);
	u32 id;

	host_boot_trace(16UL << 20, 4UL << 20, 1);
	forget(NULL);
	stack_cache_use(0);
	host_set_stack(frames, 1);
	frame[-1] = 0;
	frame[-2] = 0;
	id = trace_stack_find(frame, 1); /* place 0, depth 0, caller 0 */
	assert_int_not_equal(id, 0);
	assert_int_equal(trace_stack_find(frame, 1), id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_every_address_counts, forget),
	    cmocka_unit_test_setup(test_frames_are_followed, forget),
	    cmocka_unit_test_setup(test_stacks_of_one_tag, forget),
	    cmocka_unit_test_setup(test_tags_of_one_place, forget),
	    cmocka_unit_test_setup(test_all_are_found_until_all_are_forgotten, forget),
	    cmocka_unit_test_setup(test_what_is_not_remembered, forget),
	    cmocka_unit_test(test_a_record_finds_the_same),
	    cmocka_unit_test(test_a_free_place_is_no_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
