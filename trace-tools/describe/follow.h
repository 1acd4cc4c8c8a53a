/* SPDX-License-Identifier: MIT */
/*
 * follow: what the plugin must know of a kernel to follow pointers (plugin/follow.h), as lines of its hooks file.
 *
 * Of every function the entry and how many argument registers it has: a register that is no argument holds what some call
 * before left there. Some functions are special, by the file that they are in or by their names:
 *
 *     observer      printers, checkers, the trace, the audit: they copy every page number and hold none. 1: it may have things of its
 *                   own (/proc), 2: it has none
 *     transparent   memcpy, list helpers, get and put: that they were given a pointer says nothing of who should have freed it
 *     trap          where the kernel is entered from user mode
 *     works         switches of tasks, and interrupts: what a reader of /proc gives way to is done on its stack, and is no looking
 */
#ifndef TOOLS_DESCRIBE_FOLLOW_H
#define TOOLS_DESCRIBE_FOLLOW_H

#include <stdio.h>

#include "describe.h"

/* A `func` line for each function of the kernel. kd NULL: Pagetrail's own. */
void follow_functions(const struct types *types, const struct kd *kd, FILE *out);
/* Is this one of those that pass a pointer on and own nothing? */
bool follow_is_transparent(const char *function);
/* All that Pagetrail's own kernel needs but for what is to be followed. False: it is another kernel; *error says what is missing
 * (caller frees). */
bool follow_own_kernel(const struct types *types, FILE *out, char **error);

/* The same as text, from the ELF file; NULL and *error. Caller frees both. */
char *follow_own_text(const char *kernel, char **error);

/* Every page of a kernel that is not ours: beside what its description says. */
void follow_all_pages(const struct description *description, FILE *out);

#endif
