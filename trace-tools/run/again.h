/* SPDX-License-Identifier: MIT */
/*
 * again: repeats a run of our kernel from what its folder says: RUN/run.json the machine, RUN/kernel/pagetrail.elf the kernel.
 *
 * The disk is not kept in the folder; its checksum is, so that a disk that was rebuilt meanwhile is refused, not taken for a
 * run that went another way.
 *
 *     struct again again;
 *     if (again_read(&again, "RUN", &error)) {
 *             struct session *session = again_run(&again, "RUN/again", NULL);
 *             ...
 *             session_free(session);
 *     }
 *     again_free(&again);
 */
#ifndef TOOLS_RUN_AGAIN_H
#define TOOLS_RUN_AGAIN_H

#include "session.h"

struct json_value;

struct again {
	struct session_options options;
	struct json_value *said; /* run.json; what `options` points to lives in it */
	char *kernel;
	char **words;
	uint64_t events; /* of the recorded run */
};

/* False, and why this run cannot be repeated, in words that say what to do (caller frees). */
bool again_read(struct again *again, const char *run, char **error);
/*
 * Runs the machine again and leaves a run in `folder`. more_hooks: further lines of the plugin's hooks file
 * (plugin/hooks.h), or NULL. Says how far it is on a terminal.
 */
struct session *again_run(struct again *again, const char *folder, const char *more_hooks);
void again_free(struct again *again);

#endif
