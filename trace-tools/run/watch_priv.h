/* SPDX-License-Identifier: MIT */
/* watch_priv: what watch.c (the command) and watch_drive.c (its driven terminal) share. See watch.h. */
#ifndef TOOLS_RUN_WATCH_PRIV_H
#define TOOLS_RUN_WATCH_PRIV_H

#include "watch.h"

/* For a machine that was asked to end, or whose command has ended: it writes its copy of RAM on a host that may be busy. */
#define WATCH_END_SECONDS 30

/* Reads which machines were started by now. */
void watch_read_runs(struct watch *watch);
/* Sends a signal to every machine that was started. */
void watch_end_machines(struct watch *watch, int signal);
/* Between two looks at machines that may be silent. */
#define SILENT_LOOK_SECONDS 5
/* Says once of a machine that it has recorded nothing and said nothing for SILENT_LOOKS looks; it is still waited for. */
#define SILENT_LOOKS 4
void watch_look_silent(struct watch *watch);
/* Runs the command on a terminal of its own, types what is to be typed, and ends it where the user said. */
void watch_drive(struct watch *watch);

#endif
