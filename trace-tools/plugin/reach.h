/* SPDX-License-Identifier: MIT
 *
 * reach: which lives nothing leads to any more, at the end of a run in which all were followed.
 *
 * A life is held by frames and locations (follow.h). A location keeps it alive only if the memory that it lies in is alive: words
 * of a page that is lost itself hold nothing.
 *
 *	variable -> page table -> page		both are reached
 *	lost object -> its buffer		neither: the buffer went with the object
 *
 * So: frames, stacks, and memory that nobody allocated (variables, what the boot placed) are roots; from them on, whatever a
 * location within a reached life leads to is reached. A location within an object is the object's, not its slab page's.
 *
 * REACH-1  What is not reached was not freed, and no word of the machine that the plugin saw stored leads to it. A pointer in a form
 *          that alias.h does not know is not seen: such a life is taken for lost, though it is not.
 */
#ifndef PLUGIN_REACH_H
#define PLUGIN_REACH_H

#include <stdbool.h>
#include <stdint.h>

/* Finds out; false: out of memory. */
bool reach_find(void);
/* Is this life, by its number, reached? References: is the page or object. Before reach_find: all are. */
bool reach_is(uint32_t life);
/* The life of page or object that an address lies in, the innermost; 0: none. */
uint32_t reach_around(uint64_t va);

#endif
