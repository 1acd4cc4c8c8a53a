/* SPDX-License-Identifier: MIT */
/* follow_own: Pagetrail's own kernel, which needs no description: see follow.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uapi/layout.h>
#include <uapi/trace_format.h>

#include "base/text.h"
#include "base/util.h"
#include "expression.h"
#include "follow.h"

/* struct holder in a register: id and index, and between them what was there before */
#define HOLDER_OF(name) name "&0xffffffff0000ffff"

/* Of some kinds the index of the holder is the address of what holds it, / 8: for others there is nothing there. */
#define OBJECT_REFERENCE "ref=a2&255 holder=" HOLDER_OF("a3") " at=(a3>>32)*8+%#lx\n"

/* "WORD=ADDRESS" of a symbol; false, with *error, where there is none. */
static bool address_of(const struct types *types, const char *name, uint64_t *address, char **error)
{
	const struct symbol *symbol = types_symbol(types, name);

	if (symbol)
		*address = symbol->address;
	else if (!*error)
		*error =
		    xasprintf("%s: there is no %s: is this a Pagetrail kernel?", types_path(types), name);
	return symbol != NULL;
}

static uint64_t member(const struct types *types, const char *tag, const char *name, char **error)
{
	uint64_t offset = 0;
	const struct type *type = types_struct(types, tag);

	if (!type_member(type, name, &offset) && !*error)
		*error = xasprintf("%s: struct %s has no %s: was this kernel built with -g?",
				   types_path(types), tag, name);
	return offset;
}

static const struct {
	const char *verb, *function, *rest;
} calls[] = {
    {"alloc", "page_alloc_reclaiming", "type=struct count=1<<(a0&15) ref=a2&255 holder=" HOLDER_OF("a3")},
    {"alloc", "page_alloc_noreclaim", "type=struct count=1<<(a0&15) ref=a2&255 holder=" HOLDER_OF("a3")},
    {"get", "page_get", "type=struct ref=a1&255 holder=" HOLDER_OF("a2")},
    {"get", "page_try_get", "type=struct ref=a1&255 holder=" HOLDER_OF("a2")},
    {"put", "page_put", "type=struct ref=a1&255 holder=" HOLDER_OF("a2") " freed=ret&1"},
    {"objfree", "kmem_cache_free", "page=a1"},
};

/* ---- registries ---- */

enum registry_kind { OF_OBJECTS, OF_PAGES, VARIABLE };

static const struct {
	enum registry_kind kind;
	const char *type, *path;
	uint32_t page_kind; /* OF_PAGES */
} registries[] = {
#define REGISTRY(rg_type, rg_member) {OF_OBJECTS, #rg_type, #rg_member, 0},
#define REGISTRY_OF_PAGES(rg_kind, rg_member) {OF_PAGES, "page", #rg_member, PK_##rg_kind},
#define REGISTRY_VARIABLE(rg_path) {VARIABLE, NULL, #rg_path, 0},
#include <kernel/registries.def>
};

/* kernel/mm/slab.c rounds objects up to words. */
static uint64_t object_bytes(uint64_t bytes)
{
	return (bytes + 7) & ~7ULL;
}

/* One that this kernel does not have, as it is another version's, registers nothing. */
static void put_registries(const struct types *types, FILE *out, char **missing)
{
	uint64_t kind_at = member(types, "page", "kind", missing);
	struct place place;
	char *error;

	for (size_t i = 0; i < sizeof(registries) / sizeof(registries[0]); i++) {
		uint64_t offset;
		const struct type *type = registries[i].type ? types_struct(types, registries[i].type) : NULL,
				  *member = type ? type_member(type, registries[i].path, &offset) : NULL;
		if (registries[i].kind == VARIABLE && place_find(types, registries[i].path, &place, &error))
			fprintf(out, "weak lo=%#" PRIx64 " hi=%#" PRIx64 "\n", place.address,
				place.address + type_size(place.type));
		else if (registries[i].kind == VARIABLE)
			free(error);
		else if (member && registries[i].kind == OF_PAGES)
			fprintf(out,
				"weak in=struct off=%" PRIu64 " size=%" PRIu64 " byte=%" PRIu64 " is=%u\n",
				offset, type_size(member), kind_at, registries[i].page_kind);
		else if (member)
			fprintf(out, "weak of=%" PRIu64 " off=%" PRIu64 "\n", object_bytes(type_size(type)),
				offset);
	}
}

bool follow_own_kernel(const struct types *types, FILE *out, char **error)
{
	const struct symbol *arch_switch = types_symbol(types, "arch_switch");
	uint64_t address = 0, end = 0;

	*error = NULL;
	if (address_of(types, "image_start", &address, error) && address_of(types, "text_end", &end, error))
		fprintf(out, "text lo=%#" PRIx64 " hi=%#" PRIx64 "\n", address, end);
	if (address_of(types, "pages", &address, error))
		fprintf(out, "pages base=u64[%#" PRIx64 "] stride=%" PRIu64 " pa=%#lx\n", address,
			type_size(types_struct(types, "page")), RAM_BASE);
	fprintf(out, "stack base=%#lx size=%u\n", PHYS_OFFSET, KSTACK_PAGES * 4096);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (address_of(types, calls[i].function, &address, error))
			fprintf(out, "%s name=%s entry=%#" PRIx64 " %s\n", calls[i].verb, calls[i].function,
				address, calls[i].rest);
	}
	if (address_of(types, "kmem_cache_alloc", &address, error))
		fprintf(out, "objalloc name=kmem_cache_alloc entry=%#" PRIx64 " size=u32[a0+%" PRIu64 "]\n",
			address, member(types, "kmem_cache", "object_bytes", error));
	if (address_of(types, "kmem_record_ref", &address, error)) {
		fprintf(out,
			"objget name=get_object entry=%#" PRIx64 " page=a1 when=a0==%d " OBJECT_REFERENCE,
			address, EV_obj_get, PHYS_OFFSET);
		fprintf(out,
			"objput name=put_object entry=%#" PRIx64 " page=a1 when=a0==%d " OBJECT_REFERENCE,
			address, EV_obj_put, PHYS_OFFSET);
	}
	if (address_of(types, "arch_switch", &address, error))
		fprintf(out, "follow window=%#x switch=%#" PRIx64 "-%#" PRIx64 "\n", KSTACK_PAGES * 4096,
			address, address + arch_switch->bytes);
	put_registries(types, out, error);
	follow_functions(types, NULL, out);
	return !*error;
}

char *follow_own_text(const char *kernel, char **error)
{
	struct types *types = types_open(kernel, error);
	struct text_buffer buffer;
	FILE *out = text_begin(&buffer);
	bool good = types && follow_own_kernel(types, out, error);
	char *text = text_end(&buffer);

	if (types)
		types_close(types);
	if (good)
		return text;
	free(text);
	return NULL;
}
