/* SPDX-License-Identifier: MIT */
/* symbols: see symbols.h. */
#include "symbols.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "ctf/format.h"

#define INLINE_MAX 16

struct address_entry {
	uint32_t address; /* 0: empty */
	uint32_t first, nr;
};

struct symbols {
	uint64_t base;
	bool foreign;
	Dwfl *dwfl;
	Dwfl_Module *module;
	struct address_entry *entries;
	size_t entries_mask, nr_entries;
	struct symbol_frame **frames; /* each from the heap, so that pointers stay good */
	size_t nr_frames, frames_capacity;
};

static const Dwfl_Callbacks callbacks = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = dwfl_standard_find_debuginfo,
    .section_address = dwfl_offline_section_address,
};

void symbols_set_foreign(struct symbols *symbols, uint64_t base)
{
	symbols->base = base;
	symbols->foreign = true;
}

struct symbols *symbols_open(const char *path, char **problem)
{
	struct symbols *symbols = xcalloc(1, sizeof(*symbols));

	*problem = NULL;
	symbols->base = PHYS_OFFSET;
	symbols->entries_mask = 1023;
	symbols->entries = xcalloc(1024, sizeof(*symbols->entries));
	if (path && !file_is_regular(path)) {
		*problem = xasprintf("%s: not a file that can be read: addresses stay numbers", path);
		return symbols;
	}
	if (!path) {
		*problem = xstrdup("no kernel file: addresses stay numbers");
		return symbols;
	}
	symbols->dwfl = dwfl_begin(&callbacks);
	symbols->module = symbols->dwfl ? dwfl_report_elf(symbols->dwfl, "kernel", path, -1, 0, true) : NULL;
	if (!symbols->module || dwfl_report_end(symbols->dwfl, NULL, NULL)) {
		*problem = xasprintf("%s: %s: addresses stay numbers", path, dwfl_errmsg(-1));
		symbols->module = NULL;
		return symbols;
	}
	Dwarf_Addr bias;
	if (!dwfl_module_getdwarf(symbols->module, &bias))
		*problem = xasprintf("%s has no debug information: names without lines", path);
	return symbols;
}

void symbols_close(struct symbols *symbols)
{
	for (size_t i = 0; i < symbols->nr_frames; i++)
		free(symbols->frames[i]);
	if (symbols->dwfl)
		dwfl_end(symbols->dwfl);
	free(symbols->frames);
	free(symbols->entries);
	free(symbols);
}

struct Dwarf *symbols_dwarf(struct symbols *symbols)
{
	Dwarf_Addr bias;

	return symbols->module ? dwfl_module_getdwarf(symbols->module, &bias) : NULL;
}

/* One that has code, in itself or inlined: a prototype has neither. */
static bool is_definition(Dwarf_Die *die, const char *function)
{
	const char *name = dwarf_tag(die) == DW_TAG_subprogram ? dwarf_diename(die) : NULL;

	return name && !strcmp(name, function) &&
	       (dwarf_hasattr(die, DW_AT_inline) || dwarf_hasattr(die, DW_AT_low_pc) ||
		dwarf_hasattr(die, DW_AT_ranges));
}

const char *symbols_declared(struct symbols *symbols, const char *function, char *buf, size_t bytes)
{
	Dwarf *dwarf = symbols_dwarf(symbols);
	Dwarf_Off offset = 0, next;
	size_t header;
	Dwarf_Die unit, die;
	int line;

	buf[0] = 0;
	for (; dwarf && !dwarf_nextcu(dwarf, offset, &next, &header, NULL, NULL, NULL); offset = next) {
		if (!dwarf_offdie(dwarf, offset + header, &unit) || dwarf_child(&unit, &die))
			continue;
		do {
			const char *file = is_definition(&die, function) ? dwarf_decl_file(&die) : NULL;
			if (file && !dwarf_decl_line(&die, &line)) {
				snprintf(buf, bytes, "%s:%d", file, line);
				return buf;
			}
		} while (!dwarf_siblingof(&die, &die));
	}
	return buf;
}

bool symbols_value(struct symbols *symbols, const char *name, uint64_t *value)
{
	int nr = symbols->module ? dwfl_module_getsymtab(symbols->module) : 0;

	for (int i = 0; i < nr; i++) {
		GElf_Sym sym;
		GElf_Addr address;
		const char *found =
		    dwfl_module_getsym_info(symbols->module, i, &sym, &address, NULL, NULL, NULL);
		if (found && !strcmp(found, name)) {
			*value = address;
			return true;
		}
	}
	return false;
}

