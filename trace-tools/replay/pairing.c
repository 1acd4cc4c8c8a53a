/* SPDX-License-Identifier: MIT */
/*
 * pairing: what is left at the end of a trace. See pairing.h.
 */
#include "pairing.h"

#define ANY_KIND UINT8_MAX

/* The link to the newest open reference of this kind, or to the end. */
static uint32_t *newest_open(struct ref_pool *pool, uint32_t *list, uint8_t ref)
{
	uint32_t *link = list;

	for (; *link != REF_POOL_NONE; link = &pool->refs[*link].next) {
		const struct page_ref *one = &pool->refs[*link];
		if (!one->early_put && (ref == ANY_KIND || one->ref == ref))
			break;
	}
	return link;
}

bool pairing_rest(struct ref_pool *pool, uint32_t *list, uint32_t *get, uint32_t *put)
{
	uint32_t *link = list;

	while (*link != REF_POOL_NONE && !pool->refs[*link].early_put)
		link = &pool->refs[*link].next;
	if (*link == REF_POOL_NONE)
		return false;
	*put = ref_remove(pool, link);
	link = newest_open(pool, list, pool->refs[*put].ref);
	if (*link == REF_POOL_NONE)
		link = newest_open(pool, list, ANY_KIND);
	*get = *link == REF_POOL_NONE ? REF_POOL_NONE : ref_remove(pool, link);
	return true;
}
