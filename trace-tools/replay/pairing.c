/* SPDX-License-Identifier: MIT */
/*
 * pairing: what is left at the end of a trace. See pairing.h.
 */
#include "pairing.h"

bool pairing_rest(struct ref_pool *pool, uint32_t *list, uint32_t *get, uint32_t *put)
{
	uint32_t *link = list;

	while (*link != REF_POOL_NONE && !pool->refs[*link].early_put)
		link = &pool->refs[*link].next;
	if (*link == REF_POOL_NONE)
		return false;
	*put = ref_remove(pool, link);
	*get = REF_POOL_NONE;
	for (link = list; *link != REF_POOL_NONE; link = &pool->refs[*link].next) {
		const struct page_ref *one = &pool->refs[*link];
		if (!one->early_put && one->ref == pool->refs[*put].ref) {
			*get = ref_remove(pool, link);
			break;
		}
	}
	return true;
}
