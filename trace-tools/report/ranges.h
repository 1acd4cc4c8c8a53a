/* SPDX-License-Identifier: MIT */
/* ranges: sets of numbers as text: "0-9, 12". For the pids, inodes and page indexes of a report. */
#ifndef TOOLS_REPORT_RANGES_H
#define TOOLS_REPORT_RANGES_H

#include <stdint.h>
#include <stdio.h>

/* Sorts numbers in place; prints at most max_ranges ranges, then how many more numbers there are. */
void ranges_print(FILE *out, uint64_t *numbers, size_t nr, size_t max_ranges);

#endif
