/* SPDX-License-Identifier: MIT */
/*
 * detect: the description of a kernel of the xv6 family, found in its ELF file.
 *
 * Nobody wants to describe the kernel that he is in the middle of writing, and each year and each lab names things
 * otherwise. What stays is the shape, and that is what is looked for, names deciding only between equals:
 *
 *   free list    a variable that points to a structure which begins with a pointer to its own kind
 *   free         takes a pointer, stores the list's link into what it points to, and the pointer into the list
 *   alloc        gives back what it takes from the list; called from outside of the allocator
 *   counts       an array of as many numbers as RAM has pages, indexed by a page's address shifted right
 *   processes    an array of structures with a state, a kernel stack and a page table
 *   console      byte stores to the UART that are not its initialization, or calls of the firmware
 *
 * DETECT-1  What has the shape of none, or of two things, is not described; a note says what was looked for.
 * DETECT-2  What was decided by a name or by a default is a `maybe`.
 * DETECT-3  Every item says why.
 */
#ifndef TOOLS_DESCRIBE_DETECT_H
#define TOOLS_DESCRIBE_DETECT_H

#include "code.h"
#include "kd.h"
#include "target/types.h"

/* Never NULL; without an allocator in it, it is no description to trace with (detect_is_enough). */
struct kd *detect(const struct types *types, struct code *code);
/* Whether pages are known to come and go: by an allocator and a free, or by a state. */
bool detect_is_enough(const struct kd *kd);

#endif