/* The nearest symbol at or before pc that names something. "$x" and the like, which only say that code begins, do not. */
static const char *symbol_before(struct symbols *symbols, uint64_t pc, GElf_Off *behind)
{
	GElf_Sym sym;
	const char *nearest = dwfl_module_addrinfo(symbols->module, pc, behind, &sym, NULL, NULL, NULL);

	if (!nearest || nearest[0] != '$')
		return nearest;
	nearest = NULL;
	for (int i = 0, nr = dwfl_module_getsymtab(symbols->module); i < nr; i++) {
		GElf_Addr address;
		const char *name =
		    dwfl_module_getsym_info(symbols->module, i, &sym, &address, NULL, NULL, NULL);
		int type = GELF_ST_TYPE(sym.st_info);
		if (!name || !*name || name[0] == '$' || (type != STT_FUNC && type != STT_NOTYPE) ||
		    sym.st_shndx == SHN_UNDEF || sym.st_shndx == SHN_ABS || address > pc ||
		    (nearest && pc - address >= *behind))
			continue;
		nearest = name;
		*behind = pc - address;
	}
	return nearest;
}

bool symbols_function(struct symbols *symbols, uint32_t address, const char **name, uint64_t *offset)
{
	GElf_Off behind = 0;

	/* The call, not what follows it: it may be the function's last instruction. */
	*name = symbols->module ? symbol_before(symbols, symbols->base + address - 1, &behind) : NULL;
	*offset = behind + 1;
	return *name != NULL;
}

/* ---- one address ---- */

static const char *die_file(Dwarf_Die *cu, Dwarf_Word number)
{
	Dwarf_Files *files;
	size_t nr;

	if (dwarf_getsrcfiles(cu, &files, &nr) || number >= nr)
		return NULL;
	return dwarf_filesrc(files, number, NULL, NULL);
}

/* The scopes around pc, innermost first, out to the function that the code really stands in. Caller frees. */
static int concrete_scopes(Dwarf_Die *cu, Dwarf_Addr pc, Dwarf_Die **scopes)
{
	Dwarf_Die *around = NULL;
	int nr = dwarf_getscopes(cu, pc, &around);

	*scopes = NULL;
	if (nr <= 0)
		return 0;
	/* Behind an inlined function dwarf_getscopes goes on where that was defined; we want where it was called. */
	nr = dwarf_getscopes_die(&around[0], scopes);
	free(around);
	return nr;
}

/* Each inlined call gives one frame, whose caller's line is the call's; the last frame is the function itself. */
static uint32_t inline_frames(Dwarf_Die *cu, Dwarf_Addr pc, struct symbol_frame *out, const char *file,
			      uint32_t line)
{
	Dwarf_Die *scopes;
	int nr = concrete_scopes(cu, pc, &scopes);
	uint32_t used = 0;

	for (int i = 0; i < nr && used < INLINE_MAX; i++) {
		int tag = dwarf_tag(&scopes[i]);
		if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram)
			continue;
		const char *name = dwarf_diename(&scopes[i]);
		bool inlined = tag == DW_TAG_inlined_subroutine;
		out[used++] = (struct symbol_frame){
		    .function = name ? name : "?", .file = file, .line = line, .inlined = inlined};
		if (!inlined)
			break;
		Dwarf_Attribute attribute;
		Dwarf_Word number = 0;
		file = NULL;
		line = 0;
		if (!dwarf_formudata(dwarf_attr(&scopes[i], DW_AT_call_file, &attribute), &number))
			file = die_file(cu, number);
		if (!dwarf_formudata(dwarf_attr(&scopes[i], DW_AT_call_line, &attribute), &number))
			line = (uint32_t)number;
	}
	free(scopes);
	return used;
}

static const char *compiled_in(Dwarf_Die *cu)
{
	Dwarf_Attribute attribute;

	return dwarf_formstring(dwarf_attr(cu, DW_AT_comp_dir, &attribute));
}

