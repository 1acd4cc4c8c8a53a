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

enum alias_form {
	ALIAS_LINEAR,
	ALIAS_STRUCT,
	ALIAS_PHYSICAL,
	ALIAS_ENTRY,
	ALIAS_SATP,
	ALIAS_NUMBER,
};

void alias_init(void);
/* The array of struct page may be made late: looked for again until it is there. */
void alias_find_pages(unsigned hart);
uint64_t alias_of(uint64_t value, unsigned bytes, enum alias_form *form);
/* Is va within the struct page of this page? */
bool alias_own_struct(uint64_t va, uint64_t index);
uint64_t alias_nr_pages(void);
/* Index of the page at a physical address; NONE: not RAM. */
uint64_t alias_index(uint64_t pa);
/* The linear address of a page; 0: there is none. */
uint64_t alias_linear(uint64_t index);

#endif
