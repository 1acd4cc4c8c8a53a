/* SPDX-License-Identifier: MIT
 *
 * hooks_priv: the parts of the hooks file's reader.
 */
#ifndef PLUGIN_HOOKS_PRIV_H
#define PLUGIN_HOOKS_PRIV_H

#include "line.h"

void hooks_read_follow(struct line *line);
void hooks_read_function(struct line *line);
void hooks_read_weak(struct line *line);
/* Once all lines are read. */
void hooks_sort_follow(void);

#endif
