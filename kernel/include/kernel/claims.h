/* SPDX-License-Identifier: MIT */
/*
 * What a subsystem says to the auditor: what it holds, when it is asked, and faults at the moment they are made.
 *
 * The auditor lies above all that it audits, so these are upcalls: mm declares them, audit defines them. Nobody but the auditor
 * needs audit.h, and the allocators know nothing of findings, passes and reports.
 *
 * A claims function, `void <sub>_claims(struct claims *c)`, walks its subsystem's own structures and calls claim_page or
 * claim_object for each thing that they hold. It runs with the world stopped: it takes no locks and allocates nothing.
 */
#ifndef KERNEL_CLAIMS_H
#define KERNEL_CLAIMS_H

#include <kernel/page.h>

struct claims;
struct kmem_object;

/* "This page has one reference (ref, holder)". A page that is free gives STALE. */
void claim_page(struct claims *claims, const struct page *page, enum ref_kind ref, struct holder holder);
/* "This object, allocated from a slab cache, is reachable." */
void claim_object(struct claims *claims, const void *obj);

/* A fault seen at the moment it was made (DBL, POISON, INUSE): kept for the next audit and recorded as an event. */
void audit_incident(enum verdict verdict, struct page *page, u32 stack_before, u32 stack_now);
/* The same of an object at obj; object: what is known of it, or NULL. */
void incident_of_object(enum verdict verdict, const void *obj, const struct kmem_object *object,
			u32 stack_now);

#endif
