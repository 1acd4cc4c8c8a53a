/* SPDX-License-Identifier: MIT */
/*
 * detect_process: the table of processes and what in a slot matters, the process of each hart; page tables and the code
 * that writes them; tables whose slots say whether they are used.
 *
 * Types say most: a page table is a pagetable_t (or a uint64 * called so), in whatever members a lab adds, and every one
 * must be known, or the pages of a second table count as leaked. Code that writes entries has a pte_t * or a pagetable_t
 * in hand and stores 8 bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "detect_priv.h"

static bool is_word_pointer(const struct type *type)
{
	return type_kind(type) == TYPE_POINTER && type_kind(type_target(type)) == TYPE_INTEGER &&
	       type_size(type_target(type)) == 8;
}

static bool is_table_name(const char *name)
{
	return strcasestr(name, "pagetable") || strcasestr(name, "page_table") || strcasestr(name, "pgtbl") ||
	       strcasestr(name, "pgdir") || strcasestr(name, "pgtable");
}

static bool is_page_table(const struct type *type, const char *name)
{
	return is_word_pointer(type) && (type_is_alias(type, "pagetable_t") || is_table_name(name));
}

/* ---- processes ---- */

struct slot_search {
	char *tables; /* found so far, with commas */
	char *frame;
};

/* The last name of a path: "pagetable" of "mm.pagetable". */
static const char *last_name(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot ? dot + 1 : path;
}

static bool look_at_leaf(void *context, const struct type_leaf *leaf)
{
	struct slot_search *search = context;
	const struct type *target = type_target(leaf->type);

	if (type_kind(leaf->type) != TYPE_POINTER || strchr(leaf->path, '['))
		return true;
	if (is_page_table(leaf->type, last_name(leaf->path))) {
		char *longer =
		    search->tables ? xasprintf("%s,%s", search->tables, leaf->path) : xstrdup(leaf->path);
		free(search->tables);
		search->tables = longer;
	}
	if (!search->frame && type_member(target, "epc", NULL) && type_member(target, "a0", NULL))
		search->frame = xstrdup(leaf->path);
	return true;
}

static const struct type *slot_type(const struct global *global)
{
	const struct type *slot = type_kind(global->type) == TYPE_ARRAY ? type_target(global->type) : NULL;

	return type_kind(slot) == TYPE_STRUCT && type_member(slot, "state", NULL) &&
		       type_member(slot, "pid", NULL)
		   ? slot
		   : NULL;
}

static void set_member(struct kd_item *item, const char *key, const struct type *slot,
		       const char *const *names)
{
	for (; *names; names++) {
		if (type_member(slot, *names, NULL)) {
			kd_set(item, key, "%s", *names);
			return;
		}
	}
}

static void set_enumerator(struct detection *detection, struct kd_item *item, const char *key,
			   const char *name)
{
	int64_t value;

	if (types_enumerator(detection->types, name, &value))
		kd_set(item, key, "%s", name);
}

static void describe_slots(struct detection *detection, const struct global *global, const struct type *slot)
{
	static const char *const stacks[] = {"kstack", "kernel_stack", NULL},
				 *const sps[] = {"context.sp", NULL}, *const names[] = {"name", NULL};
	struct slot_search search = {0};
	int64_t unused;

	type_walk(slot, look_at_leaf, &search);
	bool known = types_enumerator(detection->types, "UNUSED", &unused);
	char *path = xasprintf("%s[]", global->name);
	struct kd_item *item =
	    kd_add(detection->kd, KD_PROCS, path, "%llu slot%s of struct %s%s%s",
		   (unsigned long long)type_count(global->type),
		   plural_s((unsigned long long)type_count(global->type)), type_name(slot),
		   search.tables ? "; page tables by their type" : "; no page table in it was found",
		   known ? "" : "; uncertain: 0 taken for unused");
	free(path);
	item->maybe = !known || !search.tables;
	kd_set(item, "state", "state");
	kd_set(item, "unused", "%s", known ? "UNUSED" : "0");
	set_enumerator(detection, item, "running", "RUNNING");
	set_enumerator(detection, item, "zombie", "ZOMBIE");
	kd_set(item, "pid", "pid");
	if (search.tables)
		kd_set(item, "tables", "%s", search.tables);
	if (search.frame)
		kd_set(item, "frame", "%s", search.frame);
	set_member(item, "stack", slot, stacks);
	set_member(item, "sp", slot, sps);
	set_member(item, "name", slot, names);
	free(search.tables);
	free(search.frame);
}

/*
 * Bytes of a kernel stack: a new process's stack pointer is set to its end, p->context.sp = p->kstack + PGSIZE. 0: no
 * code does that.
 */
static uint64_t stack_bytes(struct detection *detection, const struct global *table, const struct type *slot)
{
	uint64_t sp;

	if (!type_member(slot, "context.sp", &sp))
		return 0;
	for (size_t i = 0; i < types_nr_functions(detection->types); i++) {
		const struct code_function *read =
		    code_of(detection->code, types_function_by_number(detection->types, i));
		for (size_t k = 0; k < read->nr_accesses; k++) {
			const struct access *access = &read->accesses[k];
			const struct value *at = &access->address, *top = &access->stored;
			uint64_t offset = (uint64_t)at->c >= table->address
					      ? ((uint64_t)at->c - table->address) % type_size(slot)
					      : (uint64_t)at->c;
			if (access->kind == ACCESS_STORE && access->bytes == 8 && at->base != VALUE_FRAME &&
			    !at->via && offset == sp && top->base == VALUE_UNKNOWN &&
			    (top->k == 1 || top->via) && top->c > 0 && top->c % (int64_t)PAGE_BYTES == 0 &&
			    top->c <= 64 * (int64_t)PAGE_BYTES)
				return (uint64_t)top->c;
		}
	}
	return 0;
}

