/* SPDX-License-Identifier: MIT
 *
 * follow: the lives; see follow.h.
 */
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "follow_priv.h"
#include "freed.h"
#include "guest.h"
#include "hooks.h"
#include "qemu_api.h"
#include "unwind.h"

#define LINKS_MAX (LIVES_MAX * 2)
#define STACK_SPAN 16384
#define SCAN_SPAN 8192
#define GETTER_DEPTH 4
#define HOLDER_SPAN 256    /* of a structure that holds an object */
#define REFERENCES_MAX 256 /* of one page; more are not followed */

struct link {
	uint32_t life, next;
};

struct life *lives;
uint64_t follow_clock, follow_window;
uint32_t nr_lives, lives_used = 1, *life_heads;

static uint64_t blind; /* callbacks in which registers were not found */
static struct link *links;
static uint32_t links_used = 1, free_link, free_life;
static uint32_t *begun;      /* by page: how many page lives began there */
static uint16_t *references; /* by page: how many live; all of a page are looked at one after the other */

bool follow_wanted(void)
{
	return hooks.follow;
}

bool follow_init(void)
{
	uint64_t nr = guest_ram_bytes() >> PAGE_SHIFT;

	alias_init();
	follow_window = hooks.stack_window;
	lives = calloc(LIVES_MAX, sizeof(*lives));
	links = calloc(LINKS_MAX, sizeof(*links));
	life_heads = calloc(nr, sizeof(*life_heads));
	begun = calloc(nr, sizeof(*begun));
	references = calloc(nr, sizeof(*references));
	return lives && links && life_heads && begun && references && locations_init() && frames_init() &&
	       freed_init();
}

struct life *life_at(uint32_t i)
{
	return &lives[i];
}

uint32_t life_next(uint64_t index, uint32_t *link)
{
	*link = *link ? links[*link].next : life_heads[index];
	return *link ? links[*link].life : 0;
}

/* ---- the hart at hand ---- */

struct moment follow_moment(unsigned hart)
{
	static const uint64_t unknown[32];
	const uint64_t *x = qemu_registers(hart);

	follow_clock++;
	blind += !x && nr_lives;
	return (struct moment){hart, x ? x : unknown};
}

uint64_t follow_blind(void)
{
	return blind;
}

uint64_t follow_word(const struct moment *moment, uint64_t va, bool *there)
{
	const uint8_t *host = guest_va(moment->hart, va, 8);
	uint64_t word = 0;

	*there = host != NULL;
	if (host)
		memcpy(&word, host, 8);
	return word;
}

uint32_t follow_unwind(const struct moment *moment, uint64_t pc, uint64_t ra, uint64_t stack[LIFE_FRAMES])
{
	uint64_t sp = moment->x[REG_SP], fp = moment->x[REG_FP], last = sp;
	uint32_t nr = 0;
	bool there;

	if (pc)
		stack[nr++] = pc;
	if (ra)
		stack[nr++] = ra;
	while (nr < LIFE_FRAMES && !(fp & 7) && fp >= last && fp - sp < STACK_SPAN) {
		uint64_t back = follow_word(moment, fp - 8, &there);
		if (!there || !unwind_is_text(back))
			break;
		stack[nr++] = back;
		last = fp + 1;
		fp = follow_word(moment, fp - 16, &there);
	}
	return nr;
}

/* ---- lives ---- */

static uint64_t page_pa(uint64_t index)
{
	return guest_ram_base() + (index << PAGE_SHIFT);
}

/* Has the user asked for what lives here? */
static bool is_wanted(enum life_kind kind, uint64_t index, uint64_t base)
{
	const struct ranges *wanted = &hooks.follow_only[kind];

	uint64_t address = kind == LIFE_OBJECT || kind == LIFE_OBJECT_REFERENCE ? base : page_pa(index);

	return freed_wanted(kind, address) || ranges_have_sorted(wanted, address);
}

static void chain(uint64_t index, uint32_t life)
{
	uint32_t link = free_link;

	if (link)
		free_link = links[link].next;
	else if (links_used < LINKS_MAX)
		link = links_used++;
	else
		return;
	links[link] = (struct link){life, life_heads[index]};
	life_heads[index] = link;
}

static void unchain(uint64_t index, uint32_t life)
{
	for (uint32_t *at = &life_heads[index]; *at; at = &links[*at].next) {
		uint32_t link = *at;
		if (links[link].life != life)
			continue;
		*at = links[link].next;
		links[link].next = free_link;
		free_link = link;
		return;
	}
}

