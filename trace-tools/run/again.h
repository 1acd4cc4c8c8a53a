/* SPDX-License-Identifier: MIT */
/*
 * again: repeats a run of our kernel from what its folder says: RUN/run.json the machine, RUN/kernel/pagetrail.elf the kernel.
 *
 * The disk is not kept in the folder; its checksum is, so that a disk that was rebuilt meanwhile is refused, not taken for a
 * run that went another way. So is a kernel of another build, and what a machine left that was ended from outside is compared with
 * nothing: who says that two runs differ has seen two whole ones.
 *
 *     struct again again;
 *     if (again_read(&again, "RUN", &error)) {
 *             char *fault = again_run(&again, "RUN/again", NULL);
 *             ...
 *     }
 *     again_free(&again);
 */
#ifndef TOOLS_RUN_AGAIN_H
#define TOOLS_RUN_AGAIN_H

#include "session.h"

struct json_value;
struct run;

struct again {
	struct session_options options;
	struct json_value *said; /* run.json; what `options` points to lives in it */
	char *kernel;
	char **words;
	uint64_t events; /* of the recorded run */
};

/* False, and why this run cannot be repeated, in words that say what to do (caller frees). */
bool again_read(struct again *again, const char *run, char **error);
/* What is missing of the recorded run would be a difference that is none: says so (caller frees), or NULL. */
char *again_unfit(const struct run *recorded);
/*
 * Runs the machine again and leaves a run in `folder`. more_hooks: further lines of the plugin's hooks file
 * (plugin/hooks.h), or NULL. Says how far it is on a terminal. NULL: it came to an end of its own; else why what it left is no
 * repetition, in words (caller frees).
 */
char *again_run(struct again *again, const char *folder, const char *more_hooks);
void again_free(struct again *again);

#endif
