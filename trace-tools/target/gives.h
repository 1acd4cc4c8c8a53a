/* SPDX-License-Identifier: MIT */
/*
 * gives: which functions hand a pointer to their caller.
 *
 * Who must release what was acquired? Not who asked the allocator for it, if that returned it: ownership ends where the pointer stops
 * travelling up. DWARF says what a function can give away:
 *
 *     struct page *ext2_block_page(...)                  returns it
 *     int path_from_user(u64 ua, char **path)            stores it through an out-parameter
 *     int search_block(..., struct place *found)         stores it in a member of its caller's struct, if the caller, or one
 *                                                        further out, has a local `struct place`
 *
 * What it takes, what it has inlined, and what left no code at all where it was inlined, DWARF says, too. An empty function does:
 *
 *     void record_free(struct mapping *mapping, struct dirty_record *record) {}
 *
 * is called by nobody any more who could have it inlined, and no instance of it is told.
 *
 * Functions are known by their source's name, inlined ones too.
 *
 * GIVES-1  It says what can be, not what is: a function with such a parameter need not store this pointer there.
 */
#ifndef TOOLS_TARGET_GIVES_H
#define TOOLS_TARGET_GIVES_H

#include "stack_table.h"

struct gives;

/* Without debug information nobody gives anything. */
struct gives *gives_open(struct symbols *symbols);
void gives_close(struct gives *gives);
/* Whether there is a function of this name in the debug information: compiled, inlined, or both. */
bool gives_has(const struct gives *gives, const char *function);
/*
 * From this frame outward, the first that keeps the pointer: it gives nothing of that type away. `to`: the type's name ("page"), or
 * NULL: what the frame's function gives, if it gives any. The frame before the entry at most.
 */
uint32_t gives_keeper(const struct gives *gives, const struct stack_view *view, uint32_t frame,
		      const char *to);

/* Takes it a pointer of the type that it returns? Then what it was given may be its own. */
bool gives_swaps(const struct gives *gives, const char *function);
/* Take both a pointer to one type? */
bool gives_take_alike(const struct gives *gives, const char *a, const char *b);
/* The functions inlined into it, at any depth: *at is 0 at first, NULL ends. */
const char *gives_inlined(const struct gives *gives, const char *function, size_t *at);
/* Was `gone` inlined somewhere in the unit of `function` so that nothing is left of it there? */
bool gives_vanished(const struct gives *gives, const char *gone, const char *function);

#endif
