/* SPDX-License-Identifier: MIT */
/* The auditor, inside: incidents, which incident.c keeps until the next audit takes them. */
#ifndef AUDIT_PRIV_H
#define AUDIT_PRIV_H

#include <kernel/audit.h>

#define INCIDENTS_MAX 32
/* Moves out what was seen since the last call, and returns how many those are; nr_more: of those not kept, by verdict. */
u32 incident_take(struct finding out[INCIDENTS_MAX], u32 nr_more[VERDICT_NR]);
void finding_of_page(struct finding *finding, enum verdict verdict, const struct page *page);
void finding_of_object(struct finding *finding, enum verdict verdict, const struct kmem_object *object);
void finding_record(const struct finding *finding, u32 stack);

#endif
