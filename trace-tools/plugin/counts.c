/* SPDX-License-Identifier: MIT
 *
 * counts: arrays of reference counts and of page states in the guest's memory; see stores.h, STORES-2.
 */
#include <stdlib.h>

#include "act.h"
#include "bounds.h"
#include "guest.h"
#include "hooks.h"
#include "qemu_api.h"
#include "stores_priv.h"

#define ELEMENTS_MAX (1ULL << 24)

/* The elements as they are known to be, and where they are in the guest. */
static struct shadow {
	uint64_t lo, nr;
	uint64_t *values;
} shadows[ARRAYS_MAX];
static struct array_counters counters[HARTS_MAX][ARRAYS_MAX];

/* How many elements an array has at most. */
static uint64_t nr_elements(const struct array *array)
{
	uint64_t ram_end = guest_ram_base() + guest_ram_bytes();

	return array->in_struct ? (ram_end - hooks.pages_pa) >> PAGE_SHIFT
				: (array->hi - array->lo) / array->stride + 1;
}

bool counts_init(void)
{
	for (uint32_t i = 0; i < hooks.nr_arrays; i++) {
		uint64_t nr = nr_elements(&hooks.arrays[i]);
		shadows[i].nr = nr;
		shadows[i].lo = hooks.arrays[i].lo;
		shadows[i].values = nr < ELEMENTS_MAX ? calloc(nr, sizeof(uint64_t)) : NULL;
		if (!shadows[i].values)
			return false;
	}
	return true;
}

/* Where an array begins; NONE: the kernel has not yet set the pointer to it. */
static uint64_t begin_of(unsigned hart, unsigned number)
{
	struct expr_context context = {.hart = hart};
	uint64_t lo = __atomic_load_n(&shadows[number].lo, __ATOMIC_RELAXED);

	if (lo)
		return lo;
	expr_fetch(&context, hooks.pages_base.registers);
	if (!expr_compute(&hooks.pages_base, &context, &lo) || !lo)
		return NONE;
	__atomic_store_n(&shadows[number].lo, lo, __ATOMIC_RELAXED);
	return lo;
}

struct array_counters stores_counters(unsigned array)
{
	struct array_counters sum = {0};

	for (unsigned hart = 0; hart < HARTS_MAX; hart++) {
		sum.stores += counters[hart][array].stores;
		sum.changes += counters[hart][array].changes;
		sum.misses += counters[hart][array].misses;
	}
	return sum;
}

static void on_state(const struct array *array, const struct act *act, uint64_t pa,
		     struct expr_context *context, uint64_t *shadow)
{
	uint64_t yes;
	bool allocated = pages_state(pa) == PAGE_ALLOCATED;

	context->old = *shadow;
	*shadow = context->v;
	if (array->alloc.nr && !allocated && expr_compute(&array->alloc, context, &yes) && yes)
		pages_alloc(act, pa, 1);
	else if (array->free.nr && (allocated || pages_state(pa) == PAGE_UNSEEN) &&
		 expr_compute(&array->free, context, &yes) && yes)
		pages_free(act, pa, 1);
}

/* The page that element `i` is about; NONE: none. */
static uint64_t page_of_element(unsigned hart, const struct array *array, const struct expr_context *context)
{
	uint64_t page;

	if (array->in_struct)
		return hooks.pages_pa + (context->i << PAGE_SHIFT);
	if (!expr_compute(&array->pages.page, context, &page))
		return NONE;
	return act_page(hart, array->pages.type, page);
}

/* One element of an array, after a store that touched it. */
static void on_element(unsigned hart, const struct site *site, unsigned number, uint64_t index, uint64_t raw,
		       bool add)
{
	const struct array *array = &hooks.arrays[number];
	struct array_counters *mine = &counters[hart][number];
	uint64_t *shadow = &shadows[number].values[index], mask = store_mask(array->elem), pa, value = raw;
	struct expr_context context = {.hart = hart, .i = index, .v = raw};

	pa = page_of_element(hart, array, &context);
	if (pa == NONE || (!array->plain && !expr_compute(&array->value, &context, &value))) {
		mine->misses++;
		return;
	}
	if (add ? !(raw & mask) : value == __atomic_load_n(shadow, __ATOMIC_RELAXED))
		return;
	mine->changes++;
	struct act act = store_act(hart, site, array->name);
	context.v = value;
	if (array->is_state)
		on_state(array, &act, pa & ~(PAGE_BYTES - 1), &context, shadow);
	else
		pages_count(&act, pa, shadow, value, mask, add);
}

static void on_array(unsigned hart, const struct site *site, unsigned number, uint64_t lo, uint64_t va,
		     unsigned bytes)
{
	const struct array *array = &hooks.arrays[number];
	uint64_t first = (va - lo) / array->stride, last = (va + bytes - 1 - lo) / array->stride;
	uint64_t raw;

	counters[hart][number].stores++;
	for (uint64_t index = first; index <= last && index < shadows[number].nr; index++) {
		uint64_t element = lo + index * array->stride + array->offset;
		if (va >= element + array->elem || element >= va + bytes)
			continue;
		bool whole = element == va && bytes == array->elem;
		/* An addition is applied to the shadow, unless a formula stands between count and memory. */
		bool add = site->store.kind == STORE_AMO_ADD && whole && !array->is_state && array->plain;
		if (add)
			raw = qemu_register(hart, site->store.source) & store_mask(bytes);
		else if (!(whole ? store_value(hart, site, va, bytes, &raw)
				 : store_read_back(hart, element, array->elem, &raw)))
			continue;
		on_element(hart, site, number, index, raw, add);
	}
}

void counts_stored(unsigned hart, const struct site *site, uint64_t va, unsigned bytes)
{
	for (unsigned i = 0; i < hooks.nr_arrays; i++) {
		uint64_t lo = begin_of(hart, i);
		if (lo != NONE && va + bytes > lo && va < lo + shadows[i].nr * hooks.arrays[i].stride)
			on_array(hart, site, i, lo, va, bytes);
	}
}
