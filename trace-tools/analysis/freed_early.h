/* SPDX-License-Identifier: MIT */
/*
 * freed_early: pages that were freed while somebody still used them: who freed them first, who pointed to them then, who used them after.
 *
 * The finding (double free, use after free, dangling mapping, freed while in use) names a page and the moment at which it was noticed.
 * In a run that is repeated the plugin watches that page from the start (plugin/freed.h). An example:
 *
 *     finding        double free of page 0x80512
 *     freed first    munmap_range, called by sys_munmap
 *     pointed to by  mapping 12's tree, stored by pagecache_get: that holder's reference was given back for it
 *     freed again    drop_one
 */
#ifndef TOOLS_ANALYSIS_FREED_EARLY_H
#define TOOLS_ANALYSIS_FREED_EARLY_H

#include "leaks.h"

/* Is it a finding of this kind, about a page? */
bool freed_early_is(const struct leak_incident *incident);
/* How many of the findings are, each page once; the lines of the plugin's hooks file for at most `limit` of them (out NULL: none). */
size_t freed_early_want(const struct leaks *leaks, size_t limit, FILE *out);
/* What the plugin saw of the page of a finding; NULL: it was not freed, or not followed. */
const struct freed_page *freed_early_of(const struct lives *lives, const struct leak_incident *incident);

#endif
