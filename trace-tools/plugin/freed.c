/* SPDX-License-Identifier: MIT
 *
 * freed: see freed.h.
 */
#include "freed.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "calls.h"
#include "guest.h"
#include "hooks.h"
#include "qemu_api.h"
#include "stores.h"

#define KEPT 4 /* uses, further puts */
#define DANGLING 16
#define RUN_BYTES 64 /* between two stores of one loop */
#define BLOCK 1024

struct act_seen {
	uint64_t va, pc;
	uint32_t nr;
	uint64_t stack[LIFE_FRAMES];
};

/* What was done wrong with it: of few. */
struct misuse {
	uint64_t last_used;
	struct act_seen used[KEPT], again[KEPT];
	uint32_t nr_used, nr_again;
};

struct pointer_seen {
	uint64_t va, pc;
};

/* A free of a life before, from which on these lead to the range. */
struct earlier {
	struct act_seen by;
	struct pointer_seen since[DANGLING];
	uint32_t nr_since;
};

struct freed {
	struct freed *next;  /* of this page */
	enum life_kind kind; /* LIFE_PAGE, LIFE_OBJECT */
	uint64_t pa, bytes;  /* the range */
	uint64_t nth, when;
	bool putting;       /* a put is under way that may free it */
	bool free, freed;   /* now; ever */
	struct act_seen by; /* who freed it */
	struct pointer_seen dangling[DANGLING];
	uint32_t nr_dangling;
	struct misuse *misuse;   /* NULL: none so far */
	struct earlier *earlier; /* likewise */
};

static struct freed **of_page; /* the ranges that begin there */
uint16_t *freed_watched;

bool freed_init(void)
{
	of_page = calloc(alias_nr_pages(), sizeof(*of_page));
	freed_watched = calloc(alias_nr_pages(), sizeof(*freed_watched));
	return of_page && freed_watched;
}

bool freed_any(void)
{
	return hooks.follow_all || hooks.follow_freed.nr || hooks.follow_freed_objects.nr;
}

bool freed_wanted(enum life_kind kind, uint64_t address)
{
	return hooks.follow_all ||
	       (kind == LIFE_PAGE && ranges_have_sorted(&hooks.follow_freed, address & ~(PAGE_BYTES - 1))) ||
	       (kind == LIFE_OBJECT && ranges_have_sorted(&hooks.follow_freed_objects, address));
}

/* ---- records ---- */

static struct freed *record_of(enum life_kind kind, uint64_t pa)
{
	uint64_t index = alias_index(pa);
	struct freed *record = index == NONE ? NULL : of_page[index];

	if (kind == LIFE_PAGE)
		pa &= ~(PAGE_BYTES - 1);
	while (record && (record->kind != kind || record->pa != pa))
		record = record->next;
	return record;
}

/* They live as long as QEMU. NULL: out of memory. */
static struct freed *make_record(enum life_kind kind, uint64_t pa, uint64_t bytes)
{
	static struct freed *block;
	static uint32_t left;
	uint64_t index = alias_index(pa);

	if (!left)
		block = calloc(BLOCK, sizeof(*block));
	left = left ? left : BLOCK;
	if (!block || index == NONE) {
		left = block ? left : 0;
		return NULL;
	}
	struct freed *record = &block[--left];
	*record = (struct freed){.next = of_page[index], .kind = kind, .pa = pa, .bytes = bytes};
	of_page[index] = record;
	return record;
}

static struct freed *record_made(enum life_kind kind, uint64_t pa, uint64_t bytes)
{
	struct freed *record = record_of(kind, pa);

	return record || !bytes ? record : make_record(kind, pa, bytes);
}

static void set_state(struct freed *record, bool putting, bool free)
{
	uint64_t last = alias_index(record->pa + record->bytes - 1);
	bool was = record->putting || record->free, is = putting || free;

	record->putting = putting;
	record->free = free;
	for (uint64_t index = alias_index(record->pa); was != is && index != NONE && index <= last; index++)
		freed_watched[index] = (uint16_t)(freed_watched[index] + (is ? 1 : -1));
}

