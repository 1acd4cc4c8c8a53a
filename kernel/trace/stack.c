/* SPDX-License-Identifier: MIT */
/*
 * From a place in the code to the number of its stack: the walk along the frames, and a way around it.
 *
 * Problem: nearly every record has a stack, and a walk costs 14 instructions a frame: the next frame must be bounded,
 * its address checked, hashed, stored, and the whole compared with the depot's. With nine frames that is three quarters
 * of the record. But the same few stacks come again and again.
 *
 * Idea: each hart remembers stacks it has walked, by (place in the code, depth in the stack), with where each return
 * address lay. When the place and the depth are the same, it only looks whether the same return addresses still lie
 * there: five instructions a frame, and then the number is known.
 *
 *     entry: place 0x..a31c, depth 0x7a0          the stack now
 *       at -8    ra 0x..21d5a                     frame-8    0x..21d5a   equal
 *       at +56   ra 0x..22166                     frame+56   0x..22166   equal
 *       at +120  ra 0x..00142                     frame+120  0x..00142   equal: stack 113
 *
 * Why that is exact: a function's frame has one size, so a return address, which says which function goes on, also says
 * where that function's frame ends, and there is the next return address. From the first frame on, which is given, equal
 * addresses at the known places mean equal frames. This does not hold across an interrupt in the kernel, whose
 * frame may lie anywhere below the interrupted one: a stack with such a frame is walked each time.
 *
 * STACK-1  an entry's id is in the depot, and its at[] and ra[] are those of that stack.
 * STACK-2  an entry's places lie within the stack for every frame at its depth: all stacks have one size and alignment.
 * STACK-3  only its own hart reads or writes a cache, and no interrupt handler writes (its stacks are never remembered).
 *
 * With `trace.check_stacks` among the boot arguments each walk is made and compared with what is remembered.
 * This file alone is compiled without frame pointers and with tail calls: see kernel.mk.
 */
#include <kernel/lib.h>

#include "trace_priv.h"

STATIC_ASSERT(1UL << STACK_DEPTH_BITS == ARCH_STACK_BYTES, "STACK-2");

static struct cached_stack *checked_caches[NR_HARTS_MAX]; /* trace.check_stacks */

/* The place and, in the upper bits, which are the same in all places, the depth. */
static inline u64 tag_of(const void *frame, u64 site)
{
	return site ^ (u64)frame << (64 - STACK_DEPTH_BITS);
}

/* The first of the entries that a stack may be in. */
static inline struct cached_stack *set_of(struct cached_stack *cache, const void *frame, u64 site)
{
	u64 caller = ((const u64 *)frame)[-1]; /* functions that many call have many stacks at one place */
	/* The upper bits of a product depend on all bits, so stacks that differ in one of the three spread over all sets. */
	u64 mixed = (tag_of(frame, site) ^ caller >> 1) * 0x9e3779b97f4a7c15UL;

	return &cache[(mixed >> this_hart()->stack_cache_shift) * STACK_CACHE_WAYS];
}

/* Not this entry: the other one of its set, then the walk. */
static u32 other_way(const u8 *from, u32 skip, u64 site, const struct cached_stack *entry)
{
	entry++;
	if ((u64)entry % (STACK_CACHE_WAYS * sizeof(*entry)) && entry->tag == tag_of(from, site))
		return entry->check(from, skip, site, entry);
	return trace_stack_walk(from, skip, site);
}

/*
 * check_N looks at N return addresses; written out, as a loop would double the cost. `from` is where they are counted
 * from, the frame of the function that records.
 */
#define SAME(i) (*(const u32 *)(from + entry->at[i]) == entry->ra[i])
#define CHECK(n, conditions)                                                                                 \
	static u32 check_##n(const u8 *from, u32 skip, u64 site, const struct cached_stack *entry)           \
	{                                                                                                    \
		return LIKELY(conditions) ? entry->id : other_way(from, skip, site, entry);                  \
	}
#define SAME_1 SAME(0)
#define SAME_2 SAME_1 &&SAME(1)
#define SAME_3 SAME_2 &&SAME(2)
#define SAME_4 SAME_3 &&SAME(3)
#define SAME_5 SAME_4 &&SAME(4)
#define SAME_6 SAME_5 &&SAME(5)
#define SAME_7 SAME_6 &&SAME(6)
#define SAME_8 SAME_7 &&SAME(7)
#define SAME_9 SAME_8 &&SAME(8)
#define SAME_10 SAME_9 &&SAME(9)
#define SAME_11 SAME_10 &&SAME(10)
#define SAME_12 SAME_11 &&SAME(11)
#define SAME_13 SAME_12 &&SAME(12)
#define SAME_14 SAME_13 &&SAME(13)
CHECK(1, SAME_1)
CHECK(2, SAME_2)
CHECK(3, SAME_3)
CHECK(4, SAME_4)
CHECK(5, SAME_5)
CHECK(6, SAME_6)
CHECK(7, SAME_7)
CHECK(8, SAME_8)
CHECK(9, SAME_9)
CHECK(10, SAME_10)
CHECK(11, SAME_11)
CHECK(12, SAME_12)
CHECK(13, SAME_13)
CHECK(14, SAME_14)
static const stack_check checks[STACK_CACHE_FRAMES + 1] = {
    NULL,    check_1, check_2,  check_3,  check_4,  check_5,  check_6,  check_7,
    check_8, check_9, check_10, check_11, check_12, check_13, check_14,
};

