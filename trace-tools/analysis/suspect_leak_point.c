/* SPDX-License-Identifier: MIT */
/*
 * suspect_leak_point: what it says that the last pointer died somewhere. See suspect.h and leak_point.h.
 *
 * It is the one rule that compares nothing: it speaks where pointers were followed, while the run was recorded (--leak-points) or
 * when it was repeated (`pagetrail why`). The pages of a watched kernel are followed as pages, whatever their counts are: there it is worth
 * less, and has a row of its own.
 */
#include <stdlib.h>

#include "base/util.h"
#include "leak_point.h"
#include "suspect.h"

bool suspect_by_leak_point(const struct suspect_case *one, struct suspect_candidate *out)
{
	size_t g = (size_t)(one->group - one->leaks->groups);
	const struct leak_point *point = g < one->world->points.nr ? &one->world->points.list[g] : NULL;

	if (!point || !point->blamed.function || 2 * point->blamed.nr <= point->nr_lost)
		return false;
	*out = (struct suspect_candidate){.rule = model_run(one->leaks->model)->watched ? SUSPECT_PAGE_POINT
											: SUSPECT_LEAK_POINT,
					  .says = {.how = MISSING_LEAK_POINT,
						   .later_nr = point->blamed.nr,
						   .later_total = point->nr_lost,
						   .leak_point = leak_point_rule_text(point->rule),
						   .suspect = point->blamed.function,
						   .suspect_place = xstrdup(point->blamed.place)}};
	return true;
}
