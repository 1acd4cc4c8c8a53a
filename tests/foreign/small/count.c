/* SPDX-License-Identifier: MIT */
/*
 * The array of count.h, and its functions where they are functions.
 */
#define COUNT_DEFINITIONS
#include "count.h"

#if COW

#if COUNT_SHAPE == COUNT_ARRAY
COUNT_TYPE page_count[COUNT_LENGTH];
struct spinlock page_count_lock;
#elif COUNT_SHAPE == COUNT_IN_STRUCT
struct page_counts page_counts;
#else
struct page_ref page_refs[COUNT_LENGTH];
#endif

void count_init(void)
{
#if COUNT_SHAPE == COUNT_OF_STRUCT
	for (u64 i = 0; i < COUNT_LENGTH; i++)
		initlock(&page_refs[i].lock, "count");
#else
	initlock(count_lock(0), "count");
#endif
}

#endif
