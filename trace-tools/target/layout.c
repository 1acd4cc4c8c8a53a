/* SPDX-License-Identifier: MIT */
/* layout: see layout.h. */
#include "layout.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "ctf/format.h"

struct layout {
	char *path;
	int fd;
	Elf *elf;
	Dwarf *dwarf;
};

struct layout *layout_open(const char *path, char **error)
{
	struct layout *layout = xcalloc(1, sizeof(*layout));

	*error = NULL;
	layout->path = xstrdup(path);
	elf_version(EV_CURRENT);
	layout->fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (layout->fd < 0)
		*error = xasprintf("%s: %s", path, strerror(errno));
	else if (!(layout->elf = elf_begin(layout->fd, ELF_C_READ, NULL)) ||
		 !(layout->dwarf = dwarf_begin_elf(layout->elf, DWARF_C_READ, NULL)))
		*error = xasprintf("%s: no debug information, which says where the kernel keeps what", path);
	if (!*error)
		return layout;
	layout_close(layout);
	return NULL;
}

void layout_close(struct layout *layout)
{
	dwarf_end(layout->dwarf);
	elf_end(layout->elf);
	if (layout->fd >= 0)
		close(layout->fd);
	free(layout->path);
	free(layout);
}

/* The definition of a structure, not a declaration of it. */
static Dwarf_Die find_structure(struct layout *layout, const char *name)
{
	Dwarf_Off offset = 0, next;
	size_t header;
	Dwarf_Die unit, entry;

	for (; !dwarf_nextcu(layout->dwarf, offset, &next, &header, NULL, NULL, NULL); offset = next) {
		if (!dwarf_offdie(layout->dwarf, offset + header, &unit) || dwarf_child(&unit, &entry))
			continue;
		do {
			const char *found = dwarf_diename(&entry);
			if (dwarf_tag(&entry) == DW_TAG_structure_type && found && !strcmp(found, name) &&
			    dwarf_bytesize(&entry) > 0)
				return entry;
		} while (!dwarf_siblingof(&entry, &entry));
	}
	die("%s has no struct %s: it is another kind of kernel", layout->path, name);
}

uint32_t layout_size(struct layout *layout, const char *structure)
{
	Dwarf_Die entry = find_structure(layout, structure);

	return (uint32_t)dwarf_bytesize(&entry);
}

struct member layout_member(struct layout *layout, const char *structure, const char *member)
{
	Dwarf_Die whole = find_structure(layout, structure), entry, type;
	Dwarf_Attribute attribute;
	Dwarf_Word offset = 0, bytes = 0;

	for (int none = dwarf_child(&whole, &entry); !none; none = dwarf_siblingof(&entry, &entry)) {
		const char *name = dwarf_diename(&entry);
		if (dwarf_tag(&entry) != DW_TAG_member || !name || strcmp(name, member))
			continue;
		dwarf_formudata(dwarf_attr(&entry, DW_AT_data_member_location, &attribute), &offset);
		if (!dwarf_formref_die(dwarf_attr(&entry, DW_AT_type, &attribute), &type) ||
		    dwarf_aggregate_size(&type, &bytes))
			break;
		return (struct member){(uint32_t)offset, (uint32_t)bytes};
	}
	die("%s has no member %s in struct %s: it is another kind of kernel", layout->path, member,
	    structure);
}

uint64_t layout_variable(struct layout *layout, const char *name, uint64_t *bytes)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(layout->elf, section))) {
		GElf_Shdr header;
		GElf_Sym symbol;
		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_SYMTAB)
			continue;
		Elf_Data *data = elf_getdata(section, NULL);
		for (int i = 0; data && gelf_getsym(data, i, &symbol); i++) {
			const char *found = elf_strptr(layout->elf, header.sh_link, symbol.st_name);
			if (!found || strcmp(found, name) || GELF_ST_TYPE(symbol.st_info) != STT_OBJECT)
				continue;
			*bytes = symbol.st_size;
			return symbol.st_value >= PHYS_OFFSET ? symbol.st_value - PHYS_OFFSET
							      : symbol.st_value;
		}
	}
	die("%s has no variable %s: it is another kind of kernel", layout->path, name);
}
