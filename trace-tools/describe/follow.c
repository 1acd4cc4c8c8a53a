/* SPDX-License-Identifier: MIT */
/* follow: see follow.h. */
#include "follow.h"

#include <inttypes.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "code.h"
#include "functions.h"

#define ARGUMENT_REGISTERS 4
#define OBSERVER_OWNS 1 /* but for what it allocates itself */
#define OBSERVER_ONLY 2
#define STRUCTURE_MAX 512

/* What only looks: rooms and files of Pagetrail's kernel, and functions of any. */
static const char *const observer_units[] = {
    "kernel/trace/",          "kernel/procfs/",          "kernel/audit/",          "kernel/mm/page_boot.c",
    "kernel/mm/page_check.c", "kernel/mm/page_totals.c", "kernel/mm/slab_audit.c", "kernel/sync/kprintf.c",
    "kernel/lib/format.c",    "kernel/boot/panic.c",     "kernel/proc/sample.c",
};
static const char observer_names[] =
    "^([vs]*n?printf?.*|kprintf|printk|panic|consputc|printint|printptr|procdump|dump_.*|.*_claims?|"
    ".*_check|trace_.*|backtrace)$";
static const char transparent_names[] =
    "^(mem(cpy|move|set|cmp|_.*)|str.*|safestr.*|copy_(to|from)_user.*|"
    "user_copy.*|(either_)?copy(in|out)(str)?|"
    "list_.*|pte_set|set_pte.*|page_get|page_try_get|page_put|page_"
    "record|put_traced|count_change.*|pages_record|krefget|"
    ".*_to_(pa|va|pfn|page)|acquire.*|release(sleep)?|holding.*|push_off|"
    "pop_off|(.*_)?(un)?lock(_.*)?|spin_.*|kmem_record_ref|get|get_more|(get|use|find_and_use)_"
    "locked|inode_(get(_ref|_nowait)?|dup|pass)|file_(dup|get_ref|pass))$";
static const char trap_names[] = "^(trap_user|usertrap)$";
static const char works_names[] =
    "^(sched_(yield|block|switch_away|finish_switch)|task_exit|trap_kernel|yield|sleep|sched|kerneltrap)$";

struct patterns {
	regex_t observer, transparent, trap, works;
	struct code *code;
	struct functions
	    books; /* functions that the description says get, put, free or count: each reference is theirs for a call */
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

/* unit: "kernel/audit/audit.c", with or without the folder in which the compiler stood before it. */
static bool unit_looks(const char *unit)
{
	for (size_t i = 0; unit && i < sizeof(observer_units) / sizeof(observer_units[0]); i++) {
		const char *at = strstr(unit, observer_units[i]);
		if (at && (at == unit || at[-1] == '/'))
			return true;
	}
	return false;
}

/* Files of /proc have pages and objects of their own; a trace has none. */
static bool unit_owns(const char *unit)
{
	return unit && strstr(unit, "kernel/procfs/");
}

static bool looks(const struct patterns *patterns, const struct function *function)
{
	return unit_looks(function->unit) || matches(&patterns->observer, function->name);
}

/* What calls printers and nothing else prints. */
static bool only_prints(const struct types *types, const struct patterns *patterns,
			const struct function *function)
{
	const struct code_function *code = code_of(patterns->code, function);

	for (size_t i = 0; i < code->nr_calls; i++) {
		const struct function *called = types_function_at(types, code->calls[i].target);
		if (!called || !looks(patterns, called))
			return false;
	}
	return code->nr_calls != 0;
}

/* Bytes of the structures that its arguments point to: one of those that are given there may have the pointer. */
static void put_structures(const struct function *function, FILE *out)
{
	if (!function->typed || strchr(function->symbol, '.'))
		return;
	for (unsigned i = 0; i < function->nr_parameters && i < ARGUMENT_REGISTERS; i++) {
		const struct type *type = function->variables[i].type;
		if (type_size(type) > 8)
			return; /* two registers: the next are not where they seem to be */
		const struct type *target = type_kind(type) == TYPE_POINTER ? type_target(type) : NULL;
		if (target && type_kind(target) == TYPE_STRUCT && type_size(target) <= STRUCTURE_MAX)
			fprintf(out, " s%u=%" PRIu64, i, type_size(target));
	}
}

static void put_function(const struct types *types, const struct function *function,
			 const struct patterns *patterns, FILE *out)
{
	bool transparent =
	    matches(&patterns->transparent, function->name) || functions_have(&patterns->books, function);
	unsigned observer =
	    looks(patterns, function) || (!transparent && only_prints(types, patterns, function))
		? unit_owns(function->unit) ? OBSERVER_OWNS : OBSERVER_ONLY
		: 0;
	char flag[16] = "";

	if (observer)
		snprintf(flag, sizeof(flag), " observer=%u", observer);
	fprintf(out, "func entry=%#" PRIx64 " args=%u%s%s%s%s%s", function->low, nr_arguments(function), flag,
		transparent ? " transparent=1" : "",
		matches(&patterns->trap, function->name) ? " trap=1" : "",
		matches(&patterns->works, function->name) ? " works=1" : "",
		strcmp(function->name, "kstack_free") ? "" : " stackend=1");
	put_structures(function, out);
	fputc('\n', out);
}

/* Functions that an item names: its subject, or under the key. */
static void add_named(const struct types *types, const char *list, struct functions *out)
{
	char *name;

	for (size_t n = 0; (name = kd_nth(list, n)); n++) {
		functions_named(types, name, out);
		free(name);
	}
}

static void find_books(const struct types *types, const struct kd *kd, struct functions *out)
{
	static const enum kd_verb verbs[] = {KD_ALLOC, KD_FREE, KD_GET, KD_PUT};
	const struct kd_item *item;

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		for (size_t n = 0; (item = kd_item(kd, verbs[i], n)); n++)
			add_named(types, item->subject, out);
	}
	for (size_t n = 0; (item = kd_item(kd, KD_COUNT, n)); n++)
		add_named(types, kd_get(item, "funcs"), out);
}

bool follow_is_transparent(const char *function)
{
	static regex_t regex;
	static bool compiled;

	if (!compiled)
		compile(&regex, transparent_names);
	compiled = true;
	return matches(&regex, function);
}

void follow_functions(const struct types *types, const struct kd *kd, FILE *out)
{
	struct patterns patterns = {.code = code_open(types)};

	compile(&patterns.observer, observer_names);
	compile(&patterns.transparent, transparent_names);
	compile(&patterns.trap, trap_names);
	compile(&patterns.works, works_names);
	if (kd)
		find_books(types, kd, &patterns.books);
	for (size_t i = 0; i < types_nr_functions(types); i++)
		put_function(types, types_function_by_number(types, i), &patterns, out);
	free(patterns.books.list);
	code_close(patterns.code);
	regfree(&patterns.observer);
	regfree(&patterns.transparent);
	regfree(&patterns.trap);
	regfree(&patterns.works);
}

/* ---- kernels that are not ours ---- */

void follow_all_pages(const struct description *description, FILE *out)
{
	static const char *const names[] = {"swtch",       "switch_to",      "__switch",
					    "__switch_to", "context_switch", "arch_switch"};

	fprintf(out, "follow all=1\n");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct symbol *symbol = types_symbol(description->types, names[i]);
		if (symbol && symbol->code && symbol->bytes)
			fprintf(out, "follow switch=%#" PRIx64 "-%#" PRIx64 "\n", symbol->address,
				symbol->address + symbol->bytes);
	}
	follow_functions(description->types, description->kd, out);
}
