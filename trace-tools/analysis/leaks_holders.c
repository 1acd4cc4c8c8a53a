/* SPDX-License-Identifier: MIT */
/*
 * leaks_holders: objects that outlive what holds them.
 *
 * A page's reference has a kind, which says what the number of its holder means. An object has only its cache, and each has
 * its own way (docs/TRACE-FORMAT.md): 13 is an inode where a dirty record has it, an address space where an area has it.
 *
 *     obj_alloc   cache vma, holder 13        an area of address space 13
 *     inode_evict 13                          says nothing of it
 *     mm_drop     13                          says that it should be free by now
 *
 * HOLDER-1  A holder's end is told when nothing may be held in its name any more: what is still there has leaked.
 * HOLDER-2  But an inode tells its end just before it is freed itself. Where the machine may have ended in between, a quiescent audit
 *           behind that makes it certain, and nothing else.
 */
#include <string.h>

#include "leaks_priv.h"

uint32_t leaks_holder_kind(const struct leaks *leaks, uint32_t cache)
{
	static const struct {
		const char *cache;
		uint32_t holder;
	} kinds[] = {{"dirty", REF_DIRTY}, {"inode", REF_CACHE}, {"vma", REF_VMA}, {"mm", REF_OWNER}};
	const char *name = model_cache(leaks->model, cache)->name;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!strcmp(name, kinds[i].cache))
			return kinds[i].holder;
	}
	return REF_NONE;
}

uint64_t leaks_object_holder_death(const struct leaks *leaks, const struct object_state *object)
{
	uint32_t kind = leaks_holder_kind(leaks, object->cache);
	uint64_t death =
	    object->holder ? model_holder_death(leaks->model, kind, object->holder, object->time) : 0;

	if (kind == REF_CACHE && model_stopped_early(leaks->model) &&
	    (!leaks->audit_quiescent || death > leaks->audit->time))
		return 0;
	return death;
}
