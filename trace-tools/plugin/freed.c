/* SPDX-License-Identifier: MIT
 *
 * freed: see freed.h.
 */
#include "freed.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "guest.h"
#include "hooks.h"
#include "qemu_api.h"

#define KEPT 4 /* uses, further puts */
#define DANGLING 16
#define RUN_BYTES 64 /* between two stores of one loop */

struct act_seen {
	uint64_t va, pc;
	uint32_t nr;
	uint64_t stack[LIFE_FRAMES];
};

struct freed {
	uint64_t index, nth, when, last_used;
	bool putting;       /* a put is under way that may free it */
	bool free, freed;   /* now; ever */
	struct act_seen by; /* who freed it */
	struct act_seen dangling[DANGLING], used[KEPT], again[KEPT];
	uint32_t nr_dangling, nr_used, nr_again;
};

static struct freed *all;
static uint32_t *of_page; /* position + 1 */
static uint32_t nr;

bool freed_init(void)
{
	const struct ranges *wanted = &hooks.follow_freed;

	all = calloc(wanted->nr + 1, sizeof(*all));
	of_page = calloc(alias_nr_pages(), sizeof(*of_page));
	for (uint32_t i = 0; all && of_page && i < wanted->nr; i++) {
		uint64_t index = alias_index(wanted->at[i].lo);
		if (index == NONE || of_page[index])
			continue;
		all[nr].index = index;
		of_page[index] = ++nr;
	}
	return all && of_page;
}

bool freed_wanted(uint64_t index)
{
	return of_page[index] != 0;
}

static struct freed *record_of(uint64_t index)
{
	return of_page[index] ? &all[of_page[index] - 1] : NULL;
}

static void see(const struct moment *moment, struct act_seen *seen, uint64_t va, uint64_t pc)
{
	*seen = (struct act_seen){.va = va, .pc = pc};
	seen->nr = follow_unwind(moment, pc, moment->x[REG_RA], seen->stack);
}

/* The first mistake is kept (FREED-1). */
static bool is_kept(const struct freed *record)
{
	return record->freed && (record->nr_again || (record->nr_used && !record->putting));
}

void freed_put_begins(uint64_t index)
{
	struct freed *record = record_of(index);

	if (!record || record->free || is_kept(record))
		return;
	record->putting = true;
	record->nr_used = 0;
}

static void take_dangling(struct freed *record, uint64_t index)
{
	uint32_t link = 0, i;

	record->nr_dangling = 0;
	while ((i = life_next(index, &link))) {
		if (life_at(i)->kind != LIFE_PAGE)
			continue;
		for (uint32_t k = life_at(i)->first; k && record->nr_dangling < DANGLING;
		     k = location_at(k)->older) {
			const struct location *location = location_at(k);
			if (!location->on_stack && !location->saved)
				record->dangling[record->nr_dangling++] =
				    (struct act_seen){.va = location->va, .pc = location->pc};
		}
	}
}

void freed_now(const struct moment *moment, uint64_t index, uint64_t nth)
{
	struct freed *record = record_of(index);

	if (!record)
		return;
	if (record->free) {
		freed_again(moment, index);
		return;
	}
	if (is_kept(record))
		return;
	if (!record->putting)
		record->nr_used = 0;
	record->putting = false;
	record->free = record->freed = true;
	record->nth = nth;
	record->when = follow_clock;
	see(moment, &record->by, 0, 0);
	take_dangling(record, index);
}

void freed_again(const struct moment *moment, uint64_t index)
{
	struct freed *record = record_of(index);

	if (record && record->free && record->nr_again < KEPT)
		see(moment, &record->again[record->nr_again++], 0, 0);
}

void freed_handed_out(uint64_t index)
{
	struct freed *record = record_of(index);

	if (record)
		record->free = record->putting = false;
}

void freed_stored(const struct moment *moment, uint64_t va, uint64_t value, uint64_t pc)
{
	uint64_t pa = guest_linear(va), index = pa == NONE ? NONE : alias_index(pa);
	struct freed *record = index == NONE ? NULL : record_of(index);

	if (!record || !(record->free || record->putting) || value == hooks.follow_pattern ||
	    ranges_have(&hooks.writers, pc - 1))
		return;
	/* One run of stores is one use. */
	if ((!record->nr_used || va - record->last_used > RUN_BYTES) && record->nr_used < KEPT)
		see(moment, &record->used[record->nr_used++], va, pc);
	record->last_used = va;
}

static void write_acts(FILE *out, const char *what, const struct act_seen *acts, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		fprintf(out, "%s %#" PRIx64 " by %#" PRIx64 " stack", what, acts[i].va, acts[i].pc);
		for (uint32_t k = 0; k < acts[i].nr; k++)
			fprintf(out, " %#" PRIx64, acts[i].stack[k]);
		fputc('\n', out);
	}
}

void freed_write(FILE *out)
{
	for (uint32_t i = 0; i < nr; i++) {
		const struct freed *record = &all[i];
		if (!record->freed)
			continue;
		fprintf(out, "freed %#" PRIx64 " nth %" PRIu64 " when %" PRIu64 " free %d\n",
			record->index + (hooks.ram_base >> PAGE_SHIFT), record->nth, record->when,
			record->free);
		write_acts(out, "by", &record->by, 1);
		write_acts(out, "dangling", record->dangling, record->nr_dangling);
		write_acts(out, "used", record->used, record->nr_used);
		write_acts(out, "again", record->again, record->nr_again);
	}
}