static void end(uint32_t i)
{
	struct life *life = &lives[i];

	locations_forget(i);
	frames_forget(i);
	references[life->index] -= life_is_reference(life);
	for (uint64_t k = 0; k < life->nr_pages; k++)
		unchain(life->index + k, i);
	life->alive = false;
	life->first = free_life; /* the list of free ones */
	free_life = i;
	nr_lives--;
}

/* What is on the stack already counts for a reference: the pointer was there before the get. */
static void scan_stack(const struct moment *moment, uint32_t i)
{
	uint64_t sp = moment->x[REG_SP], top = window_of(sp - 1) + follow_window;
	enum alias_form form = ALIAS_LINEAR;
	bool there;

	if (top - sp > SCAN_SPAN)
		top = sp + SCAN_SPAN;
	for (uint64_t va = sp & ~7ULL; va + 8 <= top; va += 8) {
		uint64_t word = follow_word(moment, va, &there);
		uint64_t alias = there ? alias_of(word, 8, &form) : 0;
		if (alias == lives[i].index + 1 && form != ALIAS_NUMBER)
			location_add(moment, i, va, 8, 0, false);
	}
}

static uint32_t begin(const struct moment *moment, enum life_kind kind, uint64_t index, uint64_t nr_pages,
		      uint64_t base, uint64_t bytes)
{
	uint32_t i = free_life;
	struct life *life;

	if (i)
		free_life = lives[i].first;
	else if (lives_used < LIVES_MAX)
		i = lives_used++;
	else
		return 0;
	life = &lives[i];
	*life = (struct life){.kind = kind,
			      .alive = true,
			      .index = index,
			      .nr_pages = nr_pages,
			      .base = base,
			      .bytes = bytes,
			      .by_observer = follow_observing(moment),
			      .window = window_of(moment->x[REG_SP] - 1)};
	life->nr_born = follow_unwind(moment, 0, moment->x[REG_RA], life->born);
	for (uint64_t k = 0; k < nr_pages; k++)
		chain(index + k, i);
	nr_lives++;
	return i;
}

/* The caller has it now: its frame is the one whose frame pointer we see at its return address. */
static void caller_holds(const struct moment *moment, uint32_t i)
{
	if (i)
		frame_hold(moment, i, moment->x[REG_FP], moment->x[REG_RA]);
}

/* Ends the lives of a page that are of these kinds and begin at `base`; base 0: wherever they begin. */
static void end_those(uint64_t index, uint32_t kinds, uint64_t base)
{
	uint32_t link = 0, i;

	while ((i = life_next(index, &link))) {
		if (!(kinds >> lives[i].kind & 1) || (base && lives[i].base != base))
			continue;
		end(i);
		link = 0; /* the chain has changed */
	}
}

void follow_page_begin(unsigned hart, uint64_t pa, uint64_t nr_pages)
{
	uint64_t index = alias_index(pa);

	alias_find_pages(hart);
	if (index == NONE || index + nr_pages > alias_nr_pages())
		return;
	begun[index]++;
	for (uint64_t k = 0; k < nr_pages; k++)
		freed_handed_out(LIFE_PAGE, page_pa(index + k));
	if (!is_wanted(LIFE_PAGE, index, 0))
		return;
	struct moment moment = follow_moment(hart);
	end_those(index, 1U << LIFE_PAGE | 1U << LIFE_REFERENCE, 0);
	uint32_t i = begin(&moment, LIFE_PAGE, index, nr_pages, alias_linear(index), nr_pages << PAGE_SHIFT);
	lives[i].nth = begun[index];
	caller_holds(&moment, i);
}

void follow_page_end(unsigned hart, uint64_t pa, uint64_t nr_pages)
{
	uint64_t index = alias_index(pa), va;

	if (index == NONE || index + nr_pages > alias_nr_pages() || (!nr_lives && !freed_any()))
		return;
	struct moment moment = follow_moment(hart);
	for (uint64_t k = 0; k < nr_pages; k++) {
		if (freed_wanted(LIFE_PAGE, page_pa(index + k)))
			freed_now(&moment, LIFE_PAGE, page_pa(index + k), PAGE_BYTES, begun[index]);
	}
	va = alias_linear(index);
	/* First its own, else what lay in it would die as if somebody had lost it here. */
	for (uint64_t k = 0; k < nr_pages; k++)
		end_those(index + k, 1U << LIFE_PAGE | 1U << LIFE_REFERENCE, 0);
	if (va)
		locations_freed(&moment, va, va + (nr_pages << PAGE_SHIFT), moment.x[REG_RA]);
}

