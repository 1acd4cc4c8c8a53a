/* SPDX-License-Identifier: MIT
 *
 * alias: the forms in which a word can stand for a page.
 *
 *	struct page *		in the array of struct page
 *	linear address		of any byte of the page
 *	physical address	where the linear mapping is not the identity
 *	page-table entry	valid, so odd
 *	satp			of Sv39: mode 8
 *	page frame number	32 or 64 bits, of kernels with struct page
 *
 * Each is a range check; what is found is the page's index in RAM + 1, 0 none. An integer that happens to be in range is a
 * false alias: it keeps a life held that is not, and never the other way round.
 */
#ifndef PLUGIN_ALIAS_H
#define PLUGIN_ALIAS_H

#include <stdbool.h>
#include <stdint.h>

#include "bounds.h"

enum alias_form {
	ALIAS_LINEAR,
	ALIAS_STRUCT,
	ALIAS_PHYSICAL,
	ALIAS_ENTRY,
	ALIAS_SATP,
	ALIAS_NUMBER,
};

#define ALIAS_SATP_SV39 8
#define ALIAS_SATP_NUMBER 0xfffffffffffULL
#define ALIAS_ENTRY_VALID 1
#define ALIAS_ENTRY_SHIFT 10

/* Where the forms lie; what there is none of has no bytes. */
extern struct alias_map {
	uint64_t lowest; /* no value below is an alias */
	uint64_t ram_base, ram_bytes, first_number, nr_pages;
	uint64_t linear_va, linear_bytes; /* the mapping that has RAM's begin */
	uint64_t pages, pages_bytes, pages_index, stride;
} alias_map;

void alias_init(void);
/* The array of struct page may be made late: looked for again until it is there. */
void alias_find_pages(unsigned hart);
/* Inlined: it is asked of each word that the kernel stores. */
static inline uint64_t alias_of(uint64_t value, unsigned bytes, enum alias_form *form)
{
	const struct alias_map *map = &alias_map;
	uint64_t offset;

	if (value < map->lowest)
		return 0;
	if (bytes == 8) {
		if ((offset = value - map->pages) < map->pages_bytes) {
			*form = ALIAS_STRUCT;
			return map->pages_index + offset / map->stride + 1;
		}
		if ((offset = value - map->linear_va) < map->linear_bytes) {
			*form = ALIAS_LINEAR;
			return (offset >> PAGE_SHIFT) + 1;
		}
		if ((offset = value - map->ram_base) < map->ram_bytes) {
			*form = ALIAS_PHYSICAL;
			return (offset >> PAGE_SHIFT) + 1;
		}
		offset = (value >> ALIAS_ENTRY_SHIFT) - map->first_number;
		if ((value & ALIAS_ENTRY_VALID) && offset < map->nr_pages) {
			*form = ALIAS_ENTRY;
			return offset + 1;
		}
		offset = (value & ALIAS_SATP_NUMBER) - map->first_number;
		if (value >> 60 == ALIAS_SATP_SV39 && offset < map->nr_pages) {
			*form = ALIAS_SATP;
			return offset + 1;
		}
	}
	if (map->pages_bytes && bytes >= 4 && (offset = value - map->first_number) < map->nr_pages) {
		*form = ALIAS_NUMBER;
		return offset + 1;
	}
	return 0;
}
/* Is va within the struct page of this page? */
bool alias_own_struct(uint64_t va, uint64_t index);
uint64_t alias_nr_pages(void);
/* Index of the page at a physical address; NONE: not RAM. */
uint64_t alias_index(uint64_t pa);
/* The linear address of a page; 0: there is none. */
uint64_t alias_linear(uint64_t index);

#endif
