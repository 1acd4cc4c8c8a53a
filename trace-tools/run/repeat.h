/* SPDX-License-Identifier: MIT */
/*
 * repeat: machines whose run is the same each time.
 *
 * Under -icount an instruction is a nanosecond, and nothing but the host can make two runs of one machine differ. What the
 * host has a hand in, and what becomes of it:
 *
 *     ramdisk              part of RAM from the start
 *     command              a boot argument; who types at a prompt is not repeated
 *     random seed          -seed 1
 *     end                  the guest's own; one that was ended from outside would go on
 *     a ring that is full  the guest waits for us; the plugin stops the machine there, so that waiting costs no
 *                          instruction (plugin/hold.h)
 *
 * REPEAT-1  a run says "repeatable" in its run.json only if all of this held, the plugin's part by its own summary.
 */
#ifndef TOOLS_RUN_REPEAT_H
#define TOOLS_RUN_REPEAT_H

#include <stdbool.h>

#include "session.h"

/* Fills RUN/icount and says the word behind -plugin; NULL, after a warning: such a run cannot be promised to be repeatable. */
char *repeat_prepare(const struct session *session);
/* After the end. */
bool repeat_held(const struct session *session);

#endif
