/* SPDX-License-Identifier: MIT */
/* elf_file: see elf_file.h. */
#include "elf_file.h"

#include <elfutils/libdwelf.h>
#include <gelf.h>
#include <stdio.h>
#include <unistd.h>

#include "util.h"

#define ELF_BYTES_MAX (1ULL << 32)

/* All sections lie within the file. Their headers stand at its end as a rule, so a file that is cut off lacks them. */
static bool is_whole(Elf *elf, uint64_t bytes)
{
	GElf_Shdr header;
	size_t nr;

	if (elf_kind(elf) != ELF_K_ELF || elf_getshdrnum(elf, &nr) || nr == 0)
		return false;
	for (size_t i = 1; i < nr; i++) {
		Elf_Scn *section = elf_getscn(elf, i);
		if (!section || !gelf_getshdr(section, &header))
			return false;
		if (header.sh_type != SHT_NOBITS &&
		    (header.sh_offset > bytes || header.sh_size > bytes - header.sh_offset))
			return false;
	}
	return true;
}

const char *elf_file_build_id(const char *path, char *id, size_t bytes)
{
	const uint8_t *found = NULL;
	const char *fault = NULL;
	size_t size;
	int fd = file_open_regular(path, ELF_BYTES_MAX, &size, &fault);

	id[0] = 0;
	if (fd < 0)
		return fault;
	elf_version(EV_CURRENT);
	Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (!elf || !is_whole(elf, size))
		fault = size ? "no whole ELF file" : "the file is empty";
	ssize_t nr = fault ? 0 : dwelf_elf_gnu_build_id(elf, (const void **)&found);
	for (ssize_t i = 0; i < nr && 2 * (size_t)nr < bytes; i++)
		snprintf(id + 2 * i, 3, "%02x", found[i]);
	elf_end(elf);
	close(fd);
	return fault;
}
