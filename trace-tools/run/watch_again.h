/* SPDX-License-Identifier: MIT */
/*
 * watch_again: repeats a run of `pagetrail watch`: the machine that was started, with what was typed at its prompt.
 *
 * Such a machine has the host's time and devices, so its second run is a run like the first and not the same: it is traced and
 * audited itself, and what is said is said of it. Its harts run in turns in one thread, as following pointers needs; its disks
 * are copies of what the first run began with (watch_disks.h), and what it writes there is forgotten.
 *
 * AGAIN-1  nothing of the user's tree is written.
 */
#ifndef TOOLS_RUN_WATCH_AGAIN_H
#define TOOLS_RUN_WATCH_AGAIN_H

#include "watch.h"

/*
 * Runs the machine of `run` again, as a run in RUN/name, with every pointer followed (RUN/name/leak-points); false, and why it
 * cannot be, in *error (caller frees).
 */
bool watch_again(const char *run, const char *name, char **error);

#endif
