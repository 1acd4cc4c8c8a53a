/* SPDX-License-Identifier: MIT
 *
 * hooks_follow: the items of the hooks file that are for follow alone; see hooks.h.
 */
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "follow.h"
#include "hooks.h"
#include "hooks_priv.h"

static int compare_ranges(const void *a, const void *b)
{
	const struct range *left = a, *right = b;

	return left->lo < right->lo ? -1 : left->lo > right->lo;
}

static int compare_functions(const void *a, const void *b)
{
	const struct function_hook *left = a, *right = b;

	return left->entry < right->entry ? -1 : left->entry > right->entry;
}

/* Room in an array that doubles; NULL: out of memory. */
static void *room(void *array, uint32_t nr, size_t bytes)
{
	return nr & (nr - 1) ? array : realloc(array, (nr ? nr * 2 : 1) * bytes);
}

static void add_address(struct line *line, struct ranges *ranges, uint64_t address)
{
	struct range *at = room(ranges->at, ranges->nr, sizeof(*at));

	if (!at) {
		line_fail(line, "out of memory", "");
		return;
	}
	ranges->at = at;
	ranges->at[ranges->nr++] = (struct range){address, address + 1};
}

static void add_if_given(struct line *line, const char *key, struct ranges *ranges)
{
	uint64_t address = line_number(line, key, NONE);

	if (address != NONE)
		add_address(line, ranges, address);
}

void hooks_read_follow(struct line *line)
{
	static const char *const keys[] = {[LIFE_PAGE] = "page",
					   [LIFE_OBJECT] = "object",
					   [LIFE_REFERENCE] = "reference",
					   [LIFE_OBJECT_REFERENCE] = "objref"};

	hooks.follow = true;
	hooks.follow_all |= line_number(line, "all", 0) != 0;
	hooks.follow_lost |= line_number(line, "lost", 0) != 0;
	hooks.stack_window = line_number(line, "window", hooks.stack_window);
	if (hooks.stack_window & (hooks.stack_window - 1))
		line_fail(line, "window is a power of two", "");
	hooks.follow_lasting |= line_number(line, "lasting", 0);
	line_ranges(line, "switch", &hooks.follow_switch);
	add_if_given(line, "pattern", &hooks.follow_patterns);
	add_if_given(line, "freed", &hooks.follow_freed);
	add_if_given(line, "freedobj", &hooks.follow_freed_objects);
	for (unsigned kind = 0; kind < sizeof(keys) / sizeof(keys[0]); kind++)
		add_if_given(line, keys[kind], &hooks.follow_only[kind]);
}

void hooks_read_function(struct line *line)
{
	struct function_hook *at = room(hooks.functions, hooks.nr_functions, sizeof(*at));
	uint64_t arguments = line_number(line, "args", 4);

	if (!at) {
		line_fail(line, "out of memory", "");
		return;
	}
	hooks.functions = at;
	hooks.functions[hooks.nr_functions] =
	    (struct function_hook){.entry = line_needed(line, "entry"),
				   .arguments = (uint8_t)(arguments < 4 ? arguments : 4),
				   .observer = (uint8_t)line_number(line, "observer", 0),
				   .transparent = line_number(line, "transparent", 0),
				   .trap = line_number(line, "trap", 0),
				   .works = line_number(line, "works", 0),
				   .stack_end = line_number(line, "stackend", 0)};
	for (unsigned i = 0; i < 4; i++) {
		const char key[] = {'s', (char)('0' + i), 0};
		hooks.functions[hooks.nr_functions].structures[i] = (uint16_t)line_number(line, key, 0);
	}
	hooks.nr_functions++;
}

void hooks_read_weak(struct line *line)
{
	struct weak *weak = &hooks.weak[hooks.nr_weak];
	const char *in = line_take(line, "in");
	uint64_t lo = line_number(line, "lo", NONE), of = line_number(line, "of", 0);

	if (hooks.nr_weak == WEAK_MAX) {
		line_fail(line, "too many registries", "");
		return;
	}
	hooks.nr_weak++;
	if (in && !strcmp(in, "struct"))
		*weak = (struct weak){WEAK_STRUCT, line_needed(line, "off"), line_needed(line, "size"),
				      line_number(line, "byte", NONE), (uint8_t)line_number(line, "is", 0)};
	else if (of)
		*weak = (struct weak){WEAK_OBJECT, line_needed(line, "off"), of, NONE, 0};
	else if (lo != NONE)
		*weak = (struct weak){WEAK_WORDS, lo, line_needed(line, "hi") - lo, NONE, 0};
	else
		line_fail(line, "weak lo= hi=, of= off= or in=struct", "");
}

static void sort_ranges(struct ranges *ranges)
{
	if (ranges->nr)
		qsort(ranges->at, ranges->nr, sizeof(struct range), compare_ranges);
}

void hooks_sort_follow(void)
{
	for (unsigned kind = 0; kind < LIFE_KINDS; kind++)
		sort_ranges(&hooks.follow_only[kind]);
	sort_ranges(&hooks.follow_freed);
	sort_ranges(&hooks.follow_freed_objects);
	if (hooks.nr_functions)
		qsort(hooks.functions, hooks.nr_functions, sizeof(*hooks.functions), compare_functions);
	if (!hooks.stack_window)
		hooks.stack_window = hooks.stack_bytes;
}

struct function_hook *hooks_function_at(uint64_t entry)
{
	struct function_hook wanted = {.entry = entry};

	return hooks.nr_functions ? bsearch(&wanted, hooks.functions, hooks.nr_functions,
					    sizeof(*hooks.functions), compare_functions)
				  : NULL;
}

const struct function_hook *hooks_function_around(uint64_t pc)
{
	uint32_t low = 0, high = hooks.nr_functions;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (hooks.functions[middle].entry < pc)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &hooks.functions[low - 1] : NULL;
}
