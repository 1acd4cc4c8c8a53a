/* SPDX-License-Identifier: MIT
 *
 * follow: where the last pointer to a thing died.
 *
 * A page that leaks is one that nobody can free any more: its last pointer was overwritten, or went with a stack frame. The
 * trace knows who allocated it and not where that happened. Idea: in a run that is repeated, every copy of a pointer to the
 * things that leak is followed, from their allocation on:
 *
 *	p = kalloc();           a life begins; the frame that got p holds it
 *	*pte = PA2PTE(p);       a location: the word at pte is an alias of p (alias.h)
 *	*pte = PA2PTE(q);       overwritten: the last location died here, in the frame that did it
 *	return 0;               that frame is gone, and with it the last holder: lost
 *
 * A *life* is one page block, object or reference from its begin to its end. It is held by *locations*, words of memory that
 * hold an alias, and by *frames*, functions under way that had the pointer in a register: those that got it, were given it,
 * gave it, or overwrote its last location. Registers themselves are not looked at. A frame is known by its CFA (canonical
 * frame address: the stack pointer before the call), which is the frame pointer of a function under way.
 *
 * A pointer that stands in a registry, a list that only says what there is, is no location (weak.h).
 *
 * What is remembered of a life: where its last location died, where its last frame went, which functions were given it last, and
 * at the end which locations still hold it (one in another life that is lost is lost with it).
 *
 * POINTER-1  Only one thread: harts run in turns (-icount), so nothing here has a lock.
 * POINTER-2  nr_heap + nr_stack of a life is the length of its list of locations; each location is also in one bucket.
 * POINTER-3  a location that overlaps a store, or lies in memory that is freed or below the stack pointer of its stack, is
 *            gone; one that is stored the same value again stays.
 * POINTER-4  no life of an address is begun twice: whoever begins one there ends the one before.
 */
#ifndef PLUGIN_FOLLOW_H
#define PLUGIN_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>

struct qemu_plugin_insn;

enum life_kind { LIFE_PAGE, LIFE_OBJECT, LIFE_REFERENCE, LIFE_OBJECT_REFERENCE };
#define LIFE_KINDS (LIFE_OBJECT_REFERENCE + 1)

/* Is anything followed? Says the hooks file. */
bool follow_wanted(void);
/* Once RAM is found; false: out of memory, or this QEMU does not let registers be read. */
bool follow_init(void);
void follow_translate(struct qemu_plugin_insn *insn, uint64_t va, uint32_t bits, unsigned size, bool first);
/* Callbacks in which the registers could not be read: all of them, on a QEMU that keeps them otherwise. */
uint64_t follow_blind(void);
/* Writes what was found; false with errno. */
bool follow_write(const char *path);

/* ---- what the hooks tell, at the caller's return address or at the entry of what frees ---- */

void follow_page_begin(unsigned hart, uint64_t pa, uint64_t nr_pages);
void follow_page_end(unsigned hart, uint64_t pa, uint64_t nr_pages);
void follow_object_begin(unsigned hart, uint64_t va, uint64_t bytes);
void follow_object_end(unsigned hart, uint64_t va);
void follow_reference_begin(unsigned hart, uint64_t pa, uint64_t ref, uint64_t holder);
void follow_reference_end(unsigned hart, uint64_t pa, uint64_t ref, uint64_t holder);
/* The same of a reference to an object, at the entry of the function that records it. at: the structure that holds it; 0. */
void follow_object_reference_begin(unsigned hart, uint64_t va, uint64_t ref, uint64_t holder, uint64_t at);
void follow_object_reference_end(unsigned hart, uint64_t va, uint64_t ref, uint64_t holder);
/*
 * A put is entered; may_free: and its end says whether the page is free. Whether it is free by now is asked here: when a put returns,
 * another hart may have freed the page after this one's count went down.
 */
void follow_put_begins(unsigned hart, uint64_t pa, bool may_free);
/* A count of the page went down, by whatever. */
void follow_page_put(uint64_t pa);
/* A stack that nobody is on any more. */
void follow_stack_end(unsigned hart, uint64_t va);

#endif
