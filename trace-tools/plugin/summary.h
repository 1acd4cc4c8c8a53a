/* SPDX-License-Identifier: MIT
 *
 * summary: RUN/plugin.json, what the plugin has to say of itself: versions, counters, hooks without a hit, anomalies.
 *
 * Written when the machine begins ("ended": false) and again when QEMU ends ("ended": true); each time the whole file
 * takes the place of the old one, so a reader finds valid JSON at any instant.
 */
#ifndef PLUGIN_SUMMARY_H
#define PLUGIN_SUMMARY_H

#include <stdbool.h>

struct summary_options {
	const char *path;
	bool check_writes;
	bool ended;
	bool ram_kept;
	bool ram_found;
};

void summary_write(const struct summary_options *options);

#endif
