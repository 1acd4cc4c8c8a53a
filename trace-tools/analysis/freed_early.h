/* SPDX-License-Identifier: MIT */
/*
 * freed_early: pages and objects that were freed while somebody still used them: who freed them first, who pointed to them then, who
 * used them after.
 *
 * The finding (double free, use after free, dangling mapping or pointer, freed while in use) names a page or an object and the moment
 * at which it was noticed. In a run that is repeated the plugin watches it from the start (plugin/freed.h). An example:
 *
 *     finding        double free of page 0x80512
 *     freed first    munmap_range, called by sys_munmap
 *     pointed to by  mapping 12's tree, stored by pagecache_get: that holder's reference was given back for it
 *     freed again    drop_one
 *
 * What a panic names, or has in a register, and is free, is one of these, too: whoever used it had it from before its free.
 *
 * Of a watched kernel the audit of RAM has findings of the same kinds: a free page that is mapped, or on a free list twice.
 */
#ifndef TOOLS_ANALYSIS_FREED_EARLY_H
#define TOOLS_ANALYSIS_FREED_EARLY_H

#include "leaks.h"

struct freed_early {
	enum verdict verdict; /* VERDICT_NONE: the kernel panicked with it in its hands */
	bool object;
	bool only_seen; /* where pointers were followed: there is no finding */
	uint64_t pa;
	uint32_t stack; /* of the finding, in the trace; 0: none */
	char held[80];  /* of a panic: where it was seen, "in s1" */
};

/*
 * All findings of this kind, each of a page or object once; and of a run in which all pointers were followed what was used or freed
 * again though there is no finding. Returns how many; caller frees *list.
 */
size_t freed_early_list(const struct leaks *leaks, struct freed_early **list);
size_t freed_early_count(const struct leaks *leaks);
/* The lines of the plugin's hooks file for at most `limit` of them. */
void freed_early_want(const struct leaks *leaks, size_t limit, FILE *out);
/* What Pagetrail's kernel fills free memory with, likewise: for a run in which everything is followed. */
void freed_early_patterns(FILE *out);
/* What the plugin saw of one; NULL: it was not freed, or not followed. */
const struct freed_range *freed_early_of(const struct lives *lives, const struct freed_early *one);

#endif
