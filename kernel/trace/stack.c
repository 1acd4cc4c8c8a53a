/* SPDX-License-Identifier: MIT */
/*
 * From a place in the code to the number of its stack: the walk along the frames, and a way around it.
 *
 * Problem: nearly every record has a stack, and a walk costs 20 instructions a frame: the next frame must be bounded,
 * its address checked, hashed, stored, and the whole compared with the depot's. With nine frames that is three quarters
 * of the record. But the same few stacks come again and again.
 *
 * Idea: each hart remembers stacks it has walked, by (place in the code, depth in the stack, caller). When these are the
 * same, it only follows the frames and looks whether the same return addresses lie in them: four instructions a frame, and then
 * the number is known.
 *
 *     entry: place 0x..a31c, depth 0x7a0          the stack now
 *       ra 0x..21d5a                              frame-8: 0x..21d5a, equal; frame-16: the caller's frame
 *       ra 0x..22166                              its -8:  0x..22166, equal; its -16:  the next frame
 *       ra 0x..00142                              its -8:  0x..00142, equal: stack 113
 *
 * Why nothing is bounded there: a return address says which function goes on, and each keeps its frame pointer in a place
 * of its own. From the first frame on, which is given, an equal address means that behind it lies a frame of the same
 * function, as it did when the stack was walked. This does not hold across an interrupt in the kernel, which may have come
 * while a frame was made: a stack with such a frame is walked each time. A fault in a user copy is no such interrupt.
 *
 * The outer half of a system call's stack is always the same, and is not looked at: behind a function that is called from
 * one place (ARCH_OUTERMOST) lies that place.
 *
 * STACK-1  an entry's id is in the depot, and its ra[] are the first of that stack's, up to one that has the others behind it.
 * STACK-2  a frame is followed only behind a return address that was found equal.
 * STACK-3  only its own hart reads or writes a cache, and no interrupt handler writes (its stacks are never remembered).
 *
 * With `trace.check_stacks` among the boot arguments each walk is made and compared with what is remembered.
 * This file alone is compiled without frame pointers and with tail calls: see kernel.mk.
 */
#include <kernel/lib.h>

#include "trace_priv.h"

STATIC_ASSERT(1UL << STACK_DEPTH_BITS == ARCH_STACK_BYTES, "a tag has the depth");

/*
 * What a hart remembers: entries in the order in which they were put, and an index of eight places for each. Those with one tag are a
 * chain by `next`, and the heads of the chains that have one place in the index a chain by `other`. Nothing is taken out; when
 * there is no room, all is forgotten.
 */
struct stack_cache {
	struct cached_stack **index; /* &nothing: a free place */
	struct cached_stack *entries;
	u32 nr, max;
	u32 shift; /* 64 - the bits of a place */
};
static struct stack_cache stack_caches[NR_HARTS_MAX];
static bool check_caches; /* trace.check_stacks */

static u32 not_remembered(const u8 *from, u32 skip, u64 site, const struct cached_stack *entry)
{
	return trace_stack_walk(from, skip, site);
}
static struct cached_stack nothing = {.check = not_remembered, .other = &nothing};
static struct cached_stack *no_index = &nothing; /* of a hart that walks every stack */

/*
 * The place, its caller and, in the upper bits, which are the same in all places, the depth. No two of these have one
 * tag, as all code is within CODE_BITS (kernel.ld): functions that many call have many stacks at one place.
 */
static inline u64 tag_of(const void *frame, u64 site)
{
	return (site ^ (u64)frame << (64 - STACK_DEPTH_BITS)) + (arch_caller(frame) << CODE_BITS);
}

/* The upper bits of a product depend on all bits, so tags spread over the index. */
#define MULTIPLIER 0x9e3779b97f4a7c15UL

/* Of the heads that stand there the one with the tag, or `nothing`. */
static inline struct cached_stack *find_head(const struct stack_cache *cache, u64 tag,
					     struct cached_stack ***place)
{
	struct cached_stack *head;

	*place = &cache->index[tag * MULTIPLIER >> cache->shift];
	for (head = **place; head != &nothing && head->tag != tag; head = head->other)
		;
	return head;
}

/* Another tag stands first. */
static __attribute__((noinline)) u32 look_further(const u8 *from, u32 skip, u64 site,
						  const struct cached_stack *entry, u64 tag)
{
	do
		entry = entry->other;
	while (entry != &nothing && entry->tag != tag);
	return entry->check(from, skip, site, entry);
}

