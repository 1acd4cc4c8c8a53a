/* SPDX-License-Identifier: MIT */
/* plugin: where the QEMU plugin is that belongs to this program. */
#ifndef TOOLS_RUN_PLUGIN_H
#define TOOLS_RUN_PLUGIN_H

#define PLUGIN_FILE "pagetrail-plugin.so"

/* Beside this program, or where `make install` puts it; caller frees. NULL: in neither place. */
char *plugin_find(void);
/* The same, or dies. */
char *plugin_find_or_die(void);

#endif
