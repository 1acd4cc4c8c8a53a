/* model_tables: the model's hash tables: live objects, and settlements. See model.h. */
#include "model_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* ---- objects: open addressing, linear; removal closes the gap ---- */

static inline size_t object_home(const struct model *model, uint32_t obj)
{
	return hash_mix(obj) & model->objects_mask;
}

static void objects_grow(struct model *model)
{
	struct object_state *old = model->objects;
	size_t old_size = model->objects_mask + 1;

	model->objects_mask = old_size * 2 - 1;
	model->objects = xcalloc(old_size * 2, sizeof(*old));
	for (size_t i = 0; i < old_size; i++) {
		if (!old[i].obj)
			continue;
		size_t at = object_home(model, old[i].obj);
		while (model->objects[at].obj)
			at = (at + 1) & model->objects_mask;
		model->objects[at] = old[i];
	}
	free(old);
}

struct object_state *objects_find(const struct model *model, uint32_t obj)
{
	for (size_t at = object_home(model, obj); model->objects[at].obj;
	     at = (at + 1) & model->objects_mask) {
		if (model->objects[at].obj == obj)
			return &model->objects[at];
	}
	return NULL;
}

struct object_state *objects_insert(struct model *model, uint32_t obj)
{
	if (2 * model->nr_objects > model->objects_mask)
		objects_grow(model);
	size_t at = object_home(model, obj);
	while (model->objects[at].obj)
		at = (at + 1) & model->objects_mask;
	model->objects[at].obj = obj;
	model->nr_objects++;
	return &model->objects[at];
}

void objects_remove(struct model *model, struct object_state *object)
{
	size_t hole = (size_t)(object - model->objects), mask = model->objects_mask;

	for (size_t at = (hole + 1) & mask; model->objects[at].obj; at = (at + 1) & mask) {
		size_t home = object_home(model, model->objects[at].obj);
		/* It may move into the hole unless its home lies between the hole and itself. */
		if (((at - home) & mask) >= ((at - hole) & mask)) {
			model->objects[hole] = model->objects[at];
			hole = at;
		}
	}
	model->objects[hole].obj = 0;
	model->nr_objects--;
}

const struct object_state *model_object(const struct model *model, uint32_t obj)
{
	return obj ? objects_find(model, obj) : NULL;
}

/* ---- settlements ---- */

static inline uint64_t settlement_hash(uint32_t alloc, uint32_t get, uint32_t put, uint32_t ref)
{
	return hash_mix(((uint64_t)alloc << 32 | get) ^ ((uint64_t)put << 40 | (uint64_t)ref << 20));
}

static size_t settlement_slot(const struct model *model, uint32_t alloc, uint32_t get, uint32_t put,
			      uint32_t ref)
{
	size_t at = settlement_hash(alloc, get, put, ref) & model->settled_mask;

	for (;; at = (at + 1) & model->settled_mask) {
		const struct settlement *one = &model->settled[at];
		if (!one->count || (one->alloc_stack == alloc && one->get_stack == get &&
				    one->put_stack == put && one->ref == ref))
			return at;
	}
}

static void settled_grow(struct model *model)
{
	struct settlement *old = model->settled;
	size_t old_size = model->settled_mask + 1;

	model->settled_mask = old_size * 2 - 1;
	model->settled = xcalloc(old_size * 2, sizeof(*old));
	for (size_t i = 0; i < old_size; i++) {
		if (old[i].count)
			model->settled[settlement_slot(model, old[i].alloc_stack, old[i].get_stack,
						       old[i].put_stack, old[i].ref)] = old[i];
	}
	free(old);
}

void settled_count(struct model *model, uint32_t alloc, uint32_t get, uint32_t put, uint32_t ref)
{
	struct settlement *one = &model->settled[settlement_slot(model, alloc, get, put, ref)];

	if (!one->count) {
		*one = (struct settlement){alloc, get, put, ref, 0};
		if (2 * ++model->nr_settled > model->settled_mask) {
			one->count = 1;
			settled_grow(model);
			return;
		}
	}
	one->count++;
}

void tables_init(struct model *model)
{
	model->objects_mask = 4095;
	model->objects = xcalloc(4096, sizeof(*model->objects));
	model->settled_mask = 8191;
	model->settled = xcalloc(8192, sizeof(*model->settled));
}
