/* SPDX-License-Identifier: MIT */
/*
 * model_objects: the live objects, and their caches. See model.h.
 */
#include <stdlib.h>

#include "base/util.h"
#include "model_priv.h"

/* ---- the table: open addressing, linear; removal closes the gap ---- */

static inline size_t home_of(const struct model *model, uint32_t obj)
{
	return hash_mix(obj) & model->objects_mask;
}

static void grow(struct model *model)
{
	struct object_state *old = model->objects;
	size_t old_size = model->objects_mask + 1;

	model->objects_mask = old_size * 2 - 1;
	model->objects = xcalloc(old_size * 2, sizeof(*old));
	for (size_t i = 0; i < old_size; i++) {
		if (!old[i].obj)
			continue;
		size_t at = home_of(model, old[i].obj);
		while (model->objects[at].obj)
			at = (at + 1) & model->objects_mask;
		model->objects[at] = old[i];
	}
	free(old);
}

static struct object_state *find(const struct model *model, uint32_t obj)
{
	for (size_t at = home_of(model, obj); model->objects[at].obj; at = (at + 1) & model->objects_mask) {
		if (model->objects[at].obj == obj)
			return &model->objects[at];
	}
	return NULL;
}

static struct object_state *insert(struct model *model, uint32_t obj)
{
	if (2 * model->nr_objects > model->objects_mask)
		grow(model);
	size_t at = home_of(model, obj);
	while (model->objects[at].obj)
		at = (at + 1) & model->objects_mask;
	model->objects[at].obj = obj;
	model->nr_objects++;
	return &model->objects[at];
}

static void take_out(struct model *model, struct object_state *object)
{
	size_t hole = (size_t)(object - model->objects), mask = model->objects_mask;

	for (size_t at = (hole + 1) & mask; model->objects[at].obj; at = (at + 1) & mask) {
		size_t home = home_of(model, model->objects[at].obj);
		/* It may move into the hole unless its home lies between the hole and itself. */
		if (((at - home) & mask) >= ((at - hole) & mask)) {
			model->objects[hole] = model->objects[at];
			hole = at;
		}
	}
	model->objects[hole].obj = 0;
	model->nr_objects--;
}

const struct page_ref *model_object_refs(const struct model *model, const struct object_state *object)
{
	return object->refs == REF_POOL_NONE ? NULL : &model->pool.refs[object->refs];
}

void objects_begin(struct model *model)
{
	model->objects_mask = 4095;
	model->objects = xcalloc(4096, sizeof(*model->objects));
}

const struct object_state *model_object(const struct model *model, uint32_t obj)
{
	return obj ? find(model, obj) : NULL;
}

const struct object_state *model_next_object(const struct model *model, size_t *at)
{
	while (*at <= model->objects_mask) {
		const struct object_state *one = &model->objects[(*at)++];
		if (one->obj)
			return one;
	}
	return NULL;
}

/* ---- events ---- */

static struct subject subject_of(const struct object_state *object)
{
	return (struct subject){
	    .object = true, .where = object->obj, .cache = object->cache, .alloc_stack = object->stack};
}

void objrefs_apply(struct model *model, const struct trace_record *record)
{
	const struct trace_payload_objref *event = &record->payload.ev_payload_obj_get;
	struct object_state *object = event->obj ? find(model, event->obj) : NULL;

	if (!object) /* its allocation is among what the trace lost */
		return;
	if (event->before != object->count && object->life != LIFE_UNKNOWN)
		model->totals.out_of_order++;
	object->life = LIFE_LIVE;
	struct subject subject = subject_of(object);
	struct pairing done = pairing_apply(&model->pool, &object->refs, &object->life, record);
	model->totals.unmatched_puts += record->event == EV_obj_put && done.other == REF_POOL_NONE;
	pairing_note(model, &subject, record, &done);
	object->count = event->after;
	object->last_time = record->time;
}

/* The references of one whose life ends. */
static void end_references(struct model *model, struct object_state *object,
			   const struct trace_record *record)
{
	struct subject subject = subject_of(object);
	uint8_t life = object->life;

	if (object->refs == REF_POOL_NONE)
		return;
	if (record->event == EV_obj_free) {
		struct pairing done = pairing_apply(&model->pool, &object->refs, &life, record);
		rest_note(model, &subject, &done.rest);
	}
	refs_drop(&model->pool, &object->refs); /* of one whose free is among what the trace lost */
}

void objects_end(struct model *model)
{
	for (size_t at = 0; at <= model->objects_mask; at++) {
		struct object_state *object = &model->objects[at];
		if (!object->obj || object->refs == REF_POOL_NONE)
			continue;
		struct subject subject = subject_of(object);
		pairing_end(model, &subject, &object->refs);
	}
}

void objects_apply(struct model *model, const struct trace_record *record)
{
	const struct trace_payload_object *event = &record->payload.ev_payload_obj_alloc;
	struct cache_state *cache = &model->caches[event->cache];
	struct object_state *object = event->obj ? find(model, event->obj) : NULL;

	if (!event->obj)
		return;
	if (object) {
		struct site *site = site_of(model, object->stack);
		if (record->event == EV_obj_free) {
			releases_count(model, object->stack, object->stack, record->stack,
				       RELEASE_OF_OBJECT(object->cache));
			site->object_frees++;
			site->object_ticks += record->time - object->time;
		}
		end_references(model, object, record);
		site->objects_live--;
		model->caches[object->cache].live--;
		take_out(model, object);
	}
	if (record->event == EV_obj_free) {
		cache->frees++;
		return;
	}
	object = insert(model, event->obj);
	*object = (struct object_state){.obj = event->obj,
					.stack = record->stack,
					.time = record->time,
					.index = event->index,
					.holder = event->holder,
					.cache = event->cache,
					.pid = event->pid};
	struct site *site = site_of(model, record->stack);
	cache->allocs++;
	cache->live++;
	site->object_allocs++;
	site->cache = event->cache;
	if (++site->objects_live > site->objects_peak)
		site->objects_peak = site->objects_live;
}

void cache_apply(struct model *model, const struct trace_record *record)
{
	const struct trace_payload_cache *event = &record->payload.ev_payload_cache_info;
	struct cache_state *cache = &model->caches[event->cache];

	cache->known = true;
	cache->object_bytes = event->size;
	copy_name(cache->name, event->name, sizeof(event->name));
}
