/* SPDX-License-Identifier: MIT */
/*
 * Reference counts of pages, for fork's shared pages. A count is the number of user mappings of a page; a page that the
 * kernel uses for itself has 1 while it is allocated.
 *
 * Kernels of this shape keep them in an array, and no two do it alike: see COUNT_* in config.h. With COUNT_INLINE the
 * functions below exist only as code inside their callers.
 * Without COW nothing is counted: the functions do nothing.
 *
 * COUNT-1  a free page has count 0, an allocated one at least 1.
 * COUNT-2  a count of 1 that its only holder reads stays 1: references are made from references.
 */
#pragma once

#include "kernel.h"

#if !COW

static inline void count_init(void) {}

static inline void count_set(const void *page, int value) {}

static inline int count_read(const void *page)
{
	return 1;
}

static inline int count_get(const void *page)
{
	return 1;
}

static inline int count_put(const void *page)
{
	return 0;
}

#else

#if COUNT_INDEX == COUNT_FROM_BASE
#define COUNT_LENGTH ((PHYSTOP - KERNBASE) / PGSIZE)
#define count_index(page) (((u64)(page)-KERNBASE) / PGSIZE)
#elif COUNT_INDEX == COUNT_ABSOLUTE
#define COUNT_LENGTH (PHYSTOP / PGSIZE)
#define count_index(page) ((u64)(page) / PGSIZE)
#else
#define COUNT_LENGTH ((PHYSTOP - KERNBASE) / PGSIZE)
#define count_index(page) (((u64)(page)-PGROUNDUP(end)) / PGSIZE)
#endif

#if COUNT_SHAPE == COUNT_ARRAY
extern COUNT_TYPE page_count[COUNT_LENGTH];
extern struct spinlock page_count_lock;
#define count_of(page) page_count[count_index(page)]
#define count_lock(page) (&page_count_lock)
#elif COUNT_SHAPE == COUNT_IN_STRUCT
extern struct page_counts {
	struct spinlock lock;
	COUNT_TYPE count[COUNT_LENGTH];
} page_counts;
#define count_of(page) page_counts.count[count_index(page)]
#define count_lock(page) (&page_counts.lock)
#else
extern struct page_ref {
	struct spinlock lock;
	COUNT_TYPE count;
} page_refs[COUNT_LENGTH];
#define count_of(page) page_refs[count_index(page)].count
#define count_lock(page) (&page_refs[count_index(page)].lock)
#endif

void count_init(void);

#if COUNT_INLINE
#define COUNT_FUNCTION static inline __attribute__((always_inline))
#else
#define COUNT_FUNCTION
void count_set(const void *page, int value);
int count_read(const void *page);
int count_get(const void *page);
int count_put(const void *page);
#endif

#if COUNT_INLINE || defined(COUNT_DEFINITIONS)
COUNT_FUNCTION void count_set(const void *page, int value)
{
	acquire(count_lock(page));
	count_of(page) = (COUNT_TYPE)value;
	release(count_lock(page));
}

COUNT_FUNCTION int count_read(const void *page)
{
	int value;

	acquire(count_lock(page));
	value = (int)count_of(page);
	release(count_lock(page));
	return value;
}

/* One reference more; the count before. */
COUNT_FUNCTION int count_get(const void *page)
{
	int before;

	acquire(count_lock(page));
	before = (int)count_of(page);
	count_of(page) = (COUNT_TYPE)(before + 1);
	release(count_lock(page));
	return before;
}

/* One reference less; the count that is left. */
COUNT_FUNCTION int count_put(const void *page)
{
	int left;

	acquire(count_lock(page));
	left = (int)count_of(page) - 1;
	count_of(page) = (COUNT_TYPE)left;
	release(count_lock(page));
	return left;
}
#endif

#endif
