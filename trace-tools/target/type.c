/* SPDX-License-Identifier: MIT */
/*
 * type: one type out of DWARF, its parts read when asked for; see types.h.
 *
 * A type is made for each entry that something refers to and kept, so a structure that points to itself is one object.
 * An array of several dimensions is one entry in DWARF and here an array of arrays: dimension k of the same entry.
 */
#include <dwarf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "types_priv.h"

#define ALIASES_MAX 4

struct type {
	struct types *types;
	uint64_t key;  /* of the cache */
	Dwarf_Die die; /* behind typedefs and qualifiers */
	enum type_kind kind;
	const char *name;
	const char *aliases[ALIASES_MAX];
	uint32_t dimension; /* of an array: which subrange */
	uint64_t size, count;
	bool is_signed, target_known, members_known;
	const struct type *target;
	struct member_of *members;
	size_t nr_members, members_capacity;
};

/* ---- making one ---- */

static bool unsigned_attribute(Dwarf_Die *die, unsigned int name, uint64_t *value)
{
	Dwarf_Attribute attribute;
	Dwarf_Word word;

	if (dwarf_formudata(dwarf_attr(die, name, &attribute), &word))
		return false;
	*value = word;
	return true;
}

static enum type_kind kind_of(int tag)
{
	switch (tag) {
	case DW_TAG_base_type:
		return TYPE_INTEGER;
	case DW_TAG_enumeration_type:
		return TYPE_ENUM;
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
		return TYPE_POINTER;
	case DW_TAG_array_type:
		return TYPE_ARRAY;
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
		return TYPE_STRUCT;
	case DW_TAG_union_type:
		return TYPE_UNION;
	case DW_TAG_subroutine_type:
		return TYPE_FUNCTION;
	case DW_TAG_unspecified_type:
		return TYPE_VOID;
	default:
		return TYPE_UNKNOWN;
	}
}

/* Elements of dimension `which`; *more: there is a further one. */
static uint64_t dimension_count(Dwarf_Die *array, uint32_t which, bool *more)
{
	Dwarf_Die entry;
	uint64_t count = 0, value;
	uint32_t at = 0;

	*more = false;
	for (int none = dwarf_child(array, &entry); !none; none = dwarf_siblingof(&entry, &entry)) {
		if (dwarf_tag(&entry) != DW_TAG_subrange_type)
			continue;
		if (at == which) {
			if (unsigned_attribute(&entry, DW_AT_count, &value))
				count = value;
			else if (unsigned_attribute(&entry, DW_AT_upper_bound, &value))
				count = value + 1; /* [] has -1, or none */
		}
		*more = at++ > which;
		if (*more)
			break;
	}
	return count <= SIZE_BELIEVED ? count : 0;
}

static const struct type *type_make(struct types *types, Dwarf_Off offset, uint32_t dimension);

static void finish_base(struct type *type)
{
	uint64_t encoding = 0;

	unsigned_attribute(&type->die, DW_AT_encoding, &encoding);
	if (encoding == DW_ATE_float || encoding == DW_ATE_complex_float)
		type->kind = TYPE_FLOAT;
	type->is_signed = encoding == DW_ATE_signed || encoding == DW_ATE_signed_char;
}

static void finish_array(struct type *type)
{
	bool more;

	type->count = dimension_count(&type->die, type->dimension, &more);
	type->target_known = true;
	type->target = more ? type_make(type->types, dwarf_dieoffset(&type->die), type->dimension + 1)
			    : type_of_die(type->types, &type->die);
	uint64_t element = type_size(type->target);
	if (element && type->count > SIZE_BELIEVED / element)
		type->count = 0;
	type->size = element * type->count;
}

/* Takes typedefs and qualifiers off; NULL: void (a `const void`), or a circle. */
static bool strip(struct type *type)
{
	size_t nr_aliases = 0;

	for (int depth = 0; depth < DEPTH_MAX; depth++) {
		Dwarf_Attribute attribute;
		switch (dwarf_tag(&type->die)) {
		case DW_TAG_typedef:
			if (nr_aliases < ALIASES_MAX && dwarf_diename(&type->die))
				type->aliases[nr_aliases++] = dwarf_diename(&type->die);
			break;
		case DW_TAG_const_type:
		case DW_TAG_volatile_type:
		case DW_TAG_restrict_type:
		case DW_TAG_atomic_type:
			break;
		default:
			return true;
		}
		if (!dwarf_formref_die(dwarf_attr(&type->die, DW_AT_type, &attribute), &type->die))
			return false;
	}
	return false;
}

