/* SPDX-License-Identifier: MIT */
/*
 * html_map_data: what the map of RAM says of the page under the pointer.
 *
 * A place in the map is a row of some pages at an instant, and shows one kind. So for each place one life is chosen that stands for
 * it: a page that leaked, else one of the kind that is shown, the longest first, so that a row needs few of them. These lives are in
 * the page, and the events of those that cover most of the map, as far as LIVES_WITH_EVENTS and EVENTS go.
 */
#include "html_data.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "replay/ledger.h"

#define LIVES_SHOWN 14000U
#define LIVES_WITH_EVENTS 5000U
#define EVENTS 36000U
/* A block that reaches into a row may begin so many pages before it. */
#define BLOCK_PAGES 512U

struct candidate {
	uint32_t life, from, to; /* columns */
	bool leaked;
};

static uint32_t *owner_at(const struct map_lives *chosen, uint32_t row, uint32_t column)
{
	return &chosen->owners[(size_t)row * chosen->map->log->nr + column];
}

static uint32_t first_pfn(const struct ram_map *map)
{
	return model_first_pfn(map->leaks->model);
}

static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *left = a, *right = b;

	if (left->leaked != right->leaked)
		return left->leaked ? -1 : 1;
	if (left->to - left->from != right->to - right->from)
		return left->to - left->from < right->to - right->from ? 1 : -1;
	return left->life < right->life ? -1 : left->life > right->life;
}

/* The lives that have a page among those of a row, the ones that go first before the others. */
static size_t gather(const struct map_lives *chosen, uint32_t pfn, uint32_t end,
		     struct candidate **candidates, size_t *capacity)
{
	const struct page_lives *lives = chosen->lives;
	const struct pagelog *log = chosen->map->log;
	size_t low = 0, high = lives->nr, nr = 0;
	uint32_t from = pfn > BLOCK_PAGES ? pfn - BLOCK_PAGES : 0;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (lives->all[middle].pfn < from)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = low; i < lives->nr && lives->all[i].pfn < end; i++) {
		const struct page_life_span *life = &lives->all[i];
		if (life->pfn + (1U << life->order) <= pfn)
			continue;
		struct candidate one = {(uint32_t)i, pagelog_instant(log, life->begin),
					life->end ? pagelog_instant(log, life->end) : log->nr,
					chosen->group[i] != 0};
		if (one.from < one.to)
			ARRAY_PUSH(*candidates, nr, *capacity) = one;
	}
	if (nr)
		qsort(*candidates, nr, sizeof(**candidates), compare_candidates);
	return nr;
}

static void fill_row(const struct map_lives *chosen, uint32_t row, const struct candidate *candidates,
		     size_t nr)
{
	for (int any = 0; any < 2; any++) {
		for (size_t i = 0; i < nr; i++) {
			const struct page_life_span *life = &chosen->lives->all[candidates[i].life];
			for (uint32_t column = candidates[i].from; column < candidates[i].to; column++) {
				uint32_t shown = map_kind(chosen->map, row, column);
				bool fits = shown == MAP_LEAKED ? candidates[i].leaked : shown == life->kind;
				if (!*owner_at(chosen, row, column) && shown != PK_FREE && (any || fits))
					*owner_at(chosen, row, column) = candidates[i].life + 1;
			}
		}
	}
}

static void fill_rows(const struct map_lives *chosen)
{
	const struct ram_map *map = chosen->map;
	struct candidate *candidates = NULL;
	size_t capacity = 0;

	for (size_t s = 0; s < map->nr_stretches; s++) {
		const struct stretch *stretch = &map->stretches[s];
		for (uint32_t k = 0; !stretch->folded && k < stretch->rows; k++) {
			uint32_t from = stretch->from + k * map->per_row, to = from + map->per_row;
			to = to < stretch->to ? to : stretch->to;
			size_t nr = gather(chosen, first_pfn(map) + (from << map->log->shift),
					   first_pfn(map) + (to << map->log->shift), &candidates, &capacity);
			fill_row(chosen, stretch->row + k, candidates, nr);
		}
	}
	free(candidates);
}

/* The least area that a life must have so that at most `most` have it; area 0 is none. */
static uint32_t least_area(const uint32_t *areas, size_t nr, uint32_t most)
{
	uint32_t least = 1;

	for (size_t found = most + 1; found > most; least++) {
		found = 0;
		for (size_t i = 0; i < nr; i++)
			found += areas[i] >= least;
	}
	return least - 1;
}

static void mark_leaked(struct map_lives *chosen, const struct leaks *leaks)
{
	for (size_t i = 0; i < leaks->nr_items; i++) {
		const struct leak_item *item = &leaks->items[i];
		const struct page_life_span *life =
		    item->object ? NULL : page_lives_find(chosen->lives, item->where, UINT64_MAX - 1);
		if (life)
			chosen->group[life - chosen->lives->all] = item->group + 1;
	}
}

void map_lives_choose(struct map_lives *chosen, const struct ram_map *map, struct page_lives *lives,
		      struct run *run)
{
	size_t nr = lives->nr, places = (size_t)map->rows * map->log->nr;
	uint32_t *areas = xcalloc(nr + 1, sizeof(*areas)), number = 0;

