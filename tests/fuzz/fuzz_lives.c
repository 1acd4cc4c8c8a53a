/* SPDX-License-Identifier: MIT */
/*
 * fuzz_lives: what the plugin wrote of the lives that it followed (RUN/leak-points), through its reader. What is believed
 * is as large as its arrays say, and of the kinds that there are; what is not leaves nothing.
 */
#include <stdlib.h>

#include "analysis/leak_point_file.h"
#include "fuzz.h"

static void look_at_end(const struct life_end *end)
{
	if (end->by > LOST_STACK || end->nr > LIFE_FRAMES)
		abort();
}

static void look_at_life(const struct life *life)
{
	if (life->kind > LIFE_OBJECT_REFERENCE || life->nr_born > LIFE_FRAMES ||
	    life->nr_given > LIFE_GIVEN || life->nr_held > LIFE_HELD)
		abort();
	for (uint32_t i = 0; i < life->nr_given; i++) {
		if (life->given[i].handled > HANDLED_WITHIN)
			abort();
	}
	look_at_end(&life->location);
	look_at_end(&life->frame);
}

static void look_at_acts(const struct page_act *acts, uint32_t nr, uint32_t most)
{
	if (nr > most)
		abort();
	for (uint32_t i = 0; i < nr; i++) {
		if (acts[i].nr > LIFE_FRAMES)
			abort();
	}
}

static void look_at(const struct lives *lives)
{
	for (size_t i = 0; i < lives->nr; i++)
		look_at_life(&lives->list[i]);
	for (size_t i = 0; i < lives->nr_freed; i++) {
		const struct freed_range *range = &lives->freed[i];
		look_at_acts(&range->by, range->nr_by, 1);
		look_at_acts(range->dangling, range->nr_dangling, FREED_DANGLING);
		look_at_acts(range->used, range->nr_used, FREED_ACTS);
		look_at_acts(range->again, range->nr_again, FREED_ACTS);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lives lives;
	char *error;

	if (lives_read(&lives, fuzz_file(data, size), &error)) {
		look_at(&lives);
		if (error)
			abort();
	} else if (!error || lives.list || lives.freed || lives.of) {
		abort();
	}
	lives_free(&lives);
	free(error);
	return 0;
}