/* Is the return address that of the function at pc, and not one that it has called and gone on behind? */
static bool returns_from(const struct moment *moment, uint64_t pc, uint64_t ra)
{
	bool there;

	return !pc || (hooks_function_around(pc - 1) != hooks_function_around(ra - 1) &&
		       follow_word(moment, moment->x[REG_FP] - 8, &there) != ra);
}

/* Is this code of a function that frees, or puts? Who called it did it. */
static bool is_of_free(uint64_t pc)
{
	const struct function_hook *function = hooks_function_around(pc);
	bool is = function && function->transparent;

	for (uint32_t i = 0; i < hooks.nr_calls; i++)
		is |= ranges_have(&hooks.calls[i].push, pc);
	return is;
}

static void drop_frees(struct act_seen *seen)
{
	uint32_t nr = 0;

	while (nr + 1 < seen->nr && is_of_free(seen->stack[nr] - 1))
		nr++;
	seen->nr -= nr;
	memmove(seen->stack, seen->stack + nr, seen->nr * sizeof(seen->stack[0]));
}

/* A store to va before pc; or where a function is entered that frees, or returned from, pc 0. */
static void see(const struct moment *moment, struct act_seen *seen, uint64_t va, uint64_t pc)
{
	uint64_t ra = moment->x[REG_RA];

	*seen = (struct act_seen){.va = va, .pc = pc};
	seen->nr = follow_unwind(moment, pc, returns_from(moment, pc, ra) ? ra : 0, seen->stack);
	if (!pc)
		drop_frees(seen);
}

static uint32_t nr_used(const struct freed *record)
{
	return record->misuse ? record->misuse->nr_used : 0;
}

static uint32_t nr_again(const struct freed *record)
{
	return record->misuse ? record->misuse->nr_again : 0;
}

static struct misuse *misuse_of(struct freed *record)
{
	if (!record->misuse)
		record->misuse = calloc(1, sizeof(*record->misuse));
	return record->misuse;
}

static void forget_uses(struct freed *record)
{
	if (record->misuse)
		record->misuse->nr_used = 0;
}

static void add_use(const struct moment *moment, struct freed *record, uint64_t va, uint64_t pc)
{
	struct misuse *misuse = misuse_of(record);

	if (misuse && misuse->nr_used < KEPT)
		see(moment, &misuse->used[misuse->nr_used++], va, pc);
}

/* The first mistake is kept (FREED-1). */
static bool is_kept(const struct freed *record)
{
	return record->freed && (nr_again(record) || (nr_used(record) && !record->putting));
}

/* ---- what happens ---- */

void freed_put_begins(uint64_t pa)
{
	struct freed *record = record_made(LIFE_PAGE, pa & ~(PAGE_BYTES - 1), PAGE_BYTES);

	if (!record || record->free || is_kept(record))
		return;
	set_state(record, true, false);
	forget_uses(record);
}

static bool is_life_of(const struct freed *record, uint32_t i)
{
	const struct life *life = life_at(i);

	return life->kind == record->kind &&
	       (life->kind == LIFE_PAGE || guest_linear(life->base) == record->pa);
}

/* Does the word that pointed to it at its free do so now, and is its own page in use? */
static bool is_there_still(const struct freed *record, const struct pointer_seen *pointer)
{
	uint64_t pa = guest_linear(pointer->va), index = pa == NONE ? NONE : alias_index(pa), word = 0;
	const uint8_t *host = index == NONE ? NULL : guest_pa(pa & ~7ULL, 8);
	enum alias_form form;

	if (!host)
		return false;
	for (const struct freed *around = of_page[index]; around; around = around->next) {
		if (around->kind == LIFE_PAGE && around->free)
			return false;
	}
	memcpy(&word, host, 8);
	uint64_t alias = alias_of(word, 8, &form);
	return alias && alias - 1 == alias_index(record->pa) &&
	       (record->kind == LIFE_PAGE || guest_linear(word) - record->pa < record->bytes);
}