/* check_N looks at N return addresses behind the caller's; written out, as a loop would double the cost. */
#define SAME(i) (frame = *(const u8 *const *)(frame - 16), *(const u32 *)(frame - 8) == entry->ra[i])
#define CHECK(n, conditions)                                                                                 \
	static u32 check_##n(const u8 *from, u32 skip, u64 site, const struct cached_stack *entry)           \
	{                                                                                                    \
		const u8 *frame = from;                                                                      \
                                                                                                             \
		return LIKELY(conditions) ? entry->id : entry->next->check(from, skip, site, entry->next);   \
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
static u32 check_0(const u8 *from, u32 skip, u64 site, const struct cached_stack *entry)
{
	return entry->id;
}
static const stack_check checks[STACK_CACHE_FRAMES] = {check_0,  check_1,  check_2,  check_3, check_4,
						       check_5,  check_6,  check_7,  check_8, check_9,
						       check_10, check_11, check_12, check_13};

static void stack_cache_clear(struct stack_cache *cache)
{
	cache->nr = 0;
	for (u32 i = 0; i < STACK_INDEX_PLACES(cache->max); i++)
		cache->index[i] = &nothing;
}

void stack_cache_put(u32 hart, const void *frame, u64 site, const u32 *ra, u32 nr_frames, u32 id)
{
	struct stack_cache *cache = &stack_caches[hart];
	u64 tag = tag_of(frame, site);
	struct cached_stack **place, *head, *entry;

	if (!id || !nr_frames || nr_frames > STACK_CACHE_FRAMES)
		return;
	if (cache->nr == cache->max)
		stack_cache_clear(cache);
	entry = &cache->entries[cache->nr++];
	head = find_head(cache, tag, &place);
	entry->tag = tag;
	entry->check = checks[nr_frames - 1];
	entry->id = id;
	entry->nr = nr_frames - 1;
	entry->next = &nothing;
	entry->other = &nothing;
	for (u32 i = 1; i < nr_frames; i++)
		entry->ra[i - 1] = ra[i];
	if (head != &nothing) {
		entry->next = head->next;
		head->next = entry;
	} else if (*place != &nothing) { /* the first one there stays the first */
		entry->other = (*place)->other;
		(*place)->other = entry;
	} else {
		*place = entry;
	}
}

/* Nearly always the stack is one that this hart has seen lately. */
u32 trace_stack_find(const void *frame, u32 skip)
{
	u64 site = ARCH_RETURN_ADDRESS();
	const struct hart *hart = this_hart();
	u64 tag = tag_of(frame, site);
	const struct cached_stack *entry =
	    hart->stack_index[tag * hart->stack_multiplier >> hart->stack_index_shift];

	return LIKELY(entry->tag == tag) ? entry->check(frame, skip, site, entry)
					 : look_further(frame, skip, site, entry, tag);
}

u32 stack_cache_find(u32 hart, const void *frame, u64 site)
{
	struct cached_stack **place;
	const struct cached_stack *entry = find_head(&stack_caches[hart], tag_of(frame, site), &place);

	for (; entry != &nothing; entry = entry->next) {
		const u64 *at = frame;
		bool same = true;

		for (u32 i = 0; same && i < entry->nr; i++) {
			at = (const u64 *)at[-2];
			same = (u32)at[-1] == entry->ra[i];
		}
		if (same)
			return entry->id;
	}
	return 0;
}

/* Of nr return addresses those that say what the others are. */
static inline u32 nr_telling(const u32 *ra, u32 nr)
{
	while (nr > 1 && arch_caller_known(ra[nr - 2]))
		nr--;
	return nr;
}

u32 trace_stack_walk(const void *frame, u32 skip, u64 site)
{
	u64 words[TRACE_STACK_FRAMES / 2] = {0}, address, hash = 0;
	u32 *next = (u32 *)words, *const end = next + TRACE_STACK_FRAMES;
	u32 nr_skip = ARCH_SKIPPED_FRAMES(skip), nr, nr_walked, id;
	u32 addresses[STACK_CACHE_FRAMES], *ra = addresses;
	struct arch_unwind unwind;

	if (skip == 0 && site) {
		hash = depot_hash(hash, site);
		*next++ = (u32)site;
	}
	arch_unwind_begin(&unwind, frame);
	while (next < end && arch_unwind_next(&unwind, &address)) {
		*ra++ = (u32)address;
		if (nr_skip) {
			nr_skip--;
			continue;
		}
		hash = depot_hash(hash, address);
		*next++ = (u32)address;
	}
	nr = (u32)(next - (u32 *)words);
	nr_walked = (u32)(ra - addresses);
	id = nr ? depot_id(words, nr, hash) : 0;
	if (UNLIKELY(check_caches)) {
		u32 known = stack_cache_find(hart_index(), frame, site);

		if (known && known != id)
			panic("stack %u is remembered as %u", id, known);
	}
	if (unwind.fixed && nr_walked)
		stack_cache_put(hart_index(), frame, site, addresses, nr_telling(addresses, nr_walked), id);
	return id;
}

void stack_cache_use(u32 hart)
{
	harts[hart].stack_index_shift = (u8)stack_caches[hart].shift;
	harts[hart].stack_index = stack_caches[hart].index;
	harts[hart].stack_multiplier = MULTIPLIER;
}

static void stack_cache_bypass(u32 hart)
{
	harts[hart].stack_index = &no_index;
	harts[hart].stack_multiplier = 0; /* always the first place */
}

void stack_cache_init(u32 hart, void *memory, u32 max)
{
	struct stack_cache *cache = &stack_caches[hart];

	*cache = (struct stack_cache){
	    .entries = memory,
	    .index = (struct cached_stack **)((struct cached_stack *)memory + max),
	    .max = max,
	    .shift = 64 - (u32)__builtin_ctz(STACK_INDEX_PLACES(max)),
	};
	stack_cache_clear(cache);
	check_caches = bootarg("trace.check_stacks", NULL, 0) && ARCH_FRAMES;
	if (check_caches || !ARCH_FRAMES)
		stack_cache_bypass(hart);
	else
		stack_cache_use(hart);
}
