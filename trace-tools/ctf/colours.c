/* SPDX-License-Identifier: MIT */
/*
 * colours: see colours.h. What never changes is grey; of the others each differs in lightness from the kinds before and
 * behind it, as which it lies in a pile, so that the pictures can be read in grey.
 */
#include "colours.h"

#include "format.h"

static const char *const colours[PK_NR] = {
    [PK_FREE] = "#f4f6f8",  [PK_IMAGE] = "#4a4e57",     [PK_METADATA] = "#7c828d",  [PK_TRACE] = "#a5abb5",
    [PK_ANON] = "#2f6fb0",  [PK_PAGETABLE] = "#f2c14e", [PK_PAGECACHE] = "#8fc7e8", [PK_KSTACK] = "#6b3f96",
    [PK_SLAB] = "#7cc496",  [PK_PIPE] = "#1f7a7a",      [PK_RAMDISK] = "#c9ced6",   [PK_DEVICE] = "#dbb58f",
    [PK_DEBUG] = "#9c3f7d", [PK_PCP] = "#e6eaee",       [PK_BAD] = "#000000",       [PK_KERNEL] = "#e07b39",
};

const char *kind_colour(uint32_t kind)
{
	return kind < PK_NR ? colours[kind] : "#000000";
}