static uint32_t look_up(struct symbols *symbols, uint64_t pc, struct symbol_frame *out)
{
	const char *file = NULL;
	int line = 0;

	if (!symbols->module || dwfl_addrmodule(symbols->dwfl, pc) != symbols->module)
		return 0;
	Dwfl_Line *place = dwfl_module_getsrc(symbols->module, pc);
	if (place)
		file = dwfl_lineinfo(place, NULL, &line, NULL, NULL, NULL);
	Dwarf_Addr bias = 0;
	Dwarf_Die *cu = dwfl_module_addrdie(symbols->module, pc, &bias);
	uint32_t nr = cu ? inline_frames(cu, pc - bias, out, file, (uint32_t)line) : 0;
	/* Where DWARF knows no function (assembly), or ends inside an inlined one, the symbol table knows. */
	if (nr == 0 || out[nr - 1].inlined) {
		GElf_Off behind;
		const char *name = symbol_before(symbols, pc, &behind);
		bool alone = nr == 0;
		if (name && nr < INLINE_MAX)
			out[nr++] = (struct symbol_frame){.function = name,
							  .file = alone ? file : NULL,
							  .line = alone ? (uint32_t)line : 0};
	}
	const char *folder = cu ? compiled_in(cu) : NULL;
	for (uint32_t i = 0; i < nr; i++)
		out[i].folder = folder;
	return nr;
}

/* ---- the cache ---- */

static void entries_grow(struct symbols *symbols)
{
	struct address_entry *old = symbols->entries;
	size_t old_size = symbols->entries_mask + 1;

	symbols->entries_mask = old_size * 2 - 1;
	symbols->entries = xcalloc(old_size * 2, sizeof(*old));
	for (size_t i = 0; i < old_size; i++) {
		if (!old[i].address)
			continue;
		size_t at = hash_mix(old[i].address) & symbols->entries_mask;
		while (symbols->entries[at].address)
			at = (at + 1) & symbols->entries_mask;
		symbols->entries[at] = old[i];
	}
	free(old);
}

size_t symbols_find(struct symbols *symbols, uint32_t address, const struct symbol_frame **frames)
{
	size_t at = hash_mix(address) & symbols->entries_mask;

	for (; symbols->entries[at].address; at = (at + 1) & symbols->entries_mask) {
		if (symbols->entries[at].address == address) {
			*frames = symbols->frames[symbols->entries[at].first];
			return symbols->entries[at].nr;
		}
	}
	struct symbol_frame *found = xcalloc(INLINE_MAX, sizeof(*found));
	uint64_t pc = symbols->base + address;
	uint32_t nr = look_up(symbols, pc - 1, found);
	if (nr == 0) {
		/* It lives as long as the cache: the text stands behind the frame. */
		free(found);
		found = xcalloc(1, sizeof(*found) + 24);
		snprintf((char *)(found + 1), 24, "0x%llx", (unsigned long long)pc);
		*found = (struct symbol_frame){.function = (const char *)(found + 1)};
		nr = 1;
	}
	ARRAY_PUSH(symbols->frames, symbols->nr_frames, symbols->frames_capacity) = found;
	*frames = found;
	if (address == 0)
		return nr;
	symbols->entries[at] = (struct address_entry){address, (uint32_t)symbols->nr_frames - 1, nr};
	if (2 * ++symbols->nr_entries > symbols->entries_mask)
		entries_grow(symbols);
	return nr;
}

size_t symbols_expand(struct symbols *symbols, const uint32_t *addresses, uint32_t nr,
		      struct symbol_frame *frames, size_t max)
{
	size_t used = 0;

	for (uint32_t i = 0; i < nr; i++) {
		const struct symbol_frame *found;
		size_t nr_found = symbols_find(symbols, addresses[i], &found);
		for (size_t k = 0; k < nr_found && used < max; k++)
			frames[used++] = found[k];
	}
	return used;
}

/* Files that keep the books, and the few functions elsewhere that do nothing but record an event. */
static bool is_machinery(const struct symbol_frame *frame)
{
	static const char *const files[] = {"kernel/trace/",     "kernel/include/kernel/trace.h",
					    "kernel/mm/page.c",  "kernel/include/kernel/page.h",
					    "kernel/mm/buddy.c", "kernel/mm/slab.c"};
	static const char *const functions[] = {"record_mm", "task_trace"};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (frame->file && strstr(frame->file, files[i]))
			return true;
	}
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		if (!strcmp(frame->function, functions[i]))
			return true;
	}
	return false;
}

size_t symbols_site(const struct symbols *symbols, const struct symbol_frame *frames, size_t nr)
{
	size_t site = 0;

	while (!symbols->foreign && site < nr && is_machinery(&frames[site]))
		site++;
	return site;
}

bool symbols_is_entry(const struct symbol_frame *frame)
{
	return (frame->file &&
		(strstr(frame->file, "kernel/arch/") || strstr(frame->file, "kernel/syscall/table.c"))) ||
	       !strcmp(frame->function, "task_first_run");
}