void follow_object_begin(unsigned hart, uint64_t va, uint64_t bytes)
{
	uint64_t pa = guest_linear(va), index = pa == NONE ? NONE : alias_index(pa);

	if (index != NONE)
		freed_handed_out(LIFE_OBJECT, pa);
	if (index == NONE || !is_wanted(LIFE_OBJECT, index, va))
		return;
	struct moment moment = follow_moment(hart);
	end_those(index, 1U << LIFE_OBJECT | 1U << LIFE_OBJECT_REFERENCE, va);
	caller_holds(&moment, begin(&moment, LIFE_OBJECT, index, 1, va, bytes));
}

void follow_object_end(unsigned hart, uint64_t va)
{
	uint64_t pa = guest_linear(va), index = pa == NONE ? NONE : alias_index(pa), bytes = 0;
	uint32_t link = 0, i;

	if (index == NONE || (!nr_lives && !freed_any()))
		return;
	struct moment moment = follow_moment(hart);
	while ((i = life_next(index, &link))) {
		if (lives[i].kind == LIFE_OBJECT && lives[i].base == va)
			bytes = lives[i].bytes;
	}
	if (freed_wanted(LIFE_OBJECT, va))
		freed_now(&moment, LIFE_OBJECT, pa, bytes, 0);
	end_those(index, 1U << LIFE_OBJECT | 1U << LIFE_OBJECT_REFERENCE, va);
	if (bytes)
		locations_freed(&moment, va, va + bytes, moment.x[REG_RA]);
}

void follow_reference_begin(unsigned hart, uint64_t pa, uint64_t ref, uint64_t holder)
{
	uint64_t index = alias_index(pa);

	if (index == NONE || (!freed_any() && !is_wanted(LIFE_REFERENCE, index, 0)))
		return;
	struct moment moment = follow_moment(hart);
	freed_got(&moment, LIFE_PAGE, pa);
	if (!is_wanted(LIFE_REFERENCE, index, 0) || references[index] == REFERENCES_MAX)
		return;
	alias_find_pages(hart);
	uint32_t i = begin(&moment, LIFE_REFERENCE, index, 1, alias_linear(index), PAGE_BYTES);
	references[index] += i != 0;
	lives[i].lasting = ref < 64 && hooks.follow_lasting >> ref & 1;
	lives[i].ref = ref;
	lives[i].holder = holder;
	if (i && !lives[i].lasting)
		scan_stack(&moment, i);
	caller_holds(&moment, i);
}

/* One reference of the page was given back: whoever was given the page has done it, and is not to blame for the others. */
static void forget_given(uint64_t index)
{
	uint32_t link = 0, i;

	while ((i = life_next(index, &link))) {
		if (!life_is_of_object(&lives[i]) && !lives[i].final)
			lives[i].nr_given = 0;
	}
}

/* The one of this kind and holder that is on this stack, else any. */
void follow_reference_end(unsigned hart, uint64_t pa, uint64_t ref, uint64_t holder)
{
	uint64_t index = alias_index(pa);
	uint32_t link = 0, i, found = 0;

	if (index == NONE || (!nr_lives && !freed_any()))
		return;
	struct moment moment = follow_moment(hart);
	uint64_t window = window_of(moment.x[REG_SP] - 1);
	while ((i = life_next(index, &link))) {
		if (lives[i].kind != LIFE_REFERENCE || lives[i].ref != ref || lives[i].holder != holder)
			continue;
		if (!found || (lives[found].window != window && lives[i].window == window))
			found = i;
	}
	if (found)
		end(found);
	forget_given(index);
}

/* ---- references to objects ---- */

/* The object itself, if it is followed; 0. Its bytes are told to references, which know only where it begins. */
static uint32_t object_at(uint64_t index, uint64_t va)
{
	uint32_t link = 0, i;

	while ((i = life_next(index, &link))) {
		if (lives[i].kind == LIFE_OBJECT && lives[i].base == va)
			return i;
	}
	return 0;
}

/*
 * Who called the function that got it? inode_dup() is told by what it calls, and its caller has the reference. Who returns the
 * pointer need not be passed over, but these may have no result.
 */
