/* SPDX-License-Identifier: MIT */
/* watch_kernel: what a run folder needs to know of a stranger's kernel before its machine starts. */
#ifndef TOOLS_RUN_WATCH_KERNEL_H
#define TOOLS_RUN_WATCH_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "watch.h"

/*
 * Is the code of `elf` in the file that QEMU boots, at the same addresses where that is an ELF file, too? Names of another build would
 * be wrong ones. NULL, or what is wrong (caller frees). An image that is packed shows nothing, and is only warned of.
 */
char *watch_other_kernel(const char *elf, const char *boots);

/*
 * Fills FOLDER/kernel: kernel.elf (a copy of elf, or made of a raw image and its System.map), kernel.kd (the description:
 * the user's file, or what is found) and hooks (what the plugin reads of it; with `follow`, to follow
 * every pointer to a page); FOLDER/trace with its metadata; FOLDER/logs.
 * map NULL: the description names it, where it must. NULL, or what is wrong in words that say what to do (caller frees).
 */
char *watch_prepare_kernel(const char *folder, const char *elf, const char *description, const char *map,
			   enum watch_follow follow, uint32_t boot_id);

#endif
