/* SPDX-License-Identifier: MIT */
/* types: the file, its symbols and its image; see types.h. */
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "types_priv.h"

#ifndef EM_RISCV
#define EM_RISCV 243
#endif

/* ---- the image ---- */

static void add_segment(struct types *types, struct segment segment, uint64_t file_offset)
{
	if (segment.file_bytes > segment.bytes)
		segment.file_bytes = segment.bytes;
	if (file_offset > types->image_bytes)
		segment.file_bytes = 0;
	else if (segment.file_bytes > types->image_bytes - file_offset)
		segment.file_bytes = types->image_bytes - file_offset;
	size_t nr = types->nr_segments;
	ARRAY_PUSH(types->segment_files, nr, types->segment_files_capacity) = file_offset;
	ARRAY_PUSH(types->segments, types->nr_segments, types->segments_capacity) = segment;
}

static void read_segments(struct types *types)
{
	size_t nr = 0;

	if (elf_getphdrnum(types->elf, &nr))
		return;
	for (size_t i = 0; i < nr; i++) {
		GElf_Phdr header;
		if (!gelf_getphdr(types->elf, (int)i, &header) || header.p_type != PT_LOAD)
			continue;
		add_segment(types,
			    (struct segment){header.p_vaddr, header.p_paddr, header.p_memsz, header.p_filesz,
					     header.p_flags & PF_X},
			    header.p_offset);
	}
}

size_t types_nr_segments(const struct types *types)
{
	return types->nr_segments;
}
const struct segment *types_segment(const struct types *types, size_t i)
{
	return &types->segments[i];
}
uint64_t types_entry(const struct types *types)
{
	return types->entry;
}
const char *types_build_id(const struct types *types)
{
	return types->build_id;
}

const void *types_bytes(const struct types *types, uint64_t va, uint64_t bytes)
{
	for (size_t i = 0; i < types->nr_segments; i++) {
		const struct segment *segment = &types->segments[i];
		if (va >= segment->va && va - segment->va <= segment->file_bytes &&
		    bytes <= segment->file_bytes - (va - segment->va))
			return types->image + types->segment_files[i] + (va - segment->va);
	}
	return NULL;
}

/* ---- symbols ---- */

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	/* One with a size covers what has none. */
	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int by_name(const void *a, const void *b)
{
	const struct symbol *const *x = a, *const *y = b;
	int order = strcmp((*x)->name, (*y)->name);

	return order ? order : by_address(*x, *y);
}

/* Labels of the compiler and the assembler, which name no function: "$x", ".L12". */
static bool is_local_label(const char *name)
{
	return name[0] == '$' || !strncmp(name, ".L", 2) || !strncmp(name, "L0", 2);
}

static void add_symbol(struct types *types, const char *name, uint64_t address, uint64_t bytes, bool code)
{
	if (!*name || is_local_label(name))
		return;
	ARRAY_PUSH(types->symbols, types->nr_symbols, types->symbols_capacity) =
	    (struct symbol){name, address, bytes <= SIZE_BELIEVED ? bytes : 0, code};
}

static void read_symbol_table(struct types *types, Elf_Scn *section, const GElf_Shdr *header)
{
	Elf_Data *data = elf_getdata(section, NULL);
	GElf_Sym symbol;

	for (int i = 0; data && gelf_getsym(data, i, &symbol); i++) {
		const char *name = elf_strptr(types->elf, header->sh_link, symbol.st_name);
		int type = GELF_ST_TYPE(symbol.st_info);
		if (!name || symbol.st_shndx == SHN_UNDEF || type == STT_FILE || type == STT_SECTION)
			continue;
		Elf_Scn *where =
		    symbol.st_shndx < SHN_LORESERVE ? elf_getscn(types->elf, symbol.st_shndx) : NULL;
		GElf_Shdr home;
		bool code = where && gelf_getshdr(where, &home) && home.sh_flags & SHF_EXECINSTR &&
			    type != STT_OBJECT;
		add_symbol(types, name, symbol.st_value, symbol.st_size, code);
	}
}

static void read_symbols(struct types *types)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(types->elf, section))) {
		GElf_Shdr header;
		if (gelf_getshdr(section, &header) && header.sh_type == SHT_SYMTAB)
			read_symbol_table(types, section, &header);
	}
}

/* Sorted both ways; who has no size reaches to the next symbol. */
static void arrange_symbols(struct types *types)
{
	size_t nr = types->nr_symbols;

	if (nr)
		qsort(types->symbols, nr, sizeof(*types->symbols), by_address);
	for (size_t i = nr; i-- > 0;) {
		struct symbol *symbol = &types->symbols[i];
		size_t next = i + 1;
		while (next < nr && types->symbols[next].address == symbol->address)
			next++;
		if (symbol->bytes == 0 && next < nr &&
		    types->symbols[next].address - symbol->address <= SIZE_BELIEVED)
			symbol->bytes = types->symbols[next].address - symbol->address;
	}
	types->symbols_by_name = xcalloc(nr + 1, sizeof(*types->symbols_by_name));
	for (size_t i = 0; i < nr; i++)
		types->symbols_by_name[i] = &types->symbols[i];
	qsort(types->symbols_by_name, nr, sizeof(*types->symbols_by_name), by_name);
}

size_t types_nr_symbols(const struct types *types)
{
	return types->nr_symbols;
}

const struct symbol *types_symbol_by_number(const struct types *types, size_t i)
{
	return &types->symbols[i];
}

