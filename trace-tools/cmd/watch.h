/* SPDX-License-Identifier: MIT */
/* watch: what the commands that watch machines have in common: `watch` and `batch`. The machines are run/watch.h's. */
#ifndef CMD_WATCH_H
#define CMD_WATCH_H

#include "command.h"
#include "run/watch.h"

/* How machines are watched and judged, and how their prompt is driven. */
#define WATCH_OPTIONS                                                                                        \
	{"kernel-description", "FILE",                                                                       \
	 "what `pagetrail describe` prints, edited: for kernels it does not understand"},                    \
	    {"elf", "FILE", "the kernel with its symbols, where QEMU boots another form of it"},             \
	    {"symbols", "FILE", "a System.map: the names of a kernel that is a raw image, as Linux is"},     \
	    {"check", "writes", "record every store of the kernel into a free page; up to twice as slow"},   \
	    {"type", "TEXT", "at the next prompt, type this line; may be given several times"},              \
	    {"until", "REGEX",                                                                               \
	     "end the machine when the console says this, and the prompt is back; or, with status 2, when "  \
	     "the prompt is back without it and nothing more is said for 10 seconds"},                       \
	    {"prompt", "REGEX", "what a prompt ends with (a $, # or > and a blank)"},                        \
	    {"baseline", "RUN|FILE", "a run without the leak to compare with"}, NO_BASELINE,                 \
	    {"suppressions", "FILE", "known leaks, as for `pagetrail leaks`"},                               \
	    {"fail-on-leak", NULL, "status 1 also for leaks that are not certain"},                          \
	    {"leak-points", NULL,                                                                            \
	     "follow all pointers while it runs, harts in turns, 2 to 5 times as slow: pages that were "     \
	     "not "                                                                                          \
	     "freed and have no pointer left are found, and `pagetrail why` needs no second run"},           \
	{                                                                                                    \
		"why", NULL,                                                                                 \
		    "with --type: if something leaked, run the machine again and say where the last "        \
		    "pointer died (pagetrail why)"                                                           \
	}

/* Reads WATCH_OPTIONS and `timeout`, or dies. The caller frees options->typed. */
void watch_read_options(const struct arguments *arguments, struct watch_options *options);
/*
 * Judges all machines of a watch that has ended: what each says on standard output, what is missing on standard error. The status is
 * the worst. reader: who looks at what was found, too, machine by machine; NULL.
 */
int watch_report(const struct watch *watch, const struct arguments *arguments, leaks_reader *reader,
		 void *context);

#endif