static void getter_holds(const struct moment *moment, uint32_t i)
{
	uint64_t fp = moment->x[REG_FP], pc = moment->x[REG_RA];
	const struct function_hook *function;
	bool there = true;

	for (unsigned depth = 0; depth < GETTER_DEPTH && there; depth++) {
		function = hooks_function_around(pc);
		if (!function || !function->transparent)
			break;
		pc = follow_word(moment, fp - 8, &there);
		fp = follow_word(moment, fp - 16, &there);
	}
	if (there)
		frame_hold(moment, i, fp, pc);
}

/*
 * A structure that was given the pointer before the get (proc->cwd = inode; inode_pass(inode, REF_CWD, ...)) holds the
 * reference: the location within the structure where that is known, else the newest location of the object, if it was stored
 * since the get before.
 */
static void adopt_location(const struct moment *moment, uint32_t i, uint32_t object, uint64_t holder)
{
	const struct location *newest = NULL, *at;
	bool there = false;

	for (uint32_t k = object ? lives[object].first : 0; k && !there; k = at->older) {
		at = location_at(k);
		there = at->va - holder < HOLDER_SPAN;
		if (there || (!at->on_stack && !at->saved && (!newest || at->when > newest->when)))
			newest = at;
	}
	if (newest && (there || newest->when > lives[object].got))
		location_add(moment, i, newest->va, newest->bytes, newest->pc, false);
}

void follow_object_reference_begin(unsigned hart, uint64_t va, uint64_t ref, uint64_t holder, uint64_t at)
{
	uint64_t pa = guest_linear(va), index = pa == NONE ? NONE : alias_index(pa);

	if (index == NONE || (!freed_any() && !is_wanted(LIFE_OBJECT_REFERENCE, index, va)))
		return;
	struct moment moment = follow_moment(hart);
	freed_got(&moment, LIFE_OBJECT, pa);
	if (!is_wanted(LIFE_OBJECT_REFERENCE, index, va) || references[index] == REFERENCES_MAX)
		return;
	uint32_t object = object_at(index, va), i;
	i = begin(&moment, LIFE_OBJECT_REFERENCE, index, 1, va, object ? lives[object].bytes : 1);
	if (!i)
		return;
	references[index]++;
	lives[i].lasting = ref < 64 && hooks.follow_lasting >> ref & 1;
	lives[i].ref = ref;
	lives[i].holder = holder;
	if (lives[i].lasting)
		adopt_location(&moment, i, object, at);
	getter_holds(&moment, i);
	lives[object].got = follow_clock; /* 0 is nobody's */
}

void follow_object_reference_end(unsigned hart, uint64_t va, uint64_t ref, uint64_t holder)
{
	uint64_t pa = guest_linear(va), index = pa == NONE ? NONE : alias_index(pa);
	uint32_t link = 0, i, found = 0;

	if (index == NONE || (!nr_lives && !freed_any()))
		return;
	struct moment moment = follow_moment(hart);
	freed_again(&moment, LIFE_OBJECT, pa);
	uint64_t window = window_of(moment.x[REG_SP] - 1);
	while ((i = life_next(index, &link))) {
		if (lives[i].kind != LIFE_OBJECT_REFERENCE || lives[i].base != va)
			continue;
		if (!lives[i].final)
			lives[i].nr_given = 0;
		if (lives[i].ref == ref && lives[i].holder == holder &&
		    (!found || (lives[found].window != window && lives[i].window == window)))
			found = i;
	}
	if (found)
		end(found);
}

void follow_put_begins(unsigned hart, uint64_t pa, bool may_free)
{
	if (!freed_any() || !freed_wanted(LIFE_PAGE, pa))
		return;
	struct moment moment = follow_moment(hart);
	freed_again(&moment, LIFE_PAGE, pa);
	if (may_free)
		freed_put_begins(pa);
}

void follow_page_put(uint64_t pa)
{
	uint64_t index = alias_index(pa);

	if (index != NONE && nr_lives)
		forget_given(index);
}

void follow_stack_end(unsigned hart, uint64_t va)
{
	if (!nr_lives)
		return;
	struct moment moment = follow_moment(hart);
	uint64_t window = window_of(va);
	frames_stack_end(&moment, window);
	locations_freed(&moment, window, window + follow_window, moment.x[REG_RA]);
}