/* In words and in line: memcpy would cost a sixth of a stack that is not remembered. */
static inline __attribute__((always_inline)) void entry_copy(struct cached_stack *to,
							     const struct cached_stack *from)
{
	u64 *to_words = (u64 *)to;
	const u64 *words = (const u64 *)from;

	STATIC_ASSERT(offsetof(struct cached_stack, pad) == 14 * sizeof(u64), "all that means something");
#pragma GCC unroll 14
	for (u32 i = 0; i < 14; i++)
		to_words[i] = words[i];
}

void stack_cache_put(struct cached_stack *cache, const void *frame, u64 site, struct cached_stack *fresh,
		     u32 nr_frames, u32 id)
{
	struct cached_stack *set = set_of(cache, frame, site);

	if (!id || !nr_frames || nr_frames > STACK_CACHE_FRAMES)
		return;
	fresh->tag = tag_of(frame, site);
	fresh->check = checks[nr_frames];
	fresh->id = id;
	fresh->nr = nr_frames;
	entry_copy(&set[1], &set[0]);
	entry_copy(&set[0], fresh);
}

/* Nearly always the stack is one that this hart has seen lately. */
u32 trace_stack_find(const void *frame, u32 skip)
{
	u64 site = ARCH_RETURN_ADDRESS();
	struct cached_stack *cache = this_hart()->stack_cache;

	if (LIKELY(cache)) {
		const struct cached_stack *entry = set_of(cache, frame, site);

		return LIKELY(entry->tag == tag_of(frame, site)) ? entry->check(frame, skip, site, entry)
								 : other_way(frame, skip, site, entry);
	}
	return trace_stack_walk(frame, skip, site);
}

u32 stack_cache_find(const struct cached_stack *cache, const void *frame, u64 site)
{
	const struct cached_stack *set = set_of((struct cached_stack *)cache, frame, site);

	for (u32 way = 0; way < STACK_CACHE_WAYS; way++) {
		const struct cached_stack *entry = &set[way];
		bool same = entry->tag == tag_of(frame, site);

		for (u32 i = 0; same && i < entry->nr; i++)
			same = *(const u32 *)((const u8 *)frame + entry->at[i]) == entry->ra[i];
		if (same)
			return entry->id;
	}
	return 0;
}

u32 trace_stack_walk(const void *frame, u32 skip, u64 site)
{
	struct cached_stack *cache = this_hart()->stack_cache, fresh;
	u32 nr_walked = 0, nr_skip = ARCH_SKIPPED_FRAMES(skip), nr = 0, id, known;
	u64 words[TRACE_STACK_FRAMES / 2] = {0}, address, hash = 0;
	u32 *frames = (u32 *)words, *ra = fresh.ra;
	s16 *at = fresh.at;
	struct arch_unwind unwind;
	bool fixed = true;

	if (skip == 0 && site) {
		hash = depot_hash(hash, site);
		frames[nr++] = (u32)site;
	}
	arch_unwind_begin(&unwind, frame);
	while (nr < TRACE_STACK_FRAMES) {
		u64 fp = unwind.fp;

		if (!arch_unwind_next(&unwind, &address))
			break;
		if (nr_walked < STACK_CACHE_FRAMES) {
			*at++ = (s16)(fp - 8 - (u64)frame);
			*ra++ = (u32)address;
		}
		nr_walked++;
		fixed = fixed && arch_frame_fixed(fp, address);
		if (nr_skip) {
			nr_skip--;
			continue;
		}
		hash = depot_hash(hash, address);
		frames[nr++] = (u32)address;
	}
	id = nr ? depot_id(words, nr, hash) : 0;
	if (UNLIKELY(checked_caches[hart_index()])) {
		cache = checked_caches[hart_index()];
		known = stack_cache_find(cache, frame, site);
		if (known && known != id)
			panic("stack %u is remembered as %u", id, known);
	}
	if (cache && fixed)
		stack_cache_put(cache, frame, site, &fresh, nr_walked, id);
	return id;
}

void stack_cache_clear(u32 hart, void *memory, u32 set_bits)
{
	harts[hart].stack_cache_shift = (u8)(64 - set_bits);
	memset(memory, 0, STACK_CACHE_BYTES(set_bits));
	for (u32 i = 0; i < STACK_CACHE_WAYS << set_bits; i++)
		((struct cached_stack *)memory)[i].check = other_way; /* for a tag that is 0, too */
}

void stack_cache_init(u32 hart, void *memory, u32 set_bits)
{
	bool check = bootarg("trace.check_stacks", NULL, 0);

	stack_cache_clear(hart, memory, set_bits);
	harts[hart].stack_cache = check || !ARCH_FRAMES ? NULL : memory;
	checked_caches[hart] = check && ARCH_FRAMES ? memory : NULL;
}
