/* SPDX-License-Identifier: MIT */
/*
 * Incidents: faults seen at the moment they are made (freed twice, free page written, freed in use, count
 * below its holders), when the culprit's stack is still there to be named.
 *
 * Each is printed as one line, recorded as a `finding` event, and kept for the next audit, which takes them
 * out and counts them among its findings. The list is short: the first incidents tell more than the last.
 * With `incident.panic` among the boot arguments the first one ends the machine.
 *
 * Lock: `incident`; may be taken with `buddy` or a `slab` lock held.
 */
#include <kernel/arch.h>

#include "audit_priv.h"

static struct spinlock incident_lock = SPINLOCK_INIT(incident);
static struct finding incidents[INCIDENTS_MAX];
static u32 nr_kept, nr_not_kept[VERDICT_NR];
static u32 nr_total;

void finding_of_page(struct finding *finding, enum verdict verdict, const struct page *page)
{
	*finding = (struct finding){.verdict = (u8)verdict};
	if (!page)
		return;
	finding->kind = page->kind;
	finding->count = count_for_event(page_count(page));
	finding->claims = page->claims;
	finding->pid = page->pid;
	finding->stack = page->stack;
	finding->pfn = page_to_pfn(page);
	if (page->kind != PK_SLAB && page->kind != PK_PIPE) {
		finding->owner_id = page->owner.id;
		finding->owner_index = page->owner.index;
	}
}

void finding_of_object(struct finding *finding, enum verdict verdict, const struct kmem_object *object)
{
	*finding = (struct finding){
	    .verdict = (u8)verdict,
	    .is_object = 1,
	    .kind = PK_SLAB,
	    .pid = object->pid,
	    .stack = object->stack,
	    .pfn = page_to_pfn(va_to_page(object->start)),
	    .count = count_for_event((s32)object->count),
	    .claims = object->nr_claims,
	    .is_counted = object->counted,
	    .object = (u64)object->start,
	};
	str_copy(finding->cache_name, object->cache_name, sizeof(finding->cache_name));
}

void finding_record(const struct finding *finding, u32 stack)
{
	union trace_payload payload = {.ev_payload_finding = {
					   .where = finding->pfn,
					   .index = finding->owner_index,
					   .count = finding->count,
					   .claims = finding->claims,
					   .pid = finding->pid,
					   .holder = (u16)finding->owner_id,
				       }};

	if (finding->is_object)
		payload.ev_payload_finding.where = (u32)(va_to_pa((void *)finding->object) / 8);
	if (trace_on(TRACE_CATEGORY_ALWAYS))
		trace_record_with(EV_finding, finding->verdict, finding->is_object, stack, &payload);
}

static void __attribute__((noreturn)) incident_panic(const struct finding *finding)
{
	const struct page *page = pfn_valid(finding->pfn) ? pfn_to_page(finding->pfn) : NULL;

	if (finding->is_object)
		panic_about((const void *)finding->object, "%s: %s 0x%lx", verdict_name(finding->verdict),
			    finding->cache_name, (unsigned long)finding->object);
	panic_about(page, "%s: page 0x%x, kind %s, count %u", verdict_name(finding->verdict), finding->pfn,
		    page_kind_name(finding->kind), finding->count);
}

static void incident_add(const struct finding *finding)
{
	u32 seen;

	spin_lock(&incident_lock);
	if (nr_kept < INCIDENTS_MAX) {
		incidents[nr_kept] = *finding;
		incidents[nr_kept++].recorded = true;
	} else {
		nr_not_kept[finding->verdict]++;
	}
	seen = ++nr_total;
	spin_unlock(&incident_lock);

	finding_record(finding, finding->stack2 ? finding->stack2 : finding->stack);
	if (seen <= INCIDENTS_MAX)
		kprintf(
		    "incident: %s: %s 0x%lx, kind %s, count %u, pid %u now, stacks %u then, %u now\n",
		    verdict_name(finding->verdict), finding->is_object ? finding->cache_name : "page",
		    (unsigned long)(finding->is_object ? finding->object : (u64)finding->pfn << PAGE_SHIFT),
		    page_kind_name(finding->kind), finding->count, trace_current_pid(), finding->stack,
		    finding->stack2);
	if (bootarg("incident.panic", NULL, 0))
		incident_panic(finding);
}

void audit_incident(enum verdict verdict, struct page *page, u32 stack_before, u32 stack_now)
{
	struct finding finding;

	finding_of_page(&finding, verdict, page);
	finding.claims = 0;
	finding.stack = stack_before;
	finding.stack2 = stack_now;
	incident_add(&finding);
}

void incident_of_object(enum verdict verdict, const void *obj, const struct kmem_object *object,
			u32 stack_now)
{
	struct finding finding;

	if (object) {
		finding_of_object(&finding, verdict, object);
	} else {
		finding = (struct finding){.verdict = (u8)verdict, .is_object = 1, .object = (u64)obj};
		str_copy(finding.cache_name, "no object", sizeof(finding.cache_name));
	}
	finding.stack2 = stack_now;
	incident_add(&finding);
}

u32 incident_take(struct finding out[INCIDENTS_MAX], u32 nr_more[VERDICT_NR])
{
	u32 nr;

	spin_lock(&incident_lock);
	nr = nr_kept;
	memcpy(out, incidents, nr * sizeof(*out));
	memcpy(nr_more, nr_not_kept, sizeof(nr_not_kept));
	memset(nr_not_kept, 0, sizeof(nr_not_kept));
	nr_kept = 0;
	spin_unlock(&incident_lock);
	return nr;
}

u32 audit_nr_incidents(void)
{
	return __atomic_load_n(&nr_total, __ATOMIC_RELAXED);
}
