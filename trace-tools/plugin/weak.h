/* SPDX-License-Identifier: MIT
 *
 * weak: pointers that keep nothing alive.
 *
 * A process that nobody waits for, that nothing runs and nobody points to is lost, though it is still on the list of all
 * processes: such a list is a *registry*. Which lists are registries is said by the hooks file (`weak`), in three forms:
 *
 *	weak lo=N hi=N			words of memory: the head of a list, a table
 *	weak of=BYTES off=N		a pointer to byte N of an object of so many bytes: to the node by which it hangs in a list,
 *					wherever that pointer stands (the head, the neighbours, a register)
 *	weak in=struct off=N size=N	words of each struct page, and pointers to them; with byte=N is=N only of pages whose struct
 *					page has that value in that byte (its kind)
 *
 * A node that is a structure's first member has its address: a pointer to it is a pointer to the thing, and holds it.
 */
#ifndef PLUGIN_WEAK_H
#define PLUGIN_WEAK_H

#include "follow_priv.h"

/* Does this value, stored at va, only register the life? */
bool weak_store(const struct moment *moment, const struct life *life, uint64_t value, enum alias_form form,
		uint64_t va);

#endif
