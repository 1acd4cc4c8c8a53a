/* SPDX-License-Identifier: MIT */
/*
 * types_elf: a raw image and its System.map as one ELF file; see types_write_elf in types.h.
 *
 * Debuggers, readers of stacks and our own tools take names from ELF files alone. So the two are put together once:
 *
 *     header, one program header | image, at PAGE_BYTES | symbols | their names | names of sections | section headers
 *
 * Every symbol belongs to the section of the image, those of .bss behind it, too: readers leave out what is absolute. A symbol
 * reaches to the next one, as the map says no sizes.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "types_priv.h"

#define IMAGE_AT 4096

enum { SECTION_NONE, SECTION_IMAGE, SECTION_SYMBOLS, SECTION_NAMES, SECTION_HEADINGS, SECTIONS };
static const char headings[] = "\0.text\0.symtab\0.strtab\0.shstrtab";
static const uint32_t heading_at[SECTIONS] = {0, 1, 7, 15, 23};

struct layout {
	uint64_t symbols_at, symbols_bytes, names_at, names_bytes, headings_at, sections_at;
};

static struct layout layout_of(const struct types *types)
{
	struct layout layout = {.symbols_at = (IMAGE_AT + types->image_bytes + 7) & ~7ULL,
				.symbols_bytes = (types->nr_symbols + 1) * sizeof(Elf64_Sym),
				.names_bytes = 1};

	for (size_t i = 0; i < types->nr_symbols; i++)
		layout.names_bytes += strlen(types->symbols[i].name) + 1;
	layout.names_at = layout.symbols_at + layout.symbols_bytes;
	layout.headings_at = layout.names_at + layout.names_bytes;
	layout.sections_at = (layout.headings_at + sizeof(headings) + 7) & ~7ULL;
	return layout;
}

static void write_headers(const struct types *types, const struct layout *layout, FILE *out)
{
	const struct segment *image = &types->segments[0];
	Elf64_Ehdr header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
					 EV_CURRENT, ELFOSABI_NONE},
			     .e_type = ET_EXEC,
			     .e_machine = EM_RISCV,
			     .e_version = EV_CURRENT,
			     .e_entry = image->va,
			     .e_phoff = sizeof(header),
			     .e_shoff = layout->sections_at,
			     .e_ehsize = sizeof(header),
			     .e_phentsize = sizeof(Elf64_Phdr),
			     .e_phnum = 1,
			     .e_shentsize = sizeof(Elf64_Shdr),
			     .e_shnum = SECTIONS,
			     .e_shstrndx = SECTION_HEADINGS};
	Elf64_Phdr load = {.p_type = PT_LOAD,
			   .p_flags = PF_R | PF_W | PF_X,
			   .p_offset = IMAGE_AT,
			   .p_vaddr = image->va,
			   .p_paddr = image->pa,
			   .p_filesz = types->image_bytes,
			   .p_memsz = types->image_bytes,
			   .p_align = IMAGE_AT};

	fwrite(&header, sizeof(header), 1, out);
	fwrite(&load, sizeof(load), 1, out);
}

static void write_symbols(const struct types *types, FILE *out)
{
	Elf64_Sym none = {0};
	uint32_t name = 1;

	fwrite(&none, sizeof(none), 1, out);
	for (size_t i = 0; i < types->nr_symbols; i++) {
		const struct symbol *symbol = &types->symbols[i];
		Elf64_Sym entry = {.st_name = name,
				   .st_info = ELF64_ST_INFO(STB_GLOBAL, symbol->code ? STT_FUNC : STT_OBJECT),
				   .st_shndx = SECTION_IMAGE,
				   .st_value = symbol->address,
				   .st_size = symbol->bytes};
		fwrite(&entry, sizeof(entry), 1, out);
		name += (uint32_t)strlen(symbol->name) + 1;
	}
	fputc(0, out);
	for (size_t i = 0; i < types->nr_symbols; i++)
		fwrite(types->symbols[i].name, strlen(types->symbols[i].name) + 1, 1, out);
}

static void write_sections(const struct types *types, const struct layout *layout, FILE *out)
{
	Elf64_Shdr sections[SECTIONS] = {
	    [SECTION_IMAGE] = {.sh_type = SHT_PROGBITS,
			       .sh_flags = SHF_ALLOC | SHF_EXECINSTR | SHF_WRITE,
			       .sh_addr = types->segments[0].va,
			       .sh_offset = IMAGE_AT,
			       .sh_size = types->image_bytes,
			       .sh_addralign = IMAGE_AT},
	    [SECTION_SYMBOLS] = {.sh_type = SHT_SYMTAB,
				 .sh_offset = layout->symbols_at,
				 .sh_size = layout->symbols_bytes,
				 .sh_link = SECTION_NAMES,
				 .sh_info = 1,
				 .sh_addralign = 8,
				 .sh_entsize = sizeof(Elf64_Sym)},
	    [SECTION_NAMES] = {.sh_type = SHT_STRTAB,
			       .sh_offset = layout->names_at,
			       .sh_size = layout->names_bytes,
			       .sh_addralign = 1},
	    [SECTION_HEADINGS] = {.sh_type = SHT_STRTAB,
				  .sh_offset = layout->headings_at,
				  .sh_size = sizeof(headings),
				  .sh_addralign = 1},
	};

	for (int i = 0; i < SECTIONS; i++)
		sections[i].sh_name = heading_at[i];
	fwrite(headings, sizeof(headings), 1, out);
	fseek(out, (long)layout->sections_at, SEEK_SET);
	fwrite(sections, sizeof(sections), 1, out);
}

char *types_write_elf(const struct types *types, const char *path)
{
	struct layout layout = layout_of(types);
	FILE *out = types->nr_segments && layout.names_bytes <= UINT32_MAX ? fopen(path, "wb") : NULL;

	if (!out)
		return xasprintf("%s: %s", path, types->nr_segments ? strerror(errno) : "there is no image");
	write_headers(types, &layout, out);
	fseek(out, IMAGE_AT, SEEK_SET);
	fwrite(types->image, types->image_bytes, 1, out);
	fseek(out, (long)layout.symbols_at, SEEK_SET);
	write_symbols(types, out);
	write_sections(types, &layout, out);
	bool failed = ferror(out) != 0;
	if (fclose(out) || failed)
		return xasprintf("%s: it could not be written", path);
	return NULL;
}