static bool is_stored_since(const struct freed *record, uint64_t va)
{
	uint32_t link = 0, i;

	while ((i = life_next(alias_index(record->pa), &link))) {
		for (uint32_t k = is_life_of(record, i) ? life_at(i)->first : 0; k;
		     k = location_at(k)->older) {
			if (location_at(k)->va == va)
				return true;
		}
	}
	return false;
}

/* Of these the ones that led to the range all the time; returns how many. */
static uint32_t keep_since(const struct freed *record, struct pointer_seen *pointers, uint32_t nr)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < nr; i++) {
		if (is_there_still(record, &pointers[i]) && !is_stored_since(record, pointers[i].va))
			pointers[kept++] = pointers[i];
	}
	return kept;
}

/* It is freed anew: the first free from which on somebody points to it is kept. */
static void keep_earlier(struct freed *record)
{
	struct earlier *earlier = record->earlier;

	if (earlier && earlier->nr_since)
		earlier->nr_since = keep_since(record, earlier->since, earlier->nr_since);
	if (earlier && earlier->nr_since)
		return;
	record->nr_dangling = keep_since(record, record->dangling, record->nr_dangling);
	if (!record->nr_dangling)
		return;
	if (!earlier)
		earlier = record->earlier = calloc(1, sizeof(*earlier));
	if (!earlier)
		return;
	earlier->by = record->by;
	memcpy(earlier->since, record->dangling, sizeof(earlier->since));
	earlier->nr_since = record->nr_dangling;
}

static void take_dangling(struct freed *record)
{
	uint32_t link = 0, i;

	record->nr_dangling = 0;
	while ((i = life_next(alias_index(record->pa), &link))) {
		const struct life *life = life_at(i);
		if (life->kind != record->kind ||
		    (life->kind == LIFE_OBJECT && guest_linear(life->base) != record->pa))
			continue;
		for (uint32_t k = life->first; k && record->nr_dangling < DANGLING;
		     k = location_at(k)->older) {
			const struct location *location = location_at(k);
			if (!location->on_stack && !location->saved)
				record->dangling[record->nr_dangling++] =
				    (struct pointer_seen){location->va, location->pc};
		}
	}
}

void freed_now(const struct moment *moment, enum life_kind kind, uint64_t pa, uint64_t bytes, uint64_t nth)
{
	struct freed *record = record_made(kind, pa, bytes);

	if (!record)
		return;
	if (record->free) {
		freed_again(moment, kind, pa);
		return;
	}
	if (is_kept(record))
		return;
	if (!record->putting)
		forget_uses(record);
	if (record->freed)
		keep_earlier(record);
	set_state(record, false, false);
	record->bytes = bytes ? bytes : record->bytes; /* another cache may have had its page meanwhile */
	set_state(record, false, true);
	record->freed = true;
	record->nth = nth;
	record->when = follow_clock;
	see(moment, &record->by, 0, 0);
	take_dangling(record);
}

void freed_again(const struct moment *moment, enum life_kind kind, uint64_t pa)
{
	struct freed *record = record_of(kind, pa);
	struct misuse *misuse = record && record->free ? misuse_of(record) : NULL;

	if (misuse && misuse->nr_again < KEPT)
		see(moment, &misuse->again[misuse->nr_again++], 0, 0);
}

void freed_got(const struct moment *moment, enum life_kind kind, uint64_t pa)
{
	struct freed *record = record_of(kind, pa);

	if (record && record->free)
		add_use(moment, record, 0, 0);
}

void freed_handed_out(enum life_kind kind, uint64_t pa)
{
	uint64_t index = alias_index(pa);

	for (struct freed *record = index == NONE ? NULL : of_page[index]; record; record = record->next) {
		if (kind == LIFE_PAGE || (record->kind == kind && record->pa == pa))
			set_state(record, false, false);
	}
}

