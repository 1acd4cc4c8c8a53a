/* SPDX-License-Identifier: MIT */
/*
 * model_releases: how references and objects were released, counted. See model.h.
 */
#include <stdlib.h>

#include "base/util.h"
#include "model_priv.h"

static inline uint64_t hash_of(uint32_t alloc, uint32_t get, uint32_t put, uint32_t ref)
{
	return hash_mix(((uint64_t)alloc << 32 | get) ^ ((uint64_t)put << 40 | (uint64_t)ref << 20));
}

static size_t slot_of(const struct model *model, uint32_t alloc, uint32_t get, uint32_t put, uint32_t ref)
{
	size_t at = hash_of(alloc, get, put, ref) & model->releases_mask;

	for (;; at = (at + 1) & model->releases_mask) {
		const struct release *one = &model->releases[at];
		if (!one->count || (one->alloc_stack == alloc && one->get_stack == get &&
				    one->put_stack == put && one->ref == ref))
			return at;
	}
}

static void grow(struct model *model)
{
	struct release *old = model->releases;
	size_t old_size = model->releases_mask + 1;

	model->releases_mask = old_size * 2 - 1;
	model->releases = xcalloc(old_size * 2, sizeof(*old));
	for (size_t i = 0; i < old_size; i++) {
		if (old[i].count)
			model->releases[slot_of(model, old[i].alloc_stack, old[i].get_stack, old[i].put_stack,
						old[i].ref)] = old[i];
	}
	free(old);
}

void releases_count(struct model *model, uint32_t alloc, uint32_t get, uint32_t put, uint32_t ref)
{
	struct release *one = &model->releases[slot_of(model, alloc, get, put, ref)];

	if (!one->count) {
		*one = (struct release){alloc, get, put, ref, 0};
		if (2 * ++model->nr_releases > model->releases_mask) {
			one->count = 1;
			grow(model);
			return;
		}
	}
	one->count++;
}

void releases_begin(struct model *model)
{
	model->releases_mask = 8191;
	model->releases = xcalloc(8192, sizeof(*model->releases));
}

const struct release *model_next_release(const struct model *model, size_t *at)
{
	while (*at <= model->releases_mask) {
		const struct release *one = &model->releases[(*at)++];
		if (one->count)
			return one;
	}
	return NULL;
}
