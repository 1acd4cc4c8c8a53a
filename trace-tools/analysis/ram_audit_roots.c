/* SPDX-License-Identifier: MIT */
/*
 * ram_audit_roots: what points to pages: variables by their types, slots of the process table, kernel stacks. What these reach leads
 * on: ram_audit_reach.c. See ram_audit.h.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "ram_audit_priv.h"

#define STACK_MAX (16 * PAGE_BYTES)
#define SLOTS_MAX 65536

static bool is_table_type(const struct type *type)
{
	const struct type *target = type_target(type);

	return type_kind(type) == TYPE_POINTER && type_kind(target) == TYPE_INTEGER &&
	       type_size(target) == 8 &&
	       (type_is_alias(type, "pagetable_t") || type_is_alias(target, "pte_t"));
}

/* ---- variables ---- */

/* A table whose slots say whether they are in use, or a variable whose pointers hold nothing. */
struct exception {
	struct place place;
	uint64_t used, used_bytes; /* offset and size of the member; bytes 0: never in use */
};

struct variables {
	struct ram_audit *audit;
	struct exception *exceptions;
	size_t nr_exceptions, exceptions_capacity;
	const struct global *global;
	uint64_t procs, procs_bytes; /* looked at slot by slot */
};

static void read_exceptions(struct variables *variables, enum kd_verb verb)
{
	const struct kd_item *item;
	struct exception one;
	char *error;

	for (size_t n = 0; (item = kd_item(variables->audit->kernel->kd, verb, n)); n++) {
		one = (struct exception){0};
		if (!place_find(variables->audit->inside->types, item->subject, &one.place, &error)) {
			ram_audit_reason(variables->audit, "%s", error);
			free(error);
			continue;
		}
		const char *used = kd_get(item, "used");
		one.used_bytes = used ? type_size(type_member(one.place.type, used, &one.used)) : 0;
		ARRAY_PUSH(variables->exceptions, variables->nr_exceptions, variables->exceptions_capacity) =
		    one;
	}
}

/* Whether a pointer at this address of the kernel counts. */
static bool in_use(const struct variables *variables, uint64_t address)
{
	for (size_t i = 0; i < variables->nr_exceptions; i++) {
		const struct exception *one = &variables->exceptions[i];
		uint64_t stride = one->place.stride,
			 slot = stride ? (address - one->place.address) / stride : 0, used;
		uint64_t bytes = stride ? one->place.nr * stride : type_size(one->place.type);
		if (address - one->place.address >= bytes)
			continue;
		return one->used_bytes &&
		       memory_load(variables->audit, one->place.address + slot * stride + one->used,
				   one->used_bytes, &used) &&
		       used;
	}
	return true;
}

static const char *variable_name(const struct variables *variables, const char *path)
{
	const char *dot = *path && *path != '[' && *path != '.' ? "." : "";

	return audit_name(variables->audit, xasprintf("%s%s%s", variables->global->name, dot, path));
}

static bool visit_variable(void *context, const struct type_leaf *leaf)
{
	struct variables *variables = context;
	uint64_t address = variables->global->address + leaf->offset, word;
	enum type_kind kind = type_kind(leaf->type);

	if (leaf->bits || type_size(leaf->type) != 8 || (kind != TYPE_POINTER && kind != TYPE_INTEGER) ||
	    !memory_load(variables->audit, address, 8, &word) ||
	    memory_pointer(variables->audit, word) == NO_PAGE || !in_use(variables, address))
		return true;
	struct ram_audit *audit = variables->audit;
	const char *name = variable_name(variables, leaf->path);
	/* A table is walked: its entries are no pointers. */
	if (is_table_type(leaf->type) && tables_look_like(audit, memory_root(audit, word)))
		tables_walk(audit, name, memory_root(audit, word), false);
	else
		reach_word(audit, word, (struct page_holder){HOLD_VARIABLE, name, address},
			   type_target(leaf->type));
	return true;
}

static void reach_variables(struct ram_audit *audit)
{
	const struct kd_item *item = kd_item(audit->kernel->kd, KD_PROCS, 0);
	struct variables variables = {.audit = audit};
	struct place procs;
	char *error;

	if (item && place_find(audit->inside->types, item->subject, &procs, &error)) {
		variables.procs = procs.address;
		variables.procs_bytes = procs.nr * procs.stride;
	}
	read_exceptions(&variables, KD_TABLE);
	read_exceptions(&variables, KD_WEAK);
	for (size_t i = 0; i < types_nr_globals(audit->inside->types); i++) {
		variables.global = types_global_by_number(audit->inside->types, i);
		/* The lists in struct page count for pages that are reached: look_through. */
		if (variables.global->address - variables.procs >= variables.procs_bytes &&
		    !memory_is_frame(audit, variables.global->address))
			type_walk(variables.global->type, visit_variable, &variables);
	}
	free(variables.exceptions);
}

