/* SPDX-License-Identifier: MIT */
/* ranges: see ranges.h. */
#include "ranges.h"

#include <inttypes.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

void ranges_print(FILE *out, uint64_t *numbers, size_t nr, size_t max_ranges)
{
	size_t printed = 0;

	qsort(numbers, nr, sizeof(*numbers), compare);
	for (size_t i = 0; i < nr;) {
		size_t end = i;
		while (end + 1 < nr && numbers[end + 1] - numbers[end] <= 1)
			end++;
		if (printed == max_ranges) {
			fprintf(out, " and %zu more", nr - i);
			return;
		}
		fprintf(out, "%s%" PRIu64, printed++ ? ", " : "", numbers[i]);
		if (numbers[end] != numbers[i])
			fprintf(out, "-%" PRIu64, numbers[end]);
		i = end + 1;
	}
}