/* ---- stores ---- */

/* A call that allocates writes into what it hands out; one that frees, into what it will list. */
static bool is_allocators(const struct moment *moment, struct freed *record)
{
	uint64_t sp = moment->x[REG_SP];

	if (calls_inside(sp, calls_of_kind(HOOK_ALLOC) | calls_of_kind(HOOK_OBJALLOC))) {
		set_state(record, false, false);
		return true;
	}
	return calls_inside(sp, calls_of_kind(HOOK_FREE));
}

static void use(const struct moment *moment, struct freed *record, uint64_t va, uint64_t pc)
{
	struct misuse *misuse = misuse_of(record);

	/* One run of stores is one use. */
	if (misuse && (!misuse->nr_used || va - misuse->last_used > RUN_BYTES))
		add_use(moment, record, va, pc);
	if (misuse)
		misuse->last_used = va;
}

void freed_stored(const struct moment *moment, uint64_t va, unsigned bytes, uint64_t value, uint64_t pc)
{
	uint64_t pa = guest_linear(va), index = pa == NONE ? NONE : alias_index(pa);

	if (index == NONE || ranges_have(&hooks.follow_patterns, value) ||
	    ranges_have(&hooks.writers, pc - 1))
		return;
	for (struct freed *record = of_page[index]; record; record = record->next) {
		if (!(record->free || record->putting) || pa - record->pa >= record->bytes ||
		    is_allocators(moment, record))
			continue;
		use(moment, record, va, pc);
		if (record->kind == LIFE_PAGE && record->free)
			stores_free_page_written(moment->hart, pc, pa, va, bytes);
	}
}

/* ---- the end ---- */

static void write_stack(FILE *out, const char *what, uint64_t va, uint64_t pc, const uint64_t *stack,
			uint32_t nr)
{
	fprintf(out, "%s %#" PRIx64 " by %#" PRIx64 " stack", what, va, pc);
	for (uint32_t k = 0; k < nr; k++)
		fprintf(out, " %#" PRIx64, stack[k]);
	fputc('\n', out);
}

static void write_acts(FILE *out, const char *what, const struct act_seen *acts, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		write_stack(out, what, acts[i].va, acts[i].pc, acts[i].stack, acts[i].nr);
}

static void write_pointers(FILE *out, const char *what, const struct pointer_seen *pointers, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		write_stack(out, what, pointers[i].va, pointers[i].pc, NULL, 0);
}

static bool is_told(const struct freed *record)
{
	bool pointed_to = false;

	if (!record->freed || !hooks.follow_all || nr_used(record) || nr_again(record))
		return record->freed;
	for (uint32_t i = 0; i < record->nr_dangling && record->free; i++)
		pointed_to |= is_there_still(record, &record->dangling[i]);
	return pointed_to;
}

static void write_record(FILE *out, const struct freed *record)
{
	bool page = record->kind == LIFE_PAGE;

	fprintf(out, "freed %s %#" PRIx64 " bytes %" PRIu64 " nth %" PRIu64 " when %" PRIu64 " free %d\n",
		page ? "page" : "object", record->pa, record->bytes, record->nth, record->when, record->free);
	write_acts(out, "by", &record->by, 1);
	write_pointers(out, "dangling", record->dangling, record->nr_dangling);
	if (record->earlier && record->earlier->nr_since) {
		write_acts(out, "before", &record->earlier->by, 1);
		write_pointers(out, "since", record->earlier->since, record->earlier->nr_since);
	}
	if (!record->misuse)
		return;
	write_acts(out, "used", record->misuse->used, record->misuse->nr_used);
	write_acts(out, "again", record->misuse->again, record->misuse->nr_again);
}

void freed_write(FILE *out)
{
	for (uint64_t index = 0; index < alias_nr_pages(); index++) {
		for (const struct freed *record = of_page[index]; record; record = record->next) {
			if (is_told(record))
				write_record(out, record);
		}
	}
}