	*chosen = (struct map_lives){.map = map,
				     .lives = lives,
				     .number = xcalloc(nr + 1, sizeof(uint32_t)),
				     .group = xcalloc(nr + 1, sizeof(uint32_t)),
				     .owners = xcalloc(places + 1, sizeof(uint32_t)),
				     .with_events = xcalloc(nr + 1, sizeof(bool))};
	mark_leaked(chosen, map->leaks);
	fill_rows(chosen);
	for (size_t i = 0; i < places; i++) {
		if (chosen->owners[i])
			areas[chosen->owners[i] - 1]++;
	}
	/* What leaked goes before all that is large. */
	for (size_t i = 0; i < nr; i++)
		areas[i] += chosen->group[i] ? (uint32_t)places : 0;
	uint32_t shown = least_area(areas, nr, LIVES_SHOWN),
		 with_events = least_area(areas, nr, LIVES_WITH_EVENTS);
	for (size_t i = 0; i < nr; i++) {
		chosen->number[i] = areas[i] >= shown ? ++number : 0;
		chosen->with_events[i] = areas[i] >= shown && areas[i] >= with_events;
	}
	free(areas);
	page_lives_read(lives, run, map->leaks->model, chosen->with_events, EVENTS);
}

void map_lives_free(struct map_lives *chosen)
{
	free(chosen->number);
	free(chosen->group);
	free(chosen->owners);
	free(chosen->with_events);
}

/* ---- as data ---- */

static void put_rows(struct page_data *data, const struct map_lives *chosen)
{
	const struct ram_map *map = chosen->map;

	data_open(data, "rows", '[');
	for (uint32_t row = 0; row < map->rows; row++) {
		data_open(data, NULL, '[');
		for (uint32_t column = 0, to; column < map->log->nr; column = to) {
			uint32_t owner = *owner_at(chosen, row, column);
			for (to = column + 1; to < map->log->nr && *owner_at(chosen, row, to) == owner;)
				to++;
			if (!owner || !chosen->number[owner - 1])
				continue;
			data_int(data, column);
			data_int(data, to);
			data_int(data, chosen->number[owner - 1] - 1);
		}
		data_close(data, ']');
	}
	data_close(data, ']');
}

static void put_life(struct page_data *data, const struct map_lives *chosen, size_t i)
{
	const struct page_life_span *life = &chosen->lives->all[i];

	data_int(data, life->pfn);
	data_int(data, life->order);
	data_int(data, life->kind);
	data_int(data, (int64_t)life->begin);
	data_int(data, (int64_t)life->end);
	data_stack(data, life->stack);
	data_int(data, life->pid);
	data_int(data, life->ref);
	data_int(data, life->holder);
	data_int(data, life->index);
	data_int(data, chosen->group[i]);
}

/* An event: ticks since the one before, what, count before and after, pid, reference, holder, index, stack, and its other half. */
static void put_events(struct page_data *data, const struct page_life_span *life)
{
	struct ledger ledger;
	uint64_t last = life->begin;

	ledger_make(&ledger, life->records, life->nr);
	data_open(data, NULL, '[');
	data_int(data, (int64_t)life->nr_left_out);
	for (size_t i = 0; i < ledger.nr; i++) {
		const struct ledger_entry *entry = &ledger.entries[i];
		const struct trace_record *record = &entry->record;
		const struct trace_payload_page *event = &record->payload.ev_payload_page_alloc;
		data_int(data, (int64_t)(record->time - last));
		last = record->time;
		data_int(data, record->event);
		data_int(data, event->before);
		data_int(data, event->after);
		data_int(data, event->pid);
		data_int(data, record->kind);
		data_int(data, event->holder);
		data_int(data, event->index);
		data_stack(data, record->stack);
		data_int(data, entry->released_by != LEDGER_NONE ? (int64_t)entry->released_by + 1
			       : entry->releases != LEDGER_NONE  ? -(int64_t)entry->releases - 1
								 : 0);
	}
	data_close(data, ']');
	ledger_free(&ledger);
}

void map_data(struct page_data *data, const struct map_lives *chosen)
{
	const struct ram_map *map = chosen->map;
	const struct page_lives *lives = chosen->lives;
	char key[16];

	data_open(data, "map", '{');
	const struct {
		const char *key;
		uint64_t value;
	} members[] = {{"begin", map->log->begin},
		       {"end", map->log->end},
		       {"columns", map->log->nr},
		       {"rowCount", map->rows},
		       {"perRow", map->per_row},
		       {"shift", map->log->shift},
		       {"firstPfn", first_pfn(map)},
		       {"left", MAP_LEFT},
		       {"top", SVG_TOP},
		       {"width", SVG_WIDTH - MAP_LEFT - SVG_RIGHT},
		       {"height", MAP_HEIGHT}};
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		data_key(data, members[i].key);
		data_int(data, (int64_t)members[i].value);
	}
	data_open(data, "stretches", '[');
	for (size_t i = 0; i < map->nr_stretches; i++) {
		const struct stretch *one = &map->stretches[i];
		const uint32_t numbers[] = {one->from, one->to, one->row, one->rows, one->folded, one->kind};
		for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++)
			data_int(data, numbers[k]);
	}
	data_close(data, ']');
	put_rows(data, chosen);
	data_open(data, "lives", '[');
	for (size_t i = 0; i < lives->nr; i++) {
		if (chosen->number[i])
			put_life(data, chosen, i);
	}
	data_close(data, ']');
	data_open(data, "lifeEvents", '{');
	for (size_t i = 0; i < lives->nr; i++) {
		if (!chosen->number[i] || !lives->all[i].nr)
			continue;
		snprintf(key, sizeof(key), "%u", chosen->number[i] - 1);
		data_key(data, key);
		put_events(data, &lives->all[i]);
	}
	data_close(data, '}');
	data_close(data, '}');
}
