/* SPDX-License-Identifier: MIT
 *
 * bounds: how much of anything the plugin holds, in one place. All tables have a fixed size, so that no callback allocates.
 */
#ifndef PLUGIN_BOUNDS_H
#define PLUGIN_BOUNDS_H

#define HARTS_MAX 64
#define PAGE_BYTES 4096ULL
#define PAGE_SHIFT 12
#define NONE UINT64_MAX /* of an address: there is none */

#endif
