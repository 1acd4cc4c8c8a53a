/* SPDX-License-Identifier: MIT */
/* process: waiting for processes that are no children of ours, and the end of all that a command has started. */
#ifndef TOOLS_RUN_PROCESS_H
#define TOOLS_RUN_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* Has this process ended, or does it within so many milliseconds (-1: for ever)? */
bool process_await_end(pid_t pid, int milliseconds);
/*
 * Ends all that this process has started, and all that those have: what ran away from its parent, too, if this process is a
 * subreaper (PR_SET_CHILD_SUBREAPER). Returns when none of them runs any more.
 */
void process_kill_descendants(void);

#endif
