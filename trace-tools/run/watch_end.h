/* SPDX-License-Identifier: MIT */
/* watch_end: closes the run folder of a watched machine that has ended. */
#ifndef TOOLS_RUN_WATCH_END_H
#define TOOLS_RUN_WATCH_END_H

#include "watch.h"

/*
 * Writes RUN/run.json from what the stand-in (watch.json) and the plugin (plugin.json) left: the command line, how it
 * ended and the manifest. A machine whose plugin could not end gets none, so that readers say it was interrupted.
 * end_text: why the machine was ended, NULL: by itself. options: what was typed, for a second run. NULL, or what is wrong (caller frees).
 */
char *watch_write_end(const char *folder, const char *end_text, const struct watch_options *options);

#endif
