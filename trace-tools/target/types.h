/* SPDX-License-Identifier: MIT */
/*
 * types: what a kernel's ELF file says of its functions, variables and types. For kernels that are not ours.
 *
 * A tool that audits somebody's kernel must find `proc[3].pagetable` in a copy of its memory without a line of its
 * source. The ELF file knows: the symbol table has addresses, DWARF has types. This reads both, at once at opening
 * for what has a name (functions, variables, structures), on demand for what is inside.
 *
 *     struct types *types = types_open("kernel/kernel", &error);
 *     const struct global *proc = types_global(types, "proc");          // struct proc[64] at 0x80009e70
 *     const struct type *slot = type_target(proc->type);                // struct proc
 *     uint64_t offset;
 *     const struct type *root = type_member(slot, "pagetable", &offset) // pagetable_t, 8 bytes, behind offset
 *     ...  for (i = 0; i < type_count(proc->type); i++)  read 8 bytes at proc->address + i * type_size(slot) + offset
 *
 * or, for everything in it that may be a pointer, type_walk(proc->type, visit, context): the visitor gets
 * "[3].ofile[0]" with offset and type.
 *
 * Rules
 * TYPES-1  A `const struct type *` is what the source says after typedefs and qualifiers are taken off, with the name
 *          of the outermost typedef kept (type_alias). NULL is void, and every function takes it.
 * TYPES-2  One definition that stands in several units gives several `struct type`; compare with type_same().
 * TYPES-3  A damaged file never ends the program: types_open says what is wrong, or what can be read is there and
 *          types_problem() says what is not. Sizes and counts that cannot be true are 0, kinds are TYPE_UNKNOWN.
 * TYPES-4  Without DWARF there are symbols, and functions without parameters; globals and types are none.
 * All addresses are the kernel's virtual addresses. Everything returned lives until types_close().
 */
#ifndef TOOLS_TARGET_TYPES_H
#define TOOLS_TARGET_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct types;
struct type;

enum type_kind {
	TYPE_VOID,
	TYPE_INTEGER, /* char and _Bool too */
	TYPE_FLOAT,
	TYPE_ENUM,
	TYPE_POINTER,
	TYPE_ARRAY,
	TYPE_STRUCT, /* classes too */
	TYPE_UNION,
	TYPE_FUNCTION,
	TYPE_UNKNOWN,
};

/* NULL and a message in *error (caller frees) when the file is no 64-bit little-endian ELF file. */
struct types *types_open(const char *path, char **error);
/*
 * The same for a kernel that comes as a raw image and a System.map: the image's first byte is at address `va`.
 * image NULL: names without code.
 */
struct types *types_open_map(const char *map, const char *image, uint64_t va, char **error);
/*
 * The kernel of types_open_map as an ELF file: the image as one segment, the names as its symbols. What reads ELF files needs no
 * map then. NULL, or what is wrong (caller frees).
 */
char *types_write_elf(const struct types *types, const char *path);
void types_close(struct types *types);
const char *types_path(const struct types *types);
/* NULL, or why what is here is not everything: no debug information, or a damaged unit. */
const char *types_problem(const struct types *types);
bool types_has_dwarf(const struct types *types);
bool types_is_riscv64(const struct types *types);

/* ---- symbols ---- */

struct symbol {
	const char *name;
	uint64_t address, bytes; /* bytes: to the next symbol where the table says 0 */
	bool code;
};

size_t types_nr_symbols(const struct types *types);
/* Sorted by address. */
const struct symbol *types_symbol_by_number(const struct types *types, size_t i);
const struct symbol *types_symbol(const struct types *types, const char *name);
/* The symbol that [address, address + bytes) of a code or a data symbol covers; NULL: none. */
const struct symbol *types_symbol_at(const struct types *types, uint64_t address);

/* ---- the image ---- */

struct segment {
	uint64_t va, pa, bytes, file_bytes;
	bool executable;
};

size_t types_nr_segments(const struct types *types);
const struct segment *types_segment(const struct types *types, size_t i);
uint64_t types_entry(const struct types *types);
/* `bytes` bytes of the file's image at this address; NULL where the file has none (.bss too). */
const void *types_bytes(const struct types *types, uint64_t va, uint64_t bytes);
/* An identifier of the build as hex text, or NULL. */
const char *types_build_id(const struct types *types);

/* ---- functions ---- */

struct variable {
	const char *name; /* "" if it has none */
	const struct type *type;
	bool parameter;
};

