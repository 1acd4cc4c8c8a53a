/* SPDX-License-Identifier: MIT */
/*
 * watch_quiet: has the machine come to rest, behind its prompt?
 *
 * A prompt is said before the shell sleeps: between the two lies its call of read(). An audit of that instant would say
 * "processes still running". No time on our clock is long enough, since the host may be busy; so QEMU's own clock is
 * asked. Either nothing of it runs (the harts wait for an interrupt), twice in a row, or it has computed for QUIET_TICKS
 * since the prompt: kernels whose scheduler never waits.
 */
#ifndef TOOLS_RUN_WATCH_QUIET_H
#define TOOLS_RUN_WATCH_QUIET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define QUIET_LOOK_MS 10 /* between two looks */

struct watch_quiet {
	uint64_t since; /* ticks of all machines at the prompt */
	unsigned idle;  /* looks in a row at which nothing ran */
};

/* Adds what a process has computed, in ticks; true when none of its threads runs. An ended one counts as idle. */
bool watch_process_idle(pid_t pid, uint64_t *ticks);
/* idle, ticks: of all machines together, at this look. */
void watch_quiet_begin(struct watch_quiet *quiet, uint64_t ticks);
bool watch_quiet_look(struct watch_quiet *quiet, bool idle, uint64_t ticks);

#endif