/* A declaration `struct proc;` of one unit is completed by the definition in another. */
static void complete(struct type *type)
{
	if (!dwarf_hasattr(&type->die, DW_AT_declaration) || !*type->name)
		return;
	for (size_t i = 0; i < type->types->nr_named; i++) {
		const struct named *named = &type->types->named[i];
		Dwarf_Die definition;
		if (kind_of(named->tag) == type->kind && !strcmp(named->name, type->name) &&
		    dwarf_offdie(type->types->dwarf, named->die, &definition)) {
			type->die = definition;
			return;
		}
	}
}

static void finish(struct type *type)
{
	const char *name = dwarf_diename(&type->die);
	uint64_t size;

	type->kind = kind_of(dwarf_tag(&type->die));
	type->name = name ? name : "";
	if (type->kind == TYPE_STRUCT || type->kind == TYPE_UNION || type->kind == TYPE_ENUM)
		complete(type);
	if (unsigned_attribute(&type->die, DW_AT_byte_size, &size) && size <= SIZE_BELIEVED)
		type->size = size;
	else if (type->kind == TYPE_POINTER)
		type->size = 8;
	if (type->kind == TYPE_INTEGER)
		finish_base(type);
	else if (type->kind == TYPE_ARRAY)
		finish_array(type);
	else if (type->kind == TYPE_ENUM)
		type->is_signed = true;
}

/* ---- the cache ---- */

static size_t cache_slot(const struct types *types, uint64_t key)
{
	size_t at = hash_mix(key) & types->cache_mask;

	while (types->cache[at] && types->cache[at]->key != key)
		at = (at + 1) & types->cache_mask;
	return at;
}

static void cache_grow(struct types *types)
{
	struct type **old = types->cache;
	size_t old_size = old ? types->cache_mask + 1 : 0, size = old_size ? old_size * 2 : 1024;

	types->cache = xcalloc(size, sizeof(*old));
	types->cache_mask = size - 1;
	for (size_t i = 0; i < old_size; i++) {
		if (old[i])
			types->cache[cache_slot(types, old[i]->key)] = old[i];
	}
	free(old);
}

static const struct type *type_make(struct types *types, Dwarf_Off offset, uint32_t dimension)
{
	uint64_t key = (uint64_t)offset << 5 | (dimension & 31);

	if (dimension > 31)
		return NULL;
	if (2 * types->nr_cached >= types->cache_mask)
		cache_grow(types);
	size_t at = cache_slot(types, key);
	if (types->cache[at])
		return types->cache[at];
	struct type *type = xcalloc(1, sizeof(*type));
	*type = (struct type){
	    .types = types, .key = key, .kind = TYPE_UNKNOWN, .name = "", .dimension = dimension};
	types->cache[at] = type;
	types->nr_cached++;
	if (!dwarf_offdie(types->dwarf, offset, &type->die))
		return type;
	if (strip(type))
		finish(type);
	else if (!dwarf_hasattr(&type->die, DW_AT_type))
		type->kind = TYPE_VOID;
	return type;
}

const struct type *type_from_offset(struct types *types, Dwarf_Off offset)
{
	return type_make(types, offset, 0);
}

const struct type *type_of_die(struct types *types, Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	Dwarf_Die target;

	if (!dwarf_formref_die(dwarf_attr_integrate(die, DW_AT_type, &attribute), &target))
		return NULL;
	const struct type *type = type_make(types, dwarf_dieoffset(&target), 0);
	/* A typedef of void keeps its name for nobody. */
	return type && type->kind == TYPE_VOID ? NULL : type;
}

void types_free_cache(struct types *types)
{
	for (size_t i = 0; types->cache && i <= types->cache_mask; i++) {
		if (types->cache[i])
			free(types->cache[i]->members);
		free(types->cache[i]);
	}
	free(types->cache);
}

/* ---- members ---- */

/* Bytes in front of a member: a number, or as DWARF 2 has it an expression that adds one. */
static uint64_t member_offset(Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	Dwarf_Op *ops;
	size_t nr;
	uint64_t offset;

	if (!dwarf_attr(die, DW_AT_data_member_location, &attribute))
		return 0;
	if (unsigned_attribute(die, DW_AT_data_member_location, &offset))
		return offset;
	if (!dwarf_getlocation(&attribute, &ops, &nr) && nr == 1 &&
	    (ops[0].atom == DW_OP_plus_uconst || ops[0].atom == DW_OP_constu))
		return ops[0].number;
	return SIZE_BELIEVED;
}

