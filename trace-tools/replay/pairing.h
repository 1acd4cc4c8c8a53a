/* SPDX-License-Identifier: MIT */
/*
 * pairing: which put releases which get.
 *
 * The count of a page is a number; a leak is a reference without an owner. So each reference is followed on its own.
 * page_alloc and page_get open one, named (ref kind, holder, index); page_put and page_free release the newest open
 * one of that name. Counted objects (inodes, open files, ...) are followed in the same way: obj_get opens, obj_put
 * releases, obj_free ends the life. Example, the life of a page-table page that a cloned stack maps:
 *
 *   alloc  TABLE mm 3 #0   opens a
 *   get    PTE   mm 3 #7   opens b
 *   put    PTE   mm 3 #7   releases b
 *   free   TABLE mm 3 #0   releases a, and ends the life
 *
 * Harts record an event shortly after they did it, so records of two harts may stand in the wrong order by a little: a
 * put may come before its get. Such a put waits in the page's list like a reference (early_put), and the get of its
 * name, when it comes, is released at once.
 *
 * A put whose get never comes released nothing of its own: its kind or its holder is another than the get's. The count
 * comes out right, as a count does not know who it is for; so these are told to the caller (`rest`), and so is the second
 * get of a name of which a holder has one at most (`again`).
 *
 * The model keeps a list for every page of RAM in one pool; the ledger one list, for the page it is asked for. Both
 * call pairing_apply() and nothing else, so they cannot tell different stories. It is inlined: the replay spends a third
 * of its time here.
 *
 * PAIR-1  a page's list holds its open references and its early puts: the sum of the former minus the latter is the
 *         page's count once the records of all harts are in.
 * PAIR-2  each event releases at most one other, and is released by at most one.
 */
#ifndef TOOLS_REPLAY_PAIRING_H
#define TOOLS_REPLAY_PAIRING_H

#include "base/util.h"
#include "ctf/format.h"

#define REF_POOL_NONE 0U

struct page_ref {
	uint32_t next; /* in the pool; REF_POOL_NONE ends */
	uint32_t stack;
	uint64_t time;
	uint32_t index;
	uint16_t holder;
	uint16_t pid; /* who acquired it */
	uint8_t ref;
	bool early_put; /* a put whose get has not come yet */
};

enum page_life { LIFE_UNKNOWN, LIFE_LIVE, LIFE_FREE };

struct ref_pool {
	struct page_ref *refs; /* [0] is not used */
	size_t nr, capacity;
	uint32_t free; /* list of those not in use */
	size_t nr_open;
};

/* Numbers in the pool. */
struct pairing {
	uint32_t opened; /* a reference, or an early put; REF_POOL_NONE: none */
	uint32_t other;  /* the event's other half, off the list; its contents stay until the next event */
	uint32_t
	    again; /* of a get: an open reference of the same name, of a kind that allows one; stays on the list */
	uint32_t
	    rest; /* of a free: a list of what the life left open, and of puts that released nothing. The caller's to drop */
};

_Static_assert(offsetof(struct trace_payload_page, index) == offsetof(struct trace_payload_objref, index) &&
		   offsetof(struct trace_payload_page, holder) ==
		       offsetof(struct trace_payload_objref, holder) &&
		   offsetof(struct trace_payload_page, pid) == offsetof(struct trace_payload_objref, pid) &&
		   offsetof(struct trace_payload_page, before) ==
		       offsetof(struct trace_payload_objref, before) &&
		   offsetof(struct trace_payload_page, after) == offsetof(struct trace_payload_objref, after),
	       "one pairing for pages and objects");

static inline uint32_t ref_new(struct ref_pool *pool, uint32_t *list, const struct trace_record *record,
			       uint8_t ref, bool early_put)
{
	const struct trace_payload_page *event = &record->payload.ev_payload_page_get;
	uint32_t number = pool->free;

	if (number != REF_POOL_NONE) {
		pool->free = pool->refs[number].next;
	} else {
		if (pool->nr == 0)
			pool->nr = 1; /* 0 means none */
		pool->refs = array_room(pool->refs, pool->nr, &pool->capacity, sizeof(*pool->refs));
		number = (uint32_t)pool->nr++;
	}
	pool->nr_open++;
	pool->refs[number] = (struct page_ref){.next = *list,
					       .stack = record->stack,
					       .time = record->time,
					       .index = event->index,
					       .holder = event->holder,
					       .pid = event->pid,
					       .ref = ref,
					       .early_put = early_put};
	*list = number;
	return number;
}

