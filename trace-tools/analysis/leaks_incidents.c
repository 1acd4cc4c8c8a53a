/* SPDX-License-Identifier: MIT */
/* leaks_incidents: findings that are faults, not leaks: of the audits, and references that do not pair. See leaks.h. */
#include "leaks_priv.h"

/* Stores into one free page by two different ways are two faults; an audit that finds it twice does so by any way. */
static bool same_incident(const struct leaks *leaks, const struct trace_record *a,
			  const struct trace_record *b)
{
	return a->kind == b->kind &&
	       a->payload.ev_payload_finding.where == b->payload.ev_payload_finding.where &&
	       (!model_run(leaks->model)->watched || a->stack == b->stack);
}

/* One and the same fault is found again by every later audit: count it once. */
static void take_incidents(struct leaks *leaks)
{
	size_t nr;
	const struct trace_record *incidents = model_incidents(leaks->model, &nr);

	for (size_t i = 0; i < nr; i++) {
		bool again = incidents[i].kind == VERDICT_PARKED;
		for (size_t k = 0; k < i && !again; k++)
			again = same_incident(leaks, &incidents[k], &incidents[i]);
		if (!again)
			ARRAY_PUSH(leaks->incidents, leaks->nr_incidents, leaks->incidents_capacity) =
			    (struct leak_incident){.record = incidents[i]};
	}
}

/* A put without a get is no fault where the get may be among what was lost. */
static void take_mispaired(struct leaks *leaks)
{
	size_t nr;
	const struct mispaired *mispaired = model_mispaired(leaks->model, &nr);

	for (size_t i = 0; i < nr && run_complete(model_run(leaks->model)); i++) {
		const struct page_ref *call = &mispaired[i].call;
		struct trace_record finding = {.time = call->time,
					       .event = EV_finding,
					       .flags = mispaired[i].object,
					       .kind = VERDICT_MISPAIRED,
					       .stack = call->stack};
		finding.payload.ev_payload_finding =
		    (struct trace_payload_finding){.where = mispaired[i].where,
						   .index = call->index,
						   .pid = call->pid,
						   .holder = call->holder};
		ARRAY_PUSH(leaks->incidents, leaks->nr_incidents, leaks->incidents_capacity) =
		    (struct leak_incident){finding, &mispaired[i], mispaired_suspect(leaks, &mispaired[i])};
	}
}

void leaks_take_incidents(struct leaks *leaks)
{
	take_incidents(leaks);
	take_mispaired(leaks);
}
