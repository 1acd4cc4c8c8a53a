/* SPDX-License-Identifier: MIT */
/* leaks_parts: what the files that write the leak report as text share. */
#ifndef TOOLS_REPORT_LEAKS_PARTS_H
#define TOOLS_REPORT_LEAKS_PARTS_H

#include "leaks_text.h"

/* The i-th of a group, oldest first. */
static inline const struct leak_item *leaks_item(const struct leaks *leaks, const struct leak_group *group,
						 size_t i)
{
	return &leaks->items[group->items[i]];
}

void leaks_print_missing(const struct leaks *leaks, const struct leak_group *group, FILE *out);

#endif