/*
 * DWARF counts a bit-field's bits from the record's start, or in its first version from the left of a unit of storage
 * of byte_size bytes. Here: bit and bits of the unit of the declared type that holds it.
 */
static void read_bits(Dwarf_Die *die, struct member_of *member)
{
	uint64_t bits, first, storage = type_size(member->type);

	if (!unsigned_attribute(die, DW_AT_bit_size, &bits) || bits == 0 || bits > 64 || storage == 0)
		return;
	if (!unsigned_attribute(die, DW_AT_data_bit_offset, &first)) {
		uint64_t from_left;
		unsigned_attribute(die, DW_AT_byte_size, &storage);
		if (!unsigned_attribute(die, DW_AT_bit_offset, &from_left) || from_left + bits > storage * 8)
			return;
		first = member->offset * 8 + storage * 8 - from_left - bits;
	}
	storage = type_size(member->type);
	member->offset = first / (storage * 8) * storage;
	member->bit = (uint32_t)(first - member->offset * 8);
	member->bits = (uint32_t)bits;
	if (member->bit + member->bits > 64)
		member->bits = 0;
}

static void load_members(struct type *type)
{
	Dwarf_Die entry;

	type->members_known = true;
	if (type->kind != TYPE_STRUCT && type->kind != TYPE_UNION)
		return;
	for (int none = dwarf_child(&type->die, &entry); !none; none = dwarf_siblingof(&entry, &entry)) {
		int tag = dwarf_tag(&entry);
		const char *name = dwarf_diename(&entry);
		if ((tag != DW_TAG_member && tag != DW_TAG_inheritance) ||
		    dwarf_hasattr(&entry, DW_AT_external))
			continue;
		struct member_of member = {name ? name : "", member_offset(&entry),
					   type_of_die(type->types, &entry), 0, 0};
		read_bits(&entry, &member);
		if (member.offset > type->size || type_size(member.type) > type->size - member.offset)
			continue; /* It would reach out of its record. */
		ARRAY_PUSH(type->members, type->nr_members, type->members_capacity) = member;
	}
}

static struct type *with_members(const struct type *type)
{
	struct type *own = (struct type *)type;

	if (own && !own->members_known)
		load_members(own);
	return own;
}

size_t type_nr_members(const struct type *type)
{
	return type ? with_members(type)->nr_members : 0;
}

const struct member_of *type_member_by_number(const struct type *type, size_t i)
{
	return &with_members(type)->members[i];
}

static bool find_direct(const struct type *type, const char *name, size_t bytes, struct member_of *found,
			int depth)
{
	for (size_t i = 0; depth < DEPTH_MAX && i < type_nr_members(type); i++) {
		const struct member_of *member = type_member_by_number(type, i);
		if (strlen(member->name) == bytes && !strncmp(member->name, name, bytes) && bytes) {
			*found = *member;
			return true;
		}
		if (!*member->name && find_direct(member->type, name, bytes, found, depth + 1)) {
			found->offset += member->offset;
			return true;
		}
	}
	return false;
}

bool type_find_member(const struct type *type, const char *path, struct member_of *member)
{
	*member = (struct member_of){.name = "", .type = type};
	while (*path) {
		uint64_t before = member->offset;
		struct member_of next;
		if (*path == '[') {
			char *end;
			uint64_t i = strtoull(path + 1, &end, 0);
			if (end == path + 1 || *end != ']' || type_kind(member->type) != TYPE_ARRAY ||
			    i >= type_count(member->type))
				return false;
			*member = (struct member_of){"", before + i * type_size(type_target(member->type)),
						     type_target(member->type), 0, 0};
			path = end + 1;
		} else {
			size_t bytes = strcspn(path, ".[");
			if (!find_direct(member->type, path, bytes, &next, 0))
				return false;
			*member = next;
			member->offset += before;
			path += bytes;
		}
		path += *path == '.';
	}
	return true;
}

const struct type *type_member(const struct type *type, const char *path, uint64_t *offset)
{
	struct member_of member;

	if (!type_find_member(type, path, &member))
		return NULL;
	if (offset)
		*offset = member.offset;
	return member.type;
}

/* ---- what a type says ---- */

