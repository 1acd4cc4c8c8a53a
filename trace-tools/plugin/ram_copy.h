/* SPDX-License-Identifier: MIT
 *
 * ram_copy: the guest's RAM as it was when QEMU ended, as the file RUN/ram (offset = physical address - base of RAM).
 *
 * Pages of zeros become holes. The file holds whatever the guest held, so only its owner may read it. A QEMU that is
 * killed leaves no copy: plugin.json then says "ended": false, and there is no RUN/ram.
 */
#ifndef PLUGIN_RAM_COPY_H
#define PLUGIN_RAM_COPY_H

#include <stdbool.h>

/* False: there is no whole copy (and no file). */
bool ram_copy_write(const char *path);

#endif
