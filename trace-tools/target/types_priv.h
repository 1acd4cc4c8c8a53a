/* SPDX-License-Identifier: MIT */
/* types_priv: shared by the files behind types.h: types.c (file, symbols), types_load.c (what has a name), type.c. */
#ifndef TOOLS_TARGET_TYPES_PRIV_H
#define TOOLS_TARGET_TYPES_PRIV_H

#include <elfutils/libdw.h>
#include <gelf.h>

#include "types.h"

/* Where a damaged file goes round in circles or down without end, we stop. No kernel nests that deep. */
#define DEPTH_MAX 48
/* A variable or type said to be larger than this is a damaged one: no kernel's is. */
#define SIZE_BELIEVED (1ULL << 32)

/* A name in DWARF and the entry that defines it. */
struct named {
	const char *name;
	Dwarf_Off die;
	int tag;
};

struct types {
	char *path, *image, *problem;
	size_t image_bytes;
	Elf *elf;
	Dwarf *dwarf;
	bool riscv64;
	uint64_t entry;
	char *build_id;

	char *map_text; /* of types_open_map: the symbols' names are in it */
	struct symbol *symbols;
	size_t nr_symbols, symbols_capacity;
	const struct symbol **symbols_by_name;
	struct segment *segments;
	uint64_t *segment_files; /* offset in the image of each */
	size_t nr_segments, segments_capacity, segment_files_capacity;

	struct function *functions;
	size_t nr_functions, functions_capacity;
	struct global *globals;
	size_t nr_globals, globals_capacity;
	struct named *named;
	size_t nr_named, named_capacity;

	/* Types made so far, by offset of the entry as it was referred to and array dimension. */
	struct type **cache;
	size_t cache_mask, nr_cached;
};

/* types_load.c: functions, globals and names of types out of DWARF, then the symbols that DWARF does not know. */
void types_load_dwarf(struct types *types);
void types_load_functions_without_dwarf(struct types *types);

/* type.c */
/* The type that the DW_AT_type of this entry refers to; NULL: void. */
const struct type *type_of_die(struct types *types, Dwarf_Die *die);
const struct type *type_from_offset(struct types *types, Dwarf_Off offset);
void types_free_cache(struct types *types);

#endif