/* link points to the number of the one that goes, which is returned. */
static inline uint32_t ref_remove(struct ref_pool *pool, uint32_t *link)
{
	uint32_t number = *link;

	*link = pool->refs[number].next;
	pool->refs[number].next = pool->free;
	pool->free = number;
	pool->nr_open--;
	return number;
}

/* Takes the newest of this name off the list; REF_POOL_NONE: there is none. */
static inline uint32_t ref_take(struct ref_pool *pool, uint32_t *list, const struct trace_record *record,
				bool early_put)
{
	const struct trace_payload_page *event = &record->payload.ev_payload_page_get;

	for (uint32_t *link = list; *link != REF_POOL_NONE; link = &pool->refs[*link].next) {
		const struct page_ref *one = &pool->refs[*link];
		if (one->ref == record->kind && one->holder == event->holder && one->index == event->index &&
		    one->early_put == early_put)
			return ref_remove(pool, link);
	}
	return REF_POOL_NONE;
}

/* An open reference of this name, which stays on the list; REF_POOL_NONE: there is none. */
static inline uint32_t ref_find(const struct ref_pool *pool, uint32_t list, const struct trace_record *record)
{
	const struct trace_payload_page *event = &record->payload.ev_payload_page_get;

	for (; list != REF_POOL_NONE; list = pool->refs[list].next) {
		const struct page_ref *one = &pool->refs[list];
		if (one->ref == record->kind && one->holder == event->holder && one->index == event->index &&
		    !one->early_put)
			break;
	}
	return list;
}

static inline void refs_drop(struct ref_pool *pool, uint32_t *list)
{
	while (*list != REF_POOL_NONE)
		ref_remove(pool, list);
}

/* Applies one event of a page, or of a counted object, to its list and life. */
static inline struct pairing pairing_apply(struct ref_pool *pool, uint32_t *list, uint8_t *life,
					   const struct trace_record *record)
{
	struct pairing done = {REF_POOL_NONE, REF_POOL_NONE, REF_POOL_NONE, REF_POOL_NONE};

	switch (record->event) {
	case EV_page_alloc:
		refs_drop(pool, list); /* if any is open, its release is among what the trace lost */
		*life = LIFE_LIVE;
		done.opened = ref_new(pool, list, record, record->kind, false);
		break;
	case EV_page_get:
	case EV_obj_get:
		done.other = ref_take(pool, list, record, true);
		if (done.other != REF_POOL_NONE)
			break;
		if (!ref_kind_many(record->kind))
			done.again = ref_find(pool, *list, record);
		done.opened = ref_new(pool, list, record, record->kind, false);
		break;
	case EV_page_put:
	case EV_obj_put:
		done.other = ref_take(pool, list, record, false);
		/* Of a page whose life is over the put came late, and what it releases is gone. */
		if (done.other == REF_POOL_NONE && *life != LIFE_FREE)
			done.opened = ref_new(pool, list, record, record->kind, true);
		break;
	case EV_page_free:
		/* The last put may be told by page_free alone, or by a page_put before it. */
		done.other = ref_take(pool, list, record, false);
		done.rest = *list;
		*list = REF_POOL_NONE;
		*life = LIFE_FREE;
		break;
	case EV_obj_free: /* its record names no reference: all are gone by then */
		done.rest = *list;
		*list = REF_POOL_NONE;
		*life = LIFE_FREE;
		break;
	case EV_page_kind:
		/* Of a page that was never allocated: boot found it in RAM, and holds it. */
		if (*life == LIFE_LIVE)
			break;
		refs_drop(pool, list);
		*life = LIFE_LIVE;
		done.opened = ref_new(pool, list, record, REF_BOOT, false);
		break;
	}
	return done;
}

/*
 * At the end of the trace: takes one early put off the list and one open reference, of its kind if there is one, whatever it
 * is named: the count fell by both. False when no early put is left; *get is REF_POOL_NONE where no reference is.
 */
bool pairing_rest(struct ref_pool *pool, uint32_t *list, uint32_t *get, uint32_t *put);

#endif