/* ---- processes ---- */

struct slots {
	struct ram_audit *audit;
	const struct kd_item *item;
	struct place place;
	const struct process_view *process; /* the slot that is looked at */
	uint64_t address;
	const char *prefix; /* "proc[3]" */
};

static bool slots_open(struct ram_audit *audit, struct slots *slots)
{
	char *error;

	*slots = (struct slots){.audit = audit, .item = kd_item(audit->kernel->kd, KD_PROCS, 0)};
	if (!slots->item)
		return false;
	if (place_find(audit->inside->types, slots->item->subject, &slots->place, &error))
		return slots->place.nr <= SLOTS_MAX;
	ram_audit_reason(audit, "%s", error);
	free(error);
	return false;
}

/* A member that a key of the description names; false: it is not said, or there is no memory. */
static bool slot_member(const struct slots *slots, uint64_t slot, const char *path, uint64_t *value)
{
	uint64_t offset;
	const struct type *type = path ? type_member(slots->place.type, path, &offset) : NULL;

	return type && memory_load(slots->audit, slots->place.address + slot * slots->place.stride + offset,
				   type_size(type), value);
}

static bool slot_state_is(const struct slots *slots, const char *key, uint64_t state)
{
	uint64_t value;

	return kd_get(slots->item, key) &&
	       memory_value(slots->audit, kd_get(slots->item, key), 0, 0, &value) && value == state;
}

static void read_name(const struct slots *slots, uint64_t slot, struct process_view *process)
{
	const char *path = kd_get(slots->item, "name");
	uint64_t offset, letter;
	const struct type *type = path ? type_member(slots->place.type, path, &offset) : NULL;

	for (size_t i = 0; i + 1 < sizeof(process->name) && i < type_size(type); i++) {
		if (!memory_load(slots->audit, slots->place.address + slot * slots->place.stride + offset + i,
				 1, &letter) ||
		    !letter)
			break;
		process->name[i] = letter >= 32 && letter < 127 ? (char)letter : '?';
	}
}

static void read_process(struct slots *slots, uint64_t slot, uint64_t state)
{
	struct ram_audit *audit = slots->audit;
	const struct type *type = type_member(slots->place.type, kd_get(slots->item, "state"), NULL);
	struct process_view process = {.slot = (uint32_t)slot, .state = state};

	process.state_name = type_enumerator(type, (int64_t)state);
	process.running = slot_state_is(slots, "running", state);
	process.zombie = slot_state_is(slots, "zombie", state);
	process.asleep = process.zombie || (process.state_name && strcasestr(process.state_name, "sleep"));
	slot_member(slots, slot, kd_get(slots->item, "pid"), &process.pid);
	read_name(slots, slot, &process);
	audit->processes = xrealloc(audit->processes, (audit->nr_processes + 1) * sizeof(process));
	audit->processes[audit->nr_processes++] = process;
	audit->quiescent = audit->quiescent && process.asleep;
}

void processes_read(struct ram_audit *audit)
{
	struct slots slots;
	uint64_t state;

	audit->quiescent = true;
	if (!slots_open(audit, &slots)) {
		audit->inside->guess_tables = true;
		return;
	}
	audit->inside->guess_tables = !kd_get(slots.item, "tables");
	audit->inside->no_stacks = !kd_get(slots.item, "stack") || !kd_get(slots.item, "sp");
	for (uint64_t slot = 0; slot < slots.place.nr; slot++) {
		if (slot_member(&slots, slot, kd_get(slots.item, "state"), &state) &&
		    !slot_state_is(&slots, "unused", state))
			read_process(&slots, slot, state);
	}
}

/* Is this path one that a key names: itself, or the structure that it is in ("context" of "context.sp")? */
static bool key_names(const struct slots *slots, const char *key, const char *path, bool whole)
{
	char *name;
	bool found = false;

	for (size_t n = 0; !found && (name = kd_nth(kd_get(slots->item, key), n)); n++) {
		const char *dot = strrchr(name, '.');
		size_t bytes = whole && dot ? (size_t)(dot - name) + 1 : strlen(name);
		found = !strncmp(name, path, bytes) && (whole || !path[bytes]);
		free(name);
	}
	return found;
}

