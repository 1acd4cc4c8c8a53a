/* SPDX-License-Identifier: MIT */
/*
 * model_mispaired: pairs of get and put, counted, and references that do not pair. See model.h and pairing.h.
 *
 * A count cannot tell whose reference a put releases. If a call releases another kind or another holder's, the count is
 * right and both halves stay behind: a get without a put, and a put without a get. Example:
 *
 *   get IO pid 4 #7     put IO pid 4 #8     the index of another page: the put released nothing
 *
 * Such a put is told at the end of the life, or of the trace: its get may be another hart's, and come later. One call is
 * told once, with how often it did so.
 */
#include <stdlib.h>

#include "base/util.h"
#include "model_priv.h"

#define MISPAIRED_MAX 256 /* calls */

/* left: the get that stays open instead; NULL: none does. */
static void note(struct model *model, enum mispaired_how how, const struct subject *subject,
		 const struct page_ref *call, const struct page_ref *left)
{
	if (model->run->watched)
		return;
	for (size_t i = 0; i < model->nr_mispaired; i++) {
		struct mispaired *one = &model->mispaired[i];
		if (one->how == how && one->call.stack == call->stack && one->call.ref == call->ref &&
		    one->object == subject->object) {
			one->count++;
			return;
		}
	}
	if (model->nr_mispaired == MISPAIRED_MAX)
		return;
	ARRAY_PUSH(model->mispaired, model->nr_mispaired, model->mispaired_capacity) =
	    (struct mispaired){.how = how,
			       .object = subject->object,
			       .where = subject->where,
			       .cache = subject->cache,
			       .count = 1,
			       .call = *call,
			       .left_stack = left ? left->stack : 0,
			       .left_ref = left ? left->ref : 0};
}

/* What a call has in its hands is released by the same process. */
static bool is_others(const struct page_ref *put)
{
	return put->ref == REF_CALL && put->holder != put->pid;
}

static struct page_ref call_of(const struct trace_record *record)
{
	const struct trace_payload_page *event = &record->payload.ev_payload_page_get;

	return (struct page_ref){.stack = record->stack,
				 .time = record->time,
				 .index = event->index,
				 .holder = event->holder,
				 .pid = event->pid,
				 .ref = record->kind};
}

void pairing_note(struct model *model, const struct subject *subject, const struct trace_record *record,
		  const struct pairing *done)
{
	if (done->other != REF_POOL_NONE) {
		const struct page_ref *other = &model->pool.refs[done->other];
		uint32_t get = other->early_put ? record->stack : other->stack,
			 put = other->early_put ? other->stack : record->stack;

		releases_count(model, subject->alloc_stack, get, put, record->kind);
	}
	if (__builtin_expect(done->again != REF_POOL_NONE, 0)) {
		struct page_ref call = call_of(record);
		note(model, MISPAIRED_GET, subject, &call, NULL);
	}
	if (__builtin_expect(record->event == EV_obj_put, 0)) {
		struct page_ref call = call_of(record);
		if (is_others(&call))
			note(model, MISPAIRED_OTHERS, subject, &call, NULL);
	}
}

/* Numbers in the pool; get may be REF_POOL_NONE. */
static void note_put(struct model *model, const struct subject *subject, uint32_t get, uint32_t put)
{
	const struct page_ref *refs = model->pool.refs;

	note(model, MISPAIRED_PUT, subject, &refs[put], get == REF_POOL_NONE ? NULL : &refs[get]);
}

void rest_note(struct model *model, const struct subject *subject, uint32_t *rest)
{
	uint32_t get, put;

	while (pairing_rest(&model->pool, rest, &get, &put))
		note_put(model, subject, get, put);
	refs_drop(&model->pool, rest);
}

void pairing_end(struct model *model, const struct subject *subject, uint32_t *list)
{
	uint32_t get, put;

	while (pairing_rest(&model->pool, list, &get, &put)) {
		if (!subject)
			continue;
		note_put(model, subject, get, put);
	}
}

const char *mispaired_text(enum mispaired_how how)
{
	static const char *const texts[] = {
	    [MISPAIRED_PUT] = "releases what was not acquired",
	    [MISPAIRED_GET] = "acquires a second time what it has",
	    [MISPAIRED_OTHERS] = "releases what another process has acquired",
	};

	return texts[how];
}

const struct mispaired *model_mispaired(const struct model *model, size_t *nr)
{
	*nr = model->nr_mispaired;
	return model->mispaired;
}
