/* SPDX-License-Identifier: MIT */
/* describe: everything about a stranger's kernel in one: its types, its description, found or read, and its hooks. */
#ifndef TOOLS_DESCRIBE_DESCRIBE_H
#define TOOLS_DESCRIBE_DESCRIBE_H

#include "kd.h"
#include "target/types.h"

struct code;

struct description {
	struct types *types;
	struct code *code;
	struct kd *kd;
	char *hooks; /* the hooks file's text */
	bool enough; /* an allocator and a free, or a state that says both: it can be traced */
};

/*
 * Opens the ELF file, reads the description from kd_path, or finds it (NULL), and compiles it. A description with `symbols`
 * makes elf the name of a raw image, and `map` its System.map in place of the one that the description names (NULL). False and
 * what is wrong in *error (caller frees).
 */
bool describe_kernel(struct description *description, const char *elf, const char *kd_path, const char *map,
		     char **error);
/*
 * The kernel as an ELF file at `path`, for a run folder: a copy; of a raw image, with the names of its System.map in it, so that
 * the description needs no `symbols` any more and loses them. NULL, or what is wrong (caller frees).
 */
char *description_keep_elf(struct description *description, const char *elf, const char *path);
/* The type of the kernel's struct page, whatever its name is; NULL: there is none. */
const struct type *describe_frame_type(const struct kd *kd, const struct types *types);
void description_close(struct description *description);
/* The description as text, with a head that says of which file it is. */
void description_print(const struct description *description, FILE *out);

#endif
