/* SPDX-License-Identifier: MIT */
/* follow: see follow.h. */
#include "follow.h"

#include <inttypes.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <uapi/layout.h>

#include "base/util.h"

#define ARGUMENT_REGISTERS 4
/* struct holder in a register: id and index, and between them what was there before */
#define HOLDER_OF(name) name "&0xffffffff0000ffff"

/* What only looks: files of Pagetrail's kernel, and functions of any. */
static const char observer_units[] =
    "(^|/)kernel/(trace/|procfs/|mm/(audit|incident|page_books|slab_audit)|sync/kprintf|lib/format|boot/"
    "panic|proc/sample)";
static const char observer_names[] =
    "^(printf|kprintf|printk|panic|consputc|printint|printptr|procdump|dump_.*|.*_claims?|"
    ".*_check|trace_.*|backtrace)$";
static const char transparent_names[] =
    "^(mem(cpy|move|set|cmp|_.*)|str.*|safestr.*|copy_(to|from)_user.*|user_copy.*|(either_)?copy(in|out)("
    "str)?|list_.*|"
    "page_get|page_try_get|page_record|put_traced|count_change.*|pages_record|krefget|.*_to_(pa|va|pfn|page)|"
    "(acquire|release|holding|acquiresleep|releasesleep|push_off|pop_off|spin_.*|sleep_.*lock.*))$";
static const char trap_names[] = "^(trap_user|usertrap)$";

struct patterns {
	regex_t observer_unit, observer, transparent, trap;
};

static void compile(regex_t *regex, const char *text)
{
	if (regcomp(regex, text, REG_EXTENDED | REG_NOSUB))
		die("internal: %s", text);
}

static bool matches(const regex_t *regex, const char *text)
{
	return text && !regexec(regex, text, 0, NULL, 0);
}

/* A clone may have lost parameters or moved them; without types nothing is known: any register may be one. */
static unsigned nr_arguments(const struct function *function)
{
	uint64_t nr = 0;

	if (!function->typed || strchr(function->symbol, '.'))
		return ARGUMENT_REGISTERS;
	for (size_t i = 0; i < function->nr_parameters; i++) {
		uint64_t bytes = type_size(function->variables[i].type);
		nr += bytes > 8 && bytes <= 16 ? 2 : 1;
	}
	return nr < ARGUMENT_REGISTERS ? (unsigned)nr : ARGUMENT_REGISTERS;
}

static void put_function(const struct function *function, const struct patterns *patterns, FILE *out)
{
	fprintf(out, "func entry=%#" PRIx64 " args=%u%s%s%s%s\n", function->low, nr_arguments(function),
		matches(&patterns->observer_unit, function->unit) ||
			matches(&patterns->observer, function->name)
		    ? " observer=1"
		    : "",
		matches(&patterns->transparent, function->name) ? " transparent=1" : "",
		matches(&patterns->trap, function->name) ? " trap=1" : "",
		strcmp(function->name, "kstack_free") ? "" : " stackend=1");
}

void follow_functions(const struct types *types, FILE *out)
{
	struct patterns patterns;

	compile(&patterns.observer_unit, observer_units);
	compile(&patterns.observer, observer_names);
	compile(&patterns.transparent, transparent_names);
	compile(&patterns.trap, trap_names);
	for (size_t i = 0; i < types_nr_functions(types); i++)
		put_function(types_function_by_number(types, i), &patterns, out);
	regfree(&patterns.observer_unit);
	regfree(&patterns.observer);
	regfree(&patterns.transparent);
	regfree(&patterns.trap);
}

/* ---- Pagetrail's own kernel ---- */

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
    {"alloc", "page_alloc", "type=struct count=1<<a0 ref=a2&255 holder=" HOLDER_OF("a3")},
    {"alloc", "page_alloc_with", "type=struct count=1<<a0 ref=a2&255 holder=" HOLDER_OF("a3")},
    {"alloc", "page_alloc_zeroed", "type=struct ref=a1&255 holder=" HOLDER_OF("a2")},
    {"get", "page_get", "type=struct ref=a1&255 holder=" HOLDER_OF("a2")},
    {"get", "page_try_get", "type=struct ref=a1&255 holder=" HOLDER_OF("a2")},
    {"put", "page_put", "type=struct ref=a1&255 holder=" HOLDER_OF("a2") " freed=ret&1"},
    {"objfree", "kmem_cache_free", "page=a1"},
};

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
	if (address_of(types, "arch_switch", &address, error))
		fprintf(out, "follow window=%#x switch=%#" PRIx64 "-%#" PRIx64 "\n", KSTACK_PAGES * 4096,
			address, address + arch_switch->bytes);
	follow_functions(types, out);
	return !*error;
}
