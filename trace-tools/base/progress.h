/* SPDX-License-Identifier: MIT */
/*
 * progress: one line for who waits at a terminal.
 *
 *     export: writing events 43 %
 *
 * The line appears on stderr when a command has run for a second, is written over while it goes on, and is erased
 * before anything else is written and at the end. It appears at a terminal only, so nothing that a program reads has it in it.
 * Who does the work says how far it is; the command's name is set once, by main.
 *
 * PAGETRAIL_PROGRESS in the environment: after how many seconds it appears (1), or `off`.
 *
 * PROGRESS-1  what progress_show puts on the terminal is gone after progress_erase, which die() and warn() call first.
 */
#ifndef TOOLS_BASE_PROGRESS_H
#define TOOLS_BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* From now on, for this command. A command that never calls it has no line. */
void progress_begin(const char *command);
/* No line any more: the command fills the screen itself. */
void progress_stop(void);
/* What the work is called that follows (a constant). */
void progress_name(const char *work);
/* So much of it is done; total 0: nobody knows how much it is. Cheap, but not for every event. */
void progress_show(uint64_t done, uint64_t total);
void progress_erase(void);

#endif
