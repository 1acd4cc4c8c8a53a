/* SPDX-License-Identifier: MIT */
/* compare: see compare.h. */
#include "compare.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* One stack of one side, on its way to a row. */
struct candidate {
	char *exact, *names;
	const struct live_row *live_row;
	int side;
	bool taken;
};

int64_t compare_change(const struct compare_row *row)
{
	const struct compare_amount *a = &row->amounts[SIDE_A], *b = &row->amounts[SIDE_B];

	return (int64_t)(b->pages - a->pages) * (int64_t)PAGE_BYTES +
	       (int64_t)(b->object_bytes - a->object_bytes);
}

bool compare_differs(const struct compare_row *row)
{
	return row->amounts[SIDE_A].pages != row->amounts[SIDE_B].pages ||
	       row->amounts[SIDE_A].objects != row->amounts[SIDE_B].objects;
}

static void amount_add(struct compare_amount *amount, const struct live_row *live_row)
{
	amount->pages += live_row->pages;
	amount->objects += live_row->objects;
	amount->object_bytes += live_row->object_bytes;
}

static uint64_t row_bytes(const struct compare_row *row)
{
	uint64_t sum = 0;

	for (int side = 0; side < NR_SIDES; side++)
		sum += row->amounts[side].pages * PAGE_BYTES + row->amounts[side].object_bytes;
	return sum;
}

static int compare_rows(const void *a, const void *b)
{
	const struct compare_row *left = a, *right = b;
	int64_t left_change = llabs(compare_change(left)), right_change = llabs(compare_change(right));

	if (left_change != right_change)
		return left_change > right_change ? -1 : 1;
	if (row_bytes(left) != row_bytes(right))
		return row_bytes(left) > row_bytes(right) ? -1 : 1;
	if (left->name && right->name)
		return strcmp(left->name, right->name);
	/* No two stacks' rows have both sides' stacks in common. */
	for (int side = 0; side < NR_SIDES; side++) {
		if (left->stacks[side] != right->stacks[side])
			return left->stacks[side] < right->stacks[side] ? -1 : 1;
	}
	return 0;
}

/* ---- kinds and caches ---- */

static struct compare_row *named_row(struct compare *compare, const char *name)
{
	for (size_t i = 0; i < compare->nr_rows; i++) {
		if (!strcmp(compare->rows[i].name, name))
			return &compare->rows[i];
	}
	struct compare_row *row = &ARRAY_PUSH(compare->rows, compare->nr_rows, compare->rows_capacity);
	row->name = name;
	return row;
}

static void add_kinds(struct compare *compare, const struct model *model, int side)
{
	struct live_set set;

	live_set_make(&set, model, BY_KIND);
	for (size_t i = 0; i < set.nr; i++) {
		const struct live_row *live_row = &set.rows[i];
		struct compare_row *row =
		    named_row(compare, live_row->key < HOLDING_CACHE
					   ? page_kind_text(live_row->key)
					   : model_cache(model, live_row->key - HOLDING_CACHE)->name);
		amount_add(&row->amounts[side], live_row);
		row->present[side] = true;
		amount_add(&compare->totals[side], live_row);
	}
	live_set_free(&set);
}

/* ---- stacks ---- */

static int by_exact(const void *a, const void *b)
{
	const struct candidate *left = a, *right = b;

	return strcmp(left->exact, right->exact);
}

static int by_names(const void *a, const void *b)
{
	const struct candidate *left = a, *right = b;
	int order = strcmp(left->names, right->names);

	return order ? order : strcmp(left->exact, right->exact);
}

static void row_add(struct compare_row *row, struct candidate *candidate)
{
	const struct live_row *live_row = candidate->live_row;
	int side = candidate->side;

	amount_add(&row->amounts[side], live_row);
	row->present[side] = true;
	row->stacks[side] = live_row->key;
	for (uint32_t kind = 0; kind < PK_NR; kind++)
		row->kinds[side][kind] += live_row->kinds[kind];
	candidate->taken = true;
}

/*
 * Makes rows of the candidates not yet taken that stand together by `order`; only of those with both sides, unless
 * `rest` is set.
 */
static void make_rows(struct compare *compare, struct candidate *list, size_t nr,
		      int (*order)(const void *, const void *), bool rest)
{
	bool names = order == by_names;

	for (size_t i = 0, end; i < nr; i = end) {
		bool sides[NR_SIDES] = {false};
		for (end = i; end < nr && (names ? !strcmp(list[end].names, list[i].names)
						 : !strcmp(list[end].exact, list[i].exact));
		     end++)
			sides[list[end].side] |= !list[end].taken;
		if (!rest && !(sides[SIDE_A] && sides[SIDE_B]))
			continue;
		if (!sides[SIDE_A] && !sides[SIDE_B])
			continue;
		struct compare_row *row =
		    &ARRAY_PUSH(compare->stacks, compare->nr_stacks, compare->stacks_capacity);
		row->by_names = names;
		for (size_t k = i; k < end; k++) {
			if (!list[k].taken)
				row_add(row, &list[k]);
		}
	}
}

static void match_stacks(struct compare *compare, struct candidate *list, size_t nr)
{
	qsort(list, nr, sizeof(*list), by_exact);
	make_rows(compare, list, nr, by_exact, false);
	qsort(list, nr, sizeof(*list), by_names);
	make_rows(compare, list, nr, by_names, false);
	qsort(list, nr, sizeof(*list), by_exact);
	make_rows(compare, list, nr, by_exact, true);
}

void compare_make(struct compare *compare, const struct model *const models[NR_SIDES],
		  struct stack_table *const books[NR_SIDES])
{
	struct live_set set[NR_SIDES];
	struct candidate *list;
	size_t nr = 0;

	*compare = (struct compare){0};
	for (int side = 0; side < NR_SIDES; side++) {
		add_kinds(compare, models[side], side);
		live_set_make(&set[side], models[side], BY_STACK);
	}
	list = xcalloc(set[SIDE_A].nr + set[SIDE_B].nr, sizeof(*list));
	for (int side = 0; side < NR_SIDES; side++) {
		for (size_t i = 0; i < set[side].nr; i++) {
			const struct live_row *live_row = &set[side].rows[i];
			list[nr++] = (struct candidate){
			    .exact = stack_table_key(books[side], live_row->key, true),
			    .names = stack_table_key(books[side], live_row->key, false),
			    .live_row = live_row,
			    .side = side,
			};
		}
	}
	match_stacks(compare, list, nr);
	for (size_t i = 0; i < nr; i++) {
		free(list[i].exact);
		free(list[i].names);
	}
	free(list);
	for (int side = 0; side < NR_SIDES; side++)
		live_set_free(&set[side]);
	if (compare->nr_rows)
		qsort(compare->rows, compare->nr_rows, sizeof(*compare->rows), compare_rows);
	if (compare->nr_stacks)
		qsort(compare->stacks, compare->nr_stacks, sizeof(*compare->stacks), compare_rows);
}

void compare_free(struct compare *compare)
{
	free(compare->rows);
	free(compare->stacks);
	*compare = (struct compare){0};
}