static bool visit_slot(void *context, const struct type_leaf *leaf)
{
	struct slots *slots = context;
	struct ram_audit *audit = slots->audit;
	const struct process_view *process = slots->process;
	uint64_t address = slots->address + leaf->offset, word;
	enum type_kind kind = type_kind(leaf->type);

	if (leaf->bits || type_size(leaf->type) != 8 || (kind != TYPE_POINTER && kind != TYPE_INTEGER) ||
	    !memory_load(audit, address, 8, &word) || memory_pointer(audit, word) == NO_PAGE ||
	    key_names(slots, "tables", leaf->path, false))
		return true;
	/* Registers saved by the last switch count only while it waits. */
	if (strchr(leaf->path, '.') && key_names(slots, "sp", leaf->path, true) &&
	    (process->running || process->zombie))
		return true;
	const char *name = audit_name(audit, xasprintf("%s.%s", slots->prefix, leaf->path));
	struct page_holder holder = {HOLD_VARIABLE, name, address};
	/* The user's registers, and a stack, are held but say nothing. */
	if (key_names(slots, "frame", leaf->path, false) || key_names(slots, "stack", leaf->path, false)) {
		if (!audit->pages[memory_pointer(audit, word)].listed)
			audit_hold(audit, memory_pointer(audit, word), holder);
	} else {
		reach_word(audit, word, holder, type_target(leaf->type));
	}
	return true;
}

/*
 * A process that can run has a page table: where a slot that is said to be in use shows none, the description of the
 * processes is wrong, and what it leaves out would be taken for leaked.
 */
static void doubt_processes(struct ram_audit *audit, const char *prefix, const char *path)
{
	if (path)
		ram_audit_reason(audit, "%s.%s is no page table: the description of the processes is wrong",
				 prefix, path);
	else
		ram_audit_reason(
		    audit,
		    "%s is in use and has no page table: the description of the processes is wrong, or the "
		    "process was being made",
		    prefix);
	audit->inside->blind = "the processes do not fit their description";
}

static void check_process_tables(const struct slots *slots)
{
	struct ram_audit *audit = slots->audit;
	char *path;
	uint64_t word, nr = 0;

	for (size_t n = 0; (path = kd_nth(kd_get(slots->item, "tables"), n)); n++) {
		if (slot_member(slots, slots->process->slot, path, &word) && word) {
			uint64_t root = memory_root(audit, word);
			uint32_t page = memory_page(audit, root);
			/* One that was freed under its process is a finding of its own. */
			if (page == NO_PAGE ||
			    (!audit->pages[page].listed && !tables_may_be_root(audit, root)))
				doubt_processes(audit, slots->prefix, path);
			nr++;
		}
		free(path);
	}
	if (!nr && !slots->process->zombie && kd_get(slots->item, "tables"))
		doubt_processes(audit, slots->prefix, NULL);
}

static void walk_process_tables(struct slots *slots, uint64_t slot, bool ghost)
{
	struct ram_audit *audit = slots->audit;
	char *path;
	uint64_t word;

	if (!ghost)
		check_process_tables(slots);

	for (size_t n = 0; (path = kd_nth(kd_get(slots->item, "tables"), n)); n++) {
		uint64_t root =
		    slot_member(slots, slot, path, &word) && word ? memory_root(audit, word) : NO_ADDRESS;
		uint32_t page = memory_page(audit, root);
		const char *name =
		    page == NO_PAGE ? NULL : audit_name(audit, xasprintf("%s.%s", slots->prefix, path));
		/* The kernel's own table in a slot is not the process's. */
		if (page != NO_PAGE && root != audit->inside->root &&
		    (!ghost || (!audit->pages[page].listed && audit->pages[page].managed &&
				!audit->pages[page].holder.kind)))
			tables_walk(audit, name, root, ghost);
		if (ghost && page != NO_PAGE && audit->pages[page].ghost.name == name &&
		    !audit->pages[page].holder.kind && !audit->inside->blind)
			audit_note(audit, FAULT_DEAD_TABLE, root,
				   "%s of a slot that is not in use still names it", name);
		free(path);
	}
}

/* ---- kernel stacks ---- */

