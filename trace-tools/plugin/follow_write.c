/* SPDX-License-Identifier: MIT
 *
 * follow_write: OUT/leak-points, what became of each life that has not ended: text, one fact a line.
 *
 *	lost of 20517                            all were followed, and only what nothing leads to is told (reach.h)
 *	life object 0xffffffc081234000 bytes 64 pfn 0x81234 ref 0 holder 0 nth 1 heap 0 outside 0 frames 0 kept 790
 *	life objref 0xffffffc081234000 bytes 1 … ref 13 holder 7 …    a reference to the object at this address
 *	born 0xffffffc080214010 …                return addresses, innermost first
 *	location overwritten 0xffffffc080213000 where 0x… when 812 stack …
 *	frame popped 0xffffffc080213010 where 0x… when 815 stack …
 *	given 0xffffffc080216000 from 0x… argument 0 handled 1 when 811        the newest first; 2: a structure that has it
 *	held 0xffffffc085001000 by 0xffffffc080213020 in 0xffffffc085001000    a location that is left, and the life it is in
 *	freed page 0x81234000 bytes 4096 nth 3 when 900 free 1    memory that is freed too early (freed.h), by physical address; an object
 *	                                         likewise; by, dangling, before, since, used, again: each with its stack
 *	dangling 0xffffffc085001000 by 0x… stack
 *	end 1204 blind 0                         lives, and callbacks without registers; without this line the file is not whole
 */
#include <inttypes.h>
#include <stdio.h>

#include "bounds.h"
#include "follow_priv.h"
#include "freed.h"
#include "guest.h"
#include "hooks.h"
#include "reach.h"

#define HELD_SHOWN 8

static void write_stack(FILE *out, const uint64_t *stack, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		fprintf(out, " %#" PRIx64, stack[i]);
	fputc('\n', out);
}

static void write_lost(FILE *out, const char *what, const struct lost *lost)
{
	static const char *const by[] = {"not", "overwritten", "freed", "popped", "trap", "stack"};

	if (!lost->by)
		return;
	fprintf(out, "%s %s %#" PRIx64 " where %#" PRIx64 " when %" PRIu64 " stack", what, by[lost->by],
		lost->pc, lost->where, lost->when);
	write_stack(out, lost->stack, lost->nr);
}

static void write_held(FILE *out, const struct life *life)
{
	uint32_t shown = 0;

	for (uint32_t i = life->first; i && shown < HELD_SHOWN; i = location_at(i)->older) {
		const struct location *location = location_at(i);
		if (location->on_stack)
			continue;
		uint32_t around = reach_around(location->va);
		fprintf(out, "held %#" PRIx64 " by %#" PRIx64 " in %#" PRIx64 "\n", location->va,
			location->pc, around ? life_at(around)->base : 0);
		shown++;
	}
}

static void write_life(FILE *out, const struct life *life)
{
	static const char *const kinds[] = {"page", "object", "reference", "objref"};

	fprintf(out,
		"life %s %#" PRIx64 " bytes %" PRIu64 " pfn %#" PRIx64 " ref %" PRIu64 " holder %" PRIu64
		" nth %" PRIu64 " heap %u outside %u frames %u kept %" PRIu64 "\nborn",
		kinds[life->kind], life->base, life->bytes, life->index + (hooks.ram_base >> PAGE_SHIFT),
		life->ref, life->holder, life->nth, life->nr_heap, life->nr_outside, life->nr_marks,
		life->kept);
	write_stack(out, life->born, life->nr_born);
	write_lost(out, "location", &life->location);
	write_lost(out, "frame", &life->frame);
	for (uint32_t i = 0; i < life->nr_given; i++)
		fprintf(out, "given %#" PRIx64 " from %#" PRIx64 " argument %u handled %d when %" PRIu64 "\n",
			life->given[i].function, life->given[i].from, life->given[i].argument,
			life->given[i].handled, life->given[i].when);
	write_held(out, life);
}

/* What stays where only what is lost is asked for: of a page that is lost its references, too, and those that no task has any more. */
static bool is_told(uint32_t i)
{
	const struct life *life = life_at(i);

	return life->alive && (!hooks.follow_lost || life->final || !reach_is(i));
}

bool follow_write(const char *path)
{
	FILE *out = fopen(path, "we");
	uint32_t nr = 0;

	if (!out)
		return false;
	if (hooks.follow_lost && !reach_find()) {
		fclose(out);
		return false;
	}
	if (hooks.follow_lost)
		fprintf(out, "lost of %u\n", nr_lives);
	for (uint32_t i = 1; i < lives_used; i++) {
		if (!is_told(i))
			continue;
		write_life(out, life_at(i));
		nr++;
	}
	freed_write(out);
	fprintf(out, "end %u blind %" PRIu64 "\n", nr, follow_blind());
	return !fclose(out);
}
