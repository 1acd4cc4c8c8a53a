/* SPDX-License-Identifier: MIT
 *
 * depot: every call stack once, in RUN/trace/stacks, as an array that readers map.
 *
 * A run of half a million events has some sixty different stacks. depot_put() finds the id of a stack in a hash table of
 * this process, or appends it to the mapped file.
 *
 * CALLSTACK-1  A stack is in the file, and counted in the header's content size, before its id is given out.
 * CALLSTACK-2  Finding takes no lock: a slot's id is stored last, with release, and never changes.
 */
#ifndef PLUGIN_DEPOT_H
#define PLUGIN_DEPOT_H

#include <stdbool.h>
#include <stdint.h>

/* False: the file cannot be made (errno). */
bool depot_open(const char *trace_folder);
/* The id of a stack; 0 for one without frames, or when the depot is full. */
uint32_t depot_put(const uint32_t *frames, unsigned nr);
void depot_close(void);
uint32_t depot_stacks(void);

#endif
