/* SPDX-License-Identifier: MIT */
/* freed_early: see freed_early.h. */
#include "freed_early.h"

#include <inttypes.h>

#define PAGE_SHIFT 12
#define POISON_FREE 0x6b6b6b6b6b6b6b6bULL /* kernel/include/kernel/page.h */

bool freed_early_is(const struct leak_incident *incident)
{
	switch (incident->record.kind) {
	case VERDICT_STALE:
	case VERDICT_DBL:
	case VERDICT_POISON:
	case VERDICT_INUSE:
		return !incident->record.flags;
	default:
		return false;
	}
}

static uint32_t pfn_of(const struct leak_incident *incident)
{
	return incident->record.payload.ev_payload_finding.where;
}

static bool is_first_of_page(const struct leaks *leaks, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (freed_early_is(&leaks->incidents[k]) &&
		    pfn_of(&leaks->incidents[k]) == pfn_of(&leaks->incidents[i]))
			return false;
	}
	return freed_early_is(&leaks->incidents[i]);
}

size_t freed_early_want(const struct leaks *leaks, size_t limit, FILE *out)
{
	size_t nr = 0;

	for (size_t i = 0; i < leaks->nr_incidents; i++) {
		if (!is_first_of_page(leaks, i))
			continue;
		if (out && nr < limit)
			fprintf(out, "follow freed=%#" PRIx64 " pattern=%#llx\n",
				(uint64_t)pfn_of(&leaks->incidents[i]) << PAGE_SHIFT, POISON_FREE);
		nr++;
	}
	return nr;
}

const struct freed_page *freed_early_of(const struct lives *lives, const struct leak_incident *incident)
{
	for (size_t i = 0; i < lives->nr_freed; i++) {
		if (lives->freed[i].pfn == pfn_of(incident))
			return &lives->freed[i];
	}
	return NULL;
}