static void set_stack_bytes(struct detection *detection, const struct global *table, const struct type *slot)
{
	uint64_t bytes = stack_bytes(detection, table, slot);

	for (size_t i = 0; bytes && i < detection->kd->nr_items; i++) {
		if (detection->kd->items[i]->verb == KD_STACK)
			kd_set(detection->kd->items[i], "size", "%llu", (unsigned long long)bytes);
	}
}

/* ---- the process of a hart ---- */

static const struct member_of *pointer_to(const struct type *holder, const struct type *slot)
{
	for (size_t i = 0; i < type_nr_members(holder); i++) {
		const struct member_of *member = type_member_by_number(holder, i);
		if (type_kind(member->type) == TYPE_POINTER && type_same(type_target(member->type), slot))
			return member;
	}
	return NULL;
}

static void describe_harts(struct detection *detection, const struct type *slot)
{
	for (size_t i = 0; i < types_nr_globals(detection->types); i++) {
		const struct global *global = types_global_by_number(detection->types, i);
		const struct type *hart =
		    type_kind(global->type) == TYPE_ARRAY ? type_target(global->type) : NULL;
		if (!hart || type_same(hart, slot) || type_count(global->type) > 64)
			continue;
		const struct member_of *member = pointer_to(hart, slot);
		if (!member || !*member->name)
			continue;
		struct kd_item *item =
		    kd_add(detection->kd, KD_PID, NULL, "struct %s of each hart points to its process",
			   type_name(hart));
		kd_set(item, "at", "%s[hart].%s->pid", global->name, member->name);
		item = kd_add(detection->kd, KD_HARTS, NULL, "elements of %s", global->name);
		kd_set(item, "most", "%llu", (unsigned long long)type_count(global->type));
		return;
	}
	kd_note(detection->kd, "no array says which process runs on a hart: events carry no pid");
}

void detect_processes(struct detection *detection)
{
	const struct global *table = NULL;

	for (size_t i = 0; i < types_nr_globals(detection->types); i++) {
		const struct global *global = types_global_by_number(detection->types, i);
		if (slot_type(global) && (!table || !strcmp(global->name, "proc")))
			table = global;
	}
	if (!table) {
		const struct type *process = types_struct(detection->types, "proc");
		kd_note(detection->kd,
			"no table of processes: no array of structures with a state and a pid");
		if (type_member(process, "pid", NULL))
			describe_harts(detection, process);
		return;
	}
	describe_slots(detection, table, slot_type(table));
	set_stack_bytes(detection, table, slot_type(table));
	describe_harts(detection, slot_type(table));
}

/* ---- page tables ---- */

static bool handles_entries(const struct function *function)
{
	for (size_t i = 0; i < function->nr_variables; i++) {
		const struct type *type = function->variables[i].type;
		if (is_word_pointer(type) &&
		    (type_is_alias(type, "pagetable_t") || type_is_alias(type_target(type), "pte_t")))
			return true;
	}
	return false;
}

static bool stores_words(struct detection *detection, const struct function *function)
{
	const struct code_function *read = code_of(detection->code, function);

	for (size_t i = 0; i < read->nr_accesses; i++) {
		const struct access *access = &read->accesses[i];
		if (access->kind != ACCESS_LOAD && access->bytes == 8 &&
		    access->address.base == VALUE_UNKNOWN)
			return true;
	}
	return false;
}

static void describe_writers(struct detection *detection)
{
	struct functions writers = {0};

	for (size_t i = 0; i < types_nr_functions(detection->types); i++) {
		const struct function *function = types_function_by_number(detection->types, i);
		if (function->typed && handles_entries(function) && stores_words(detection, function))
			functions_add(&writers, function);
	}
	if (writers.nr) {
		char *names = functions_text(&writers);
		kd_set(
		    kd_add(detection->kd, KD_PTE, NULL, "have a pte_t * or pagetable_t, and store 8 bytes"),
		    "funcs", "%s", names);
		free(names);
	} else {
		kd_note(detection->kd,
			"no code that writes page tables: nothing has a pte_t * or pagetable_t");
	}
	free(writers.list);
}

/* An array in a variable whose elements say by `ref` whether they are in use, as open files do. */
static void describe_used(struct detection *detection, const struct global *global)
{
	for (size_t i = 0; i < type_nr_members(global->type); i++) {
		const struct member_of *member = type_member_by_number(global->type, i);
		const struct type *element = type_kind(member->type) == TYPE_ARRAY ? type_target(member->type)
										   : NULL,
				  *used = type_member(element, "ref", NULL);
		if (!used || type_kind(used) != TYPE_INTEGER || !*member->name)
			continue;
		char *path = xasprintf("%s.%s[]", global->name, member->name);
		kd_set(kd_add(detection->kd, KD_TABLE, path, "struct %s counts its references",
			      type_name(element)),
		       "used", "ref");
		free(path);
	}
}

void detect_tables(struct detection *detection)
{
	for (size_t i = 0; i < types_nr_globals(detection->types); i++) {
		const struct global *global = types_global_by_number(detection->types, i);
		char text[96];
		if (!global->function && is_page_table(global->type, global->name))
			kd_add(detection->kd, KD_ROOT, global->name, "a global %s",
			       type_text(global->type, text, sizeof(text)));
		if (type_kind(global->type) == TYPE_STRUCT)
			describe_used(detection, global);
	}
	describe_writers(detection);
}
