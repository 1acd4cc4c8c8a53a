/* SPDX-License-Identifier: MIT
 *
 * reach: see reach.h. Passes over all lives, up and down in turn, until one finds nothing new: a chain of lives, each of which
 * is held by the one before, is done in one pass in one of the two directions.
 */
#include "reach.h"

#include <stdlib.h>

#include "bounds.h"
#include "follow_priv.h"
#include "guest.h"

static bool *reached;

uint32_t reach_around(uint64_t va)
{
	uint64_t pa = guest_linear(va), index = pa == NONE ? NONE : alias_index(pa);
	uint32_t link = 0, i, found = 0;

	while (index != NONE && (i = life_next(index, &link))) {
		const struct life *life = life_at(i);
		if (life_is_reference(life) || va - life->base >= life->bytes)
			continue;
		if (!found || life->kind == LIFE_OBJECT)
			found = i;
	}
	return found;
}

static bool location_holds(const struct location *location)
{
	uint32_t around = location->on_stack ? 0 : reach_around(location->va);

	return !around || reached[around];
}

static bool is_held(const struct life *life)
{
	for (uint32_t i = life->first; i; i = location_at(i)->older) {
		if (location_holds(location_at(i)))
			return true;
	}
	return life->nr_marks != 0;
}

static bool look_at(uint32_t i)
{
	const struct life *life = life_at(i);

	if (!life->alive || reached[i] || !is_held(life))
		return false;
	reached[i] = true;
	return true;
}

bool reach_find(void)
{
	bool more = true;

	reached = calloc(lives_used, sizeof(*reached));
	while (reached && more) {
		more = false;
		for (uint32_t i = 1; i < lives_used; i++)
			more |= look_at(i);
		for (uint32_t i = lives_used; more && i-- > 1;)
			look_at(i);
	}
	return reached != NULL;
}

/* The life of what a reference is to; 0: it is not followed. */
static uint32_t referred(const struct life *life)
{
	enum life_kind kind = life->kind == LIFE_REFERENCE ? LIFE_PAGE : LIFE_OBJECT;
	uint32_t link = 0, k;

	while ((k = life_next(life->index, &link))) {
		if (life_at(k)->kind == kind && (kind == LIFE_PAGE || life_at(k)->base == life->base))
			return k;
	}
	return 0;
}

bool reach_is(uint32_t i)
{
	uint32_t thing = life_is_reference(life_at(i)) ? referred(life_at(i)) : i;

	return !reached || !thing || reached[thing];
}
