/* leaks, inside: leaks.c finds and groups, missing.c compares. */
#ifndef TOOLS_LEAKS_PRIV_H
#define TOOLS_LEAKS_PRIV_H

#include "leaks.h"

void missing_find(struct leaks *leaks, struct leak_group *group);
void missing_from_companions(struct leaks *leaks, struct leak_group *group,
			     const struct companion *companions, size_t nr);
void missing_from_baseline(struct leaks *leaks, struct leak_group *group, const struct model *baseline);

#endif
