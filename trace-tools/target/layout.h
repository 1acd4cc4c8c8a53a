/* SPDX-License-Identifier: MIT */
/*
 * layout: where the kernel keeps what, from its ELF file: addresses of variables, offsets of members by DWARF.
 *
 * Nothing of a kernel structure is known here by heart but its names, so a member may move or change its width
 * without a change in the tools.
 */
#ifndef TOOLS_TARGET_LAYOUT_H
#define TOOLS_TARGET_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

struct layout;

struct member {
	uint32_t offset, bytes;
};

/* NULL and a message in *error (caller frees). */
struct layout *layout_open(const char *elf, char **error);
void layout_close(struct layout *layout);
/* All three die when there is no such thing: the kernel is then of another make than the tools. */
uint32_t layout_size(struct layout *layout, const char *structure);
struct member layout_member(struct layout *layout, const char *structure, const char *member);
/* Physical address of a variable; its size in *bytes. */
uint64_t layout_variable(struct layout *layout, const char *name, uint64_t *bytes);

#endif
