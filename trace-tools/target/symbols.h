/* SPDX-License-Identifier: MIT */
/*
 * symbols: from a return address of the kernel to function, file and line, inlined functions included.
 *
 * Reads DWARF with libdw; each address is looked up once. A kernel without DWARF gives names from its symbol table;
 * without a kernel, or outside it, addresses in hex. Addresses are return addresses: the call is looked up at -1.
 */
#ifndef TOOLS_TARGET_SYMBOLS_H
#define TOOLS_TARGET_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbol_frame {
	const char *function; /* never NULL; "0xffffffc080201234" when unknown */
	const char *file;     /* NULL: unknown; as the compiler saw it: "kernel/mm/page.c" */
	uint32_t line;        /* 0: unknown */
	bool inlined;         /* into the next frame */
	const char *folder;   /* where the compiler stood, to which file is relative; NULL: unknown */
};

struct symbols;

/* path NULL or unreadable: symbols that know nothing (*problem says why, NULL if all is well; caller frees). */
struct symbols *symbols_open(const char *path, char **problem);
/*
 * Those of a kernel that is not ours: addresses are return addresses minus `base`, not PHYS_OFFSET, and stacks begin where
 * its allocator was called, so that no frame is machinery.
 */
void symbols_set_foreign(struct symbols *symbols, uint64_t base);
void symbols_close(struct symbols *symbols);
/* Frames of one address (minus the base), innermost first; valid until close. */
size_t symbols_find(struct symbols *symbols, uint32_t address, const struct symbol_frame **frames);
/*
 * The function that the address (minus the base) is in, as compiled, and how far behind its beginning; false outside
 * the kernel. The name lives until close.
 */
bool symbols_function(struct symbols *symbols, uint32_t address, const char **name, uint64_t *offset);
/* "file:line" where the source has this function, inlined ones too, into buf; "": not known. */
const char *symbols_declared(struct symbols *symbols, const char *function, char *buf, size_t bytes);
/* Value of a symbol of the ELF file; false if there is none. */
bool symbols_value(struct symbols *symbols, const char *name, uint64_t *value);

/* A whole stack, expanded; frames[] points into the cache. Returns how many (at most max). */
size_t symbols_expand(struct symbols *symbols, const uint32_t *addresses, uint32_t nr,
		      struct symbol_frame *frames, size_t max);
/*
 * Position of the first frame that is not the books' own machinery (trace, the page allocator, slab): the function
 * that asked for the page. nr when all are.
 */
size_t symbols_site(const struct symbols *symbols, const struct symbol_frame *frames, size_t nr);
/* How every stack ends (traps, the table of system calls): that two meet there says nothing. */
bool symbols_is_entry(const struct symbol_frame *frame);

/* The debug information (libdw); NULL: there is none. */
struct Dwarf *symbols_dwarf(struct symbols *symbols);

#endif
