/* model, inside: what model.c, model_pages.c and model_tables.c share. */
#ifndef TOOLS_REPLAY_MODEL_PRIV_H
#define TOOLS_REPLAY_MODEL_PRIV_H

#include "model.h"

void tables_init(struct model *model);
struct object_state *objects_find(const struct model *model, uint32_t obj);
struct object_state *objects_insert(struct model *model, uint32_t obj); /* not there before */
void objects_remove(struct model *model, struct object_state *object);
void settled_count(struct model *model, uint32_t alloc, uint32_t get, uint32_t put, uint32_t ref);

/* A stack id that is an index of sites. */
static inline uint32_t stack_index(const struct model *model, uint32_t stack)
{
	return stack < model->nr_sites ? stack : 0;
}

void pages_apply(struct model *model, const struct trace_record *record, uint32_t stream);
/* Pairs what remained of early puts with open references of the same ref; at the end of the replay. */
void pages_settle_rest(struct model *model);

#endif