enum type_kind type_kind(const struct type *type)
{
	return type ? type->kind : TYPE_VOID;
}
const char *type_name(const struct type *type)
{
	return type ? type->name : "";
}
const char *type_alias(const struct type *type)
{
	return type && type->aliases[0] ? type->aliases[0] : "";
}
uint64_t type_size(const struct type *type)
{
	return type ? type->size : 0;
}
bool type_is_signed(const struct type *type)
{
	return type && type->is_signed;
}
uint64_t type_count(const struct type *type)
{
	return type ? type->count : 0;
}

bool type_is_alias(const struct type *type, const char *name)
{
	for (size_t i = 0; type && i < ALIASES_MAX && type->aliases[i]; i++) {
		if (!strcmp(type->aliases[i], name))
			return true;
	}
	return false;
}

const struct type *type_target(const struct type *type)
{
	struct type *own = (struct type *)type;

	if (own && !own->target_known) {
		own->target_known = true;
		if (own->kind == TYPE_POINTER || own->kind == TYPE_FUNCTION)
			own->target = type_of_die(own->types, &own->die);
	}
	return own ? own->target : NULL;
}

static void text_to(const struct type *type, char *buf, size_t bytes, int depth)
{
	static const char *const word[] = {
	    [TYPE_STRUCT] = "struct ", [TYPE_UNION] = "union ", [TYPE_ENUM] = "enum "};
	char inner[96];

	if (*type_alias(type)) {
		snprintf(buf, bytes, "%s", type_alias(type));
		return;
	}
	switch (depth > 8 ? TYPE_UNKNOWN : type_kind(type)) {
	case TYPE_VOID:
		snprintf(buf, bytes, "void");
		break;
	case TYPE_POINTER:
		text_to(type_target(type), inner, sizeof(inner), depth + 1);
		snprintf(buf, bytes, "%s%s", inner, inner[0] && inner[strlen(inner) - 1] == '*' ? "*" : " *");
		break;
	case TYPE_ARRAY:
		text_to(type_target(type), inner, sizeof(inner), depth + 1);
		/* The outer dimension stands in front of the inner ones. */
		snprintf(buf, bytes, "%.*s[%llu]%s", (int)strcspn(inner, "["), inner,
			 (unsigned long long)type_count(type), inner + strcspn(inner, "["));
		break;
	case TYPE_STRUCT:
	case TYPE_UNION:
	case TYPE_ENUM:
		snprintf(buf, bytes, "%s%s", word[type->kind], *type->name ? type->name : "{…}");
		break;
	case TYPE_FUNCTION:
		snprintf(buf, bytes, "function");
		break;
	default:
		snprintf(buf, bytes, "%s", *type_name(type) ? type_name(type) : "?");
	}
}

const char *type_text(const struct type *type, char *buf, size_t bytes)
{
	text_to(type, buf, bytes, 0);
	return buf;
}

static bool same(const struct type *a, const struct type *b, int depth)
{
	if (a == b)
		return true;
	if (type_kind(a) != type_kind(b) || type_size(a) != type_size(b) ||
	    strcmp(type_name(a), type_name(b)))
		return false;
	switch (type_kind(a)) {
	case TYPE_POINTER:
	case TYPE_ARRAY:
		return type_count(a) == type_count(b) &&
		       (depth > 8 || same(type_target(a), type_target(b), depth + 1));
	case TYPE_STRUCT:
	case TYPE_UNION:
		if (type_nr_members(a) != type_nr_members(b))
			return false;
		for (size_t i = 0; i < type_nr_members(a); i++) {
			const struct member_of *x = type_member_by_number(a, i),
					       *y = type_member_by_number(b, i);
			if (strcmp(x->name, y->name) || x->offset != y->offset)
				return false;
		}
		return true;
	default:
		return true;
	}
}

bool type_same(const struct type *a, const struct type *b)
{
	return same(a, b, 0);
}

const char *type_enumerator(const struct type *type, int64_t value)
{
	Dwarf_Die entry;

	if (type_kind(type) != TYPE_ENUM)
		return NULL;
	for (int none = dwarf_child((Dwarf_Die *)&type->die, &entry); !none;
	     none = dwarf_siblingof(&entry, &entry)) {
		Dwarf_Attribute attribute;
		Dwarf_Sword found;
		if (dwarf_tag(&entry) == DW_TAG_enumerator &&
		    !dwarf_formsdata(dwarf_attr(&entry, DW_AT_const_value, &attribute), &found) &&
		    found == value)
			return dwarf_diename(&entry);
	}
	return NULL;
}