static void reach_stack(struct slots *slots, const struct process_view *process)
{
	struct ram_audit *audit = slots->audit;
	const struct kd_item *form = kd_item(audit->kernel->kd, KD_STACK, 0);
	uint64_t low, sp, bytes = PAGE_BYTES, word;

	if (form && kd_get(form, "size"))
		memory_value(audit, kd_get(form, "size"), 0, 0, &bytes);
	if (process->zombie || process->running ||
	    !slot_member(slots, process->slot, kd_get(slots->item, "stack"), &low) ||
	    !slot_member(slots, process->slot, kd_get(slots->item, "sp"), &sp))
		return;
	if (sp - low > STACK_MAX || bytes > STACK_MAX)
		return;
	if (sp - low > bytes)
		bytes = (sp - low + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
	const char *name = audit_name(audit, xasprintf("stack of %s", slots->prefix));
	for (uint64_t at = sp & ~7ULL; at < low + bytes; at += 8) {
		if (memory_load(audit, at, 8, &word))
			reach_word(audit, word, (struct page_holder){HOLD_STACK, name, at}, NULL);
	}
}

static void reach_processes(struct ram_audit *audit)
{
	struct slots slots;
	size_t next = 0;

	if (!slots_open(audit, &slots))
		return;
	size_t bytes = strcspn(slots.item->subject, "[");
	/* Those in use first: what they hold is not a dead one's. */
	for (int pass = 0; pass < 2; pass++) {
		next = 0;
		for (uint64_t slot = 0; slot < slots.place.nr; slot++) {
			bool used = next < audit->nr_processes && audit->processes[next].slot == slot;
			slots.process = used ? &audit->processes[next++] : NULL;
			slots.address = slots.place.address + slot * slots.place.stride;
			if (used != (pass == 0))
				continue;
			slots.prefix = audit_name(
			    audit, xasprintf("%.*s[%" PRIu64 "]", (int)bytes, slots.item->subject, slot));
			walk_process_tables(&slots, slot, !used);
			if (used) {
				type_walk(slots.place.type, visit_slot, &slots);
				reach_stack(&slots, slots.process);
			}
		}
	}
}

/* ---- all roots ---- */

void roots_reach(struct ram_audit *audit)
{
	if (audit->inside->root != NO_ADDRESS)
		tables_walk(audit, kd_item(audit->kernel->kd, KD_ROOT, 0)->subject, audit->inside->root,
			    false);
	reach_processes(audit);
	reach_variables(audit);
	reach_rest(audit);
}

/* ---- variables without a type ---- */

/* Where the variable ends: symbols of the linker have no size, and seem to reach to the next one. */
static uint64_t end_of(const struct types *types, const struct symbol *symbol)
{
	for (size_t i = 0; i < types_nr_segments(types); i++) {
		const struct segment *segment = types_segment(types, i);
		uint64_t left = segment->bytes - (symbol->address - segment->va);
		if (symbol->address - segment->va < segment->bytes)
			return symbol->address + (symbol->bytes < left ? symbol->bytes : left);
	}
	return symbol->address;
}

/* The name that says most about an address: not a label of the linker's script, where there is another. */
static const char *narrowest(const struct types *types, uint64_t address)
{
	const struct symbol *best = NULL;

	for (size_t i = 0; i < types_nr_symbols(types); i++) {
		const struct symbol *symbol = types_symbol_by_number(types, i);
		if (address - symbol->address < symbol->bytes &&
		    (!best || !strncmp(best->name, "__", 2) || symbol->bytes < best->bytes))
			best = symbol;
	}
	return best ? best->name : "?";
}

void roots_untyped(struct ram_audit *audit)
{
	const struct types *types = audit->inside->types;
	uint64_t word;

	for (size_t i = 0; i < types_nr_symbols(types); i++) {
		const struct symbol *symbol = types_symbol_by_number(types, i);
		uint64_t end = end_of(types, symbol);
		if (symbol->code || types_global_at(types, symbol->address))
			continue;
		for (uint64_t at = (symbol->address + 7) & ~7ULL; at + 8 <= end; at += 8) {
			uint32_t page =
			    memory_load(audit, at, 8, &word) ? memory_pointer(audit, word) : NO_PAGE;
			if (page == NO_PAGE || audit->pages[page].holder.kind ||
			    !audit->pages[page].managed || audit->pages[page].listed ||
			    types_global_at(types, at))
				continue;
			audit->pages[page].why =
			    audit_name(audit, xasprintf("only %s, a variable without a type, points to it",
							narrowest(types, at)));
		}
	}
}