struct function {
	const char *name;   /* as the source has it: "kalloc" */
	const char *symbol; /* as the linker has it: "kalloc.part.0"; the same where it is no clone */
	uint64_t low, high; /* [low, high) */
	bool typed;         /* DWARF knows it: what follows is so */
	bool external;      /* not static */
	const struct type *returns;
	size_t nr_parameters, nr_variables;
	const struct variable
	    *variables;   /* parameters first, then its variables, those of inlined functions too */
	const char *unit; /* file of the unit: "kernel/kalloc.c"; NULL: unknown */
};

size_t types_nr_functions(const struct types *types);
/* Sorted by address. */
const struct function *types_function_by_number(const struct types *types, size_t i);
/* The one whose symbol it is, else the first of this source name. */
const struct function *types_function(const struct types *types, const char *name);
const struct function *types_function_at(const struct types *types, uint64_t address);

/* ---- global variables, static ones (of functions too) included ---- */

struct global {
	const char *name;
	const char *function; /* the function that a static variable is in; NULL: none */
	uint64_t address, bytes;
	const struct type *type;
	const char *unit;
};

size_t types_nr_globals(const struct types *types);
/* Sorted by address. */
const struct global *types_global_by_number(const struct types *types, size_t i);
const struct global *types_global(const struct types *types, const char *name);
/* The one that covers this address. */
const struct global *types_global_at(const struct types *types, uint64_t address);
/*
 * "kmem.freelist", "cpus[1].proc", "proc": address and type of what the path names; false and a message in *error
 * (may be NULL; caller frees) that says which part is not there. A pointer on the way is not followed.
 */
bool types_path_find(const struct types *types, const char *path, uint64_t *address, const struct type **type,
		     char **error);

/* ---- types ---- */

/* Complete definitions by name: a structure, union or enumeration by its tag, a typedef by its name. NULL: none. */
const struct type *types_struct(const struct types *types, const char *tag);
const struct type *types_typedef(const struct types *types, const char *name);
/* Value of an enumerator of any enumeration. */
bool types_enumerator(const struct types *types, const char *name, int64_t *value);

enum type_kind type_kind(const struct type *type);
/* Its own name ("proc", "unsigned int"); "" if it has none. */
const char *type_name(const struct type *type);
/* The outermost typedef it was reached through ("pagetable_t"); "" if none. */
const char *type_alias(const struct type *type);
/* Whether it was reached through this typedef, at whatever depth. */
bool type_is_alias(const struct type *type, const char *name);
/* "struct proc *", "pagetable_t", "int[32768]". Into buf, which is returned. */
const char *type_text(const struct type *type, char *buf, size_t bytes);
/* 0: unknown, or has none. */
uint64_t type_size(const struct type *type);
bool type_is_signed(const struct type *type);
/* What it points to, its elements, what it returns; NULL: void, or there is no such. */
const struct type *type_target(const struct type *type);
/* Elements of the outermost dimension; 0: unknown, as of a last member []. */
uint64_t type_count(const struct type *type);
bool type_same(const struct type *a, const struct type *b);
/* Name of an enumeration's value; NULL: none. */
const char *type_enumerator(const struct type *type, int64_t value);

struct member_of {
	const char *name; /* "" of an anonymous structure or union */
	uint64_t offset;  /* bytes */
	const struct type *type;
	/* A bit-field: bits [bit, bit + bits) of the little-endian number at offset. bits 0: it is none. */
	uint32_t bit, bits;
};

size_t type_nr_members(const struct type *type);
const struct member_of *type_member_by_number(const struct type *type, size_t i);
/*
 * Type and offset of a member: "context.sp", "ofile[2]"; members of anonymous structures count as their holder's.
 * false if there is none. A bit-field gives the whole record only through type_find_member.
 */
bool type_find_member(const struct type *type, const char *path, struct member_of *member);
/* The same, short: NULL if there is none. offset may be NULL. */
const struct type *type_member(const struct type *type, const char *path, uint64_t *offset);

/* What a walk shows: a pointer, number, enumeration, or array of numbers of less than 8 bytes (text, small counts). */
struct type_leaf {
	const char *path; /* "[3].ofile[0]", behind the name of the whole */
	uint64_t offset;
	const struct type *type;
	uint32_t bit, bits;
};
/* Every leaf of a type, by ascending offset (members of a union overlap); visit returns false to end the walk. */
bool type_walk(const struct type *type, bool (*visit)(void *context, const struct type_leaf *leaf),
	       void *context);

#endif