const struct symbol *types_symbol(const struct types *types, const char *name)
{
	size_t low = 0, high = types->nr_symbols;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (strcmp(types->symbols_by_name[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < types->nr_symbols && !strcmp(types->symbols_by_name[low]->name, name))
		return types->symbols_by_name[low];
	return NULL;
}

const struct symbol *types_symbol_at(const struct types *types, uint64_t address)
{
	size_t low = 0, high = types->nr_symbols;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (types->symbols[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	/* A small one may stand behind the start of a large one that covers both: look back a little. */
	for (size_t back = 0; back < 64 && low > back; back++) {
		const struct symbol *symbol = &types->symbols[low - 1 - back];
		if (address - symbol->address < symbol->bytes)
			return symbol;
	}
	return NULL;
}

/* ---- opening ---- */

static bool open_elf(struct types *types, char **error)
{
	GElf_Ehdr header;

	elf_version(EV_CURRENT);
	types->elf = elf_memory(types->image, types->image_bytes);
	if (!types->elf || elf_kind(types->elf) != ELF_K_ELF || !gelf_getehdr(types->elf, &header)) {
		*error = xasprintf("%s: no ELF file", types->path);
		return false;
	}
	if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB) {
		*error = xasprintf("%s: no 64-bit little-endian ELF file", types->path);
		return false;
	}
	types->riscv64 = header.e_machine == EM_RISCV;
	types->entry = header.e_entry;
	return true;
}

static void read_build_id(struct types *types)
{
	const void *id;
	ssize_t bytes = dwelf_elf_gnu_build_id(types->elf, &id);

	if (bytes <= 0 || bytes > 64)
		return;
	types->build_id = xcalloc(2 * (size_t)bytes + 1, 1);
	for (ssize_t i = 0; i < bytes; i++)
		snprintf(types->build_id + 2 * i, 3, "%02x", ((const uint8_t *)id)[i]);
}

struct types *types_open(const char *path, char **error)
{
	struct types *types = xcalloc(1, sizeof(*types));

	*error = NULL;
	types->path = xstrdup(path);
	types->image = file_read_all(path, &types->image_bytes);
	if (!types->image)
		*error = xasprintf("%s: %s", path, strerror(errno));
	if (*error || !open_elf(types, error)) {
		types_close(types);
		return NULL;
	}
	read_segments(types);
	read_symbols(types);
	arrange_symbols(types);
	read_build_id(types);
	types->dwarf = dwarf_begin_elf(types->elf, DWARF_C_READ, NULL);
	if (types->dwarf)
		types_load_dwarf(types);
	if (!types->dwarf || (types->nr_named == 0 && types->nr_globals == 0)) {
		free(types->problem);
		types->problem =
		    xasprintf("%s: no debug information (compile with -g): names without types", path);
	}
	types_load_functions_without_dwarf(types);
	return types;
}

/* "ffffffff80001234 T start_kernel", a symbol a line; the first line that is not so ends it with an error. */
static bool parse_map(struct types *types, char **error)
{
	size_t line = 1;

	for (char *text = types->map_text; *text; line++) {
		char *end = strchr(text, '\n'), *rest;
		if (end)
			*end = 0;
		uint64_t address = strtoull(text, &rest, 16);
		if (*text == ' ') { /* What is not defined has no address. */
			text = end ? end + 1 : text + strlen(text);
			continue;
		}
		if (rest == text || rest[0] != ' ' || !rest[1] || rest[2] != ' ' || !rest[3]) {
			*error = xasprintf("%s:%zu: no line of a System.map (ADDRESS TYPE NAME)", types->path,
					   line);
			return false;
		}
		rest[3 + strcspn(rest + 3, " \t\r")] = 0;
		add_symbol(types, rest + 3, address, 0, strchr("tTwW", rest[1]) != NULL);
		text = end ? end + 1 : text + strlen(text);
	}
	return true;
}

struct types *types_open_map(const char *map, const char *image, uint64_t va, char **error)
{
	struct types *types = xcalloc(1, sizeof(*types));

	*error = NULL;
	types->path = xstrdup(map);
	types->riscv64 = true;
	types->map_text = file_read_all(map, NULL);
	if (!types->map_text)
		*error = xasprintf("%s: %s", map, strerror(errno));
	else if (image && !(types->image = file_read_all(image, &types->image_bytes)))
		*error = xasprintf("%s: %s", image, strerror(errno));
	if (*error || !parse_map(types, error)) {
		types_close(types);
		return NULL;
	}
	if (image)
		add_segment(types, (struct segment){va, 0, types->image_bytes, types->image_bytes, true}, 0);
	arrange_symbols(types);
	types->problem = xasprintf("%s: a System.map has names without types", map);
	types_load_functions_without_dwarf(types);
	return types;
}

void types_close(struct types *types)
{
	if (!types)
		return;
	types_free_cache(types);
	for (size_t i = 0; i < types->nr_functions; i++)
		free((void *)types->functions[i].variables);
	free(types->functions);
	free(types->globals);
	free(types->named);
	free(types->symbols);
	free(types->symbols_by_name);
	free(types->segments);
	free(types->segment_files);
	dwarf_end(types->dwarf);
	elf_end(types->elf);
	free(types->image);
	free(types->map_text);
	free(types->build_id);
	free(types->problem);
	free(types->path);
	free(types);
}

const char *types_path(const struct types *types)
{
	return types->path;
}
const char *types_problem(const struct types *types)
{
	return types->problem;
}
bool types_has_dwarf(const struct types *types)
{
	return types->nr_named > 0 || types->nr_globals > 0;
}
bool types_is_riscv64(const struct types *types)
{
	return types->riscv64;
}
