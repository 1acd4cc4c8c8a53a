/* SPDX-License-Identifier: MIT */
/* elf_file: what an ELF file is by its frame alone: whole or cut off, and which build. */
#ifndef TOOLS_BASE_ELF_FILE_H
#define TOOLS_BASE_ELF_FILE_H

#include <stddef.h>
#include <stdint.h>

/*
 * NULL, and the build id as hex in `id` ("": it has none, or none that fits); or why the file is no whole ELF file
 * (a constant, or strerror's). Never waits, whatever stands at `path`.
 */
const char *elf_file_build_id(const char *path, char *id, size_t bytes);

#endif
