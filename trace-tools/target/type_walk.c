/* SPDX-License-Identifier: MIT */
/* type_walk: every leaf of a type with its path; see types.h. Nothing but the public functions is used. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "types_priv.h"

/* Leaves that one walk shows at most: a damaged file nests itself. */
#define WALK_MAX (1U << 26)

struct walk {
	bool (*visit)(void *context, const struct type_leaf *leaf);
	void *context;
	char path[512];
	size_t used;
	uint32_t visits;
	const struct type *above[DEPTH_MAX];
	int depth;
};

static bool walk_into(struct walk *walk, const struct member_of *part);

static bool walk_leaf(struct walk *walk, const struct member_of *part)
{
	struct type_leaf leaf = {walk->path, part->offset, part->type, part->bit, part->bits};

	return walk->visits++ < WALK_MAX && walk->visit(walk->context, &leaf);
}

static bool walk_array(struct walk *walk, const struct member_of *part)
{
	const struct type *element = type_target(part->type);
	size_t used = walk->used;
	enum type_kind kind = type_kind(element);

	if ((kind == TYPE_INTEGER || kind == TYPE_ENUM || kind == TYPE_FLOAT) && type_size(element) < 8)
		return walk_leaf(walk, part);
	for (uint64_t i = 0; type_size(element) && i < type_count(part->type); i++) {
		struct member_of one = {"", part->offset + i * type_size(element), element, 0, 0};
		if (used + 24 < sizeof(walk->path))
			walk->used =
			    used + (size_t)sprintf(walk->path + used, "[%llu]", (unsigned long long)i);
		bool goes_on = walk_into(walk, &one);
		walk->path[walk->used = used] = 0;
		if (!goes_on)
			return false;
	}
	return true;
}

static bool walk_record(struct walk *walk, const struct member_of *part)
{
	size_t used = walk->used;

	for (size_t i = 0; i < type_nr_members(part->type); i++) {
		struct member_of member = *type_member_by_number(part->type, i);
		member.offset += part->offset;
		if (*member.name && used + strlen(member.name) + 2 < sizeof(walk->path))
			walk->used =
			    used + (size_t)sprintf(walk->path + used, "%s%s", used ? "." : "", member.name);
		bool goes_on = walk_into(walk, &member);
		walk->path[walk->used = used] = 0;
		if (!goes_on)
			return false;
	}
	return true;
}

static bool walk_into(struct walk *walk, const struct member_of *part)
{
	enum type_kind kind = type_kind(part->type);
	bool goes_on = true;

	if (kind == TYPE_FUNCTION || kind == TYPE_VOID || kind == TYPE_UNKNOWN)
		return true;
	if (kind != TYPE_ARRAY && kind != TYPE_STRUCT && kind != TYPE_UNION)
		return walk_leaf(walk, part);
	for (int i = 0; i < walk->depth; i++) {
		if (walk->above[i] == part->type)
			return true; /* Nothing holds itself but in a damaged file. */
	}
	if (walk->depth == DEPTH_MAX)
		return true;
	walk->above[walk->depth++] = part->type;
	goes_on = kind == TYPE_ARRAY ? walk_array(walk, part) : walk_record(walk, part);
	walk->depth--;
	return goes_on;
}

bool type_walk(const struct type *type, bool (*visit)(void *context, const struct type_leaf *leaf),
	       void *context)
{
	struct walk *walk = xcalloc(1, sizeof(*walk));
	struct member_of whole = {"", 0, type, 0, 0};

	walk->visit = visit;
	walk->context = context;
	bool ended = walk_into(walk, &whole);
	free(walk);
	return ended;
}
