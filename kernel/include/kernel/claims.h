/* SPDX-License-Identifier: MIT */
/*
 * What a subsystem says to the auditor: what it holds, when it is asked, and faults at the moment they are made.
 *
 * The auditor lies above all that it audits, so these are upcalls: mm declares them, audit defines them. Nobody but the auditor
 * needs audit.h, and the allocators know nothing of findings, passes and reports.
 *
 * A claims function, `void <sub>_claims(struct claims *c)`, walks its subsystem's own structures and calls claim_page,
 * claim_object or claim_ref for each thing that they hold. It runs with the world stopped: it takes no locks and allocates
 * nothing.
 *
 * Users are roots, registries are not. A list of all pipes proves nothing of a pipe: an end that was never closed leaves
 * it on the list for ever. So a claims function begins where something is used (a hart, the process tree, a mounted file
 * system) and goes on from there, down the layers, the first time that a thing is reached:
 *
 *   init -> children -> task -> kernel stack, address space -> VMA -> open file, shared memory
 *                    -> descriptor -> open file -> inode -> mapping -> cached pages, dirty records
 *                                               -> pipe -> its page
 *
 * What nobody outside reaches is not claimed, whatever points to it from inside, and is found with all that it has.
 *
 * CLAIM-1  a thing is walked into when claim_object or claim_ref says that it is the first time, and not again.
 * CLAIM-2  while a task is in the middle of kernel work (claims_final is false) anything may be in its hands: then
 *          registries are roots, too, and counts of objects are not compared.
 */
#ifndef KERNEL_CLAIMS_H
#define KERNEL_CLAIMS_H

#include <kernel/page.h>

struct claims;
struct kmem_object;

/* "This page has one reference (ref, holder)". A page that is free gives STALE. */
void claim_page(struct claims *claims, const struct page *page, enum ref_kind ref, struct holder holder);
/* "This object, allocated from a slab cache, is reachable." True: for the first time in this walk. */
bool claim_object(struct claims *claims, const void *obj);
/* "This counted object is reachable, and has one reference (ref, holder)." True: as claim_object. */
bool claim_ref(struct claims *claims, const void *obj, enum ref_kind ref, struct holder holder);
/* The machine is quiescent (CLAIM-2). */
bool claims_final(const struct claims *claims);

/* A fault seen at the moment it was made (DBL, POISON, INUSE): kept for the next audit and recorded as an event. */
void audit_incident(enum verdict verdict, struct page *page, u32 stack_before, u32 stack_now);
/* The same of an object at obj; object: what is known of it, or NULL. */
void incident_of_object(enum verdict verdict, const void *obj, const struct kmem_object *object,
			u32 stack_now);

#endif
