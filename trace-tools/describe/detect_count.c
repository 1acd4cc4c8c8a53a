/* SPDX-License-Identifier: MIT */
/*
 * detect_count: the array of reference counts, and which element belongs to which page.
 *
 * No two labs count alike: u8, int, or a structure of a lock and an int; alone or in kmem; indexed by pa / 4096, by
 * (pa - KERNBASE) / 4096, by (pa - end) / 4096. The code says it (code.h): an access at
 *
 *     c + k * (x >> 12)         in an array of elements of k bytes that begins at `low`
 *
 * is to element (c - low) / k + x / 4096, so element 0 is page number (low - c) / k. Every access votes; that number
 * and the member's offset win which most accesses agree on. Two arrays of equal elements could both be meant by one
 * access: the one whose first page is a plausible one (0, the start of RAM, the kernel's end) is.
 *
 * Some labs have no array but memory behind the kernel's end, at an address that the boot stores once in a variable.
 * Then the access is to c + k * (x >> 12) where no variable is, and what lies there for the first page behind the
 * kernel is the array's beginning.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "detect_priv.h"

/* Fewer elements than 8 MiB of RAM have pages: no array of counts. */
#define ELEMENTS_MIN 2048
#define ELEMENT_BYTES_MAX 64
#define RULES_MAX 64

struct rule {
	uint64_t less;          /* a variable that the page's address is counted from; 0: none */
	uint64_t first_pfn;     /* page number of element 0, or where it is counted from */
	uint32_t offset, bytes; /* of the number in its element */
	size_t votes, stores;
};

struct array {
	char path[128];
	uint64_t low, high, stride, nr;
	const struct type *element;
	struct rule rules[RULES_MAX];
	size_t nr_rules;
};

struct arrays {
	struct array *list;
	size_t nr, capacity;
};

/* ---- candidates ---- */

static bool holds_a_count(const struct type *element)
{
	uint64_t bytes = type_size(element);

	if (type_kind(element) == TYPE_INTEGER)
		return true;
	if (type_kind(element) != TYPE_STRUCT || bytes == 0 || bytes > ELEMENT_BYTES_MAX)
		return false;
	for (size_t i = 0; i < type_nr_members(element); i++) {
		if (type_kind(type_member_by_number(element, i)->type) == TYPE_INTEGER)
			return true;
	}
	return false;
}

static void add_arrays(struct arrays *arrays, const struct type *type, uint64_t address, const char *path,
		       int depth)
{
	if (type_kind(type) == TYPE_ARRAY && type_count(type) >= ELEMENTS_MIN &&
	    holds_a_count(type_target(type))) {
		struct array array = {.low = address,
				      .high = address + type_size(type),
				      .stride = type_size(type_target(type)),
				      .nr = type_count(type),
				      .element = type_target(type)};
		snprintf(array.path, sizeof(array.path), "%s", path);
		ARRAY_PUSH(arrays->list, arrays->nr, arrays->capacity) = array;
		return;
	}
	if (type_kind(type) != TYPE_STRUCT || depth > 3)
		return;
	for (size_t i = 0; i < type_nr_members(type); i++) {
		const struct member_of *member = type_member_by_number(type, i);
		char *inner = *member->name ? xasprintf("%s.%s", path, member->name) : xstrdup(path);
		add_arrays(arrays, member->type, address + member->offset, inner, depth + 1);
		free(inner);
	}
}

/* ---- votes ---- */

/* Whether the access is to an element by a page's address, and by which rule. */
static bool rule_of(const struct array *array, const struct access *access, struct rule *rule)
{
	const struct value *at = &access->address;

	if (at->base != VALUE_UNKNOWN || at->via || at->shift < 10 || at->shift > 12 ||
	    at->k != (int64_t)array->stride)
		return false;
	int64_t stride = (int64_t)array->stride, behind = at->c - (int64_t)array->low;
	int64_t offset = (behind % stride + stride) % stride, first = (offset - behind) / stride;
	bool in_ram = at->less || (uint64_t)first + array->nr > RAM_BASE / PAGE_BYTES;
	if (first < 0 || (uint64_t)first > PFN_MAX || !in_ram)
		return false;
	*rule = (struct rule){
	    at->less, (uint64_t)first, (uint32_t)offset, access->bytes, 1, access->kind != ACCESS_LOAD};
	return true;
}

static bool is_plausible(const struct detection *detection, const struct rule *rule)
{
	uint64_t first_pfn = rule->first_pfn;
	const struct symbol *end = types_symbol(detection->types, "end");

	return first_pfn == 0 || first_pfn == RAM_BASE / PAGE_BYTES ||
	       (end &&
		(first_pfn == end->address / PAGE_BYTES || first_pfn == end->address / PAGE_BYTES + 1));
}

static void vote(struct array *array, const struct rule *rule)
{
	for (size_t i = 0; i < array->nr_rules; i++) {
		struct rule *known = &array->rules[i];
		if (known->less == rule->less && known->first_pfn == rule->first_pfn &&
		    known->offset == rule->offset && known->bytes == rule->bytes) {
			known->votes++;
			known->stores += rule->stores;
			return;
		}
	}
	if (array->nr_rules < RULES_MAX)
		array->rules[array->nr_rules++] = *rule;
}

/* The array that an access means: the only one with a rule, or the only one with a plausible one. */
static void vote_access(struct detection *detection, struct arrays *arrays, const struct access *access)
{
	struct array *any = NULL, *plausible = NULL;
	struct rule rule, any_rule, plausible_rule;
	size_t nr_any = 0;

	for (size_t i = 0; i < arrays->nr; i++) {
		if (!rule_of(&arrays->list[i], access, &rule))
			continue;
		any = &arrays->list[i];
		any_rule = rule;
		nr_any++;
		if (is_plausible(detection, &rule)) {
			plausible = &arrays->list[i];
			plausible_rule = rule;
		}
	}
	if (plausible)
		vote(plausible, &plausible_rule);
	else if (nr_any == 1)
		vote(any, &any_rule);
}

static void vote_all(struct detection *detection, struct arrays *arrays)
{
	for (size_t i = 0; i < types_nr_functions(detection->types); i++) {
		const struct code_function *read =
		    code_of(detection->code, types_function_by_number(detection->types, i));
		for (size_t k = 0; k < read->nr_accesses; k++)
			vote_access(detection, arrays, &read->accesses[k]);
	}
}

/* The member of an element at this offset; NULL: there is none with a name. */
static const char *member_at(const struct type *element, uint32_t offset)
{
	for (size_t i = 0; i < type_nr_members(element); i++) {
		const struct member_of *member = type_member_by_number(element, i);
		if (member->offset == offset && *member->name && type_kind(member->type) == TYPE_INTEGER)
			return member->name;
	}
	return NULL;
}

/* Of several numbers in an element, the one that is called a count is meant. */
static bool is_called_count(const struct array *array, const struct rule *rule)
{
	const char *name = member_at(array->element, rule->offset);

	return name && (strcasestr(name, "ref") || strcasestr(name, "count") || strcasestr(name, "cnt"));
}

static struct rule *winner(struct array *array)
{
	struct rule *best = NULL;

	for (size_t i = 0; i < array->nr_rules; i++) {
		struct rule *rule = &array->rules[i];
		if (!rule->stores)
			continue;
		bool called = is_called_count(array, rule),
		     best_called = best && is_called_count(array, best);
		if (!best || called > best_called || (called == best_called && rule->votes > best->votes))
			best = rule;
	}
	return best;
}

/* ---- who writes it ---- */

static void writers_of(struct detection *detection, const struct array *array, const struct rule *rule,
		       struct functions *writers)
{
	for (size_t i = 0; i < types_nr_functions(detection->types); i++) {
		const struct function *function = types_function_by_number(detection->types, i);
		const struct code_function *read = code_of(detection->code, function);
		for (size_t k = 0; k < read->nr_accesses; k++) {
			const struct access *access = &read->accesses[k];
			struct rule found;
			if (access->kind == ACCESS_LOAD)
				continue;
			if (access_in(access, array->low, array->high) ||
			    (rule && rule_of(array, access, &found) && found.first_pfn == rule->first_pfn &&
			     found.less == rule->less))
				functions_add(writers, function);
		}
	}
}

/* Without a rule in the code: as many elements as QEMU's 128 MiB have pages, or as addresses up to their end. */
static bool rule_by_size(const struct detection *detection, const struct array *array, struct rule *rule)
{
	uint64_t ram_end = detection->ram_end ? detection->ram_end : RAM_BASE + (128ULL << 20);
	uint64_t pages = (ram_end - RAM_BASE) / PAGE_BYTES, up_to_end = ram_end / PAGE_BYTES;

	if (type_kind(array->element) != TYPE_INTEGER || (array->nr != pages && array->nr != up_to_end))
		return false;
	*rule = (struct rule){.first_pfn = array->nr == pages ? RAM_BASE / PAGE_BYTES : 0,
			      .bytes = (uint32_t)array->stride};
	return true;
}

/* ---- saying it ---- */

/* The variable at an address, for an expression. */
static char *variable_text(const struct detection *detection, uint64_t address)
{
	const struct global *global = types_global_at(detection->types, address);

	if (global && global->address == address && global->bytes == 8)
		return xstrdup(global->name);
	return xasprintf("u64[%#llx]", (unsigned long long)address);
}

static void set_relative_page(struct detection *detection, struct kd_item *item, uint64_t less,
			      uint64_t first)
{
	char *from = variable_text(detection, less);

	if (first)
		kd_set(item, "page", "%s+(i+%llu<<12)", from, (unsigned long long)first);
	else
		kd_set(item, "page", "%s+(i<<12)", from);
	free(from);
}

static void describe(struct detection *detection, const struct array *array, const struct rule *rule,
		     bool maybe, const struct functions *writers)
{
	char text[96], *names = functions_text(writers);
	bool record = type_kind(array->element) == TYPE_STRUCT;
	const char *member = record ? member_at(array->element, rule->offset) : NULL;
	char *subject = record ? xasprintf("%s[].%s", array->path, member) : xstrdup(array->path);

	if (!record || member) {
		struct kd_item *item =
		    kd_add(detection->kd, KD_COUNT, subject, "%s[%llu]; %s",
			   type_text(array->element, text, sizeof(text)), (unsigned long long)array->nr,
			   maybe ? "uncertain: the rule is a guess by its size"
				 : "indexed so by code that writes it");
		if (rule->less)
			set_relative_page(detection, item, rule->less, rule->first_pfn);
		else if (rule->first_pfn)
			kd_set(item, "page", "%#llx+(i<<12)",
			       (unsigned long long)(rule->first_pfn * PAGE_BYTES));
		else
			kd_set(item, "page", "i<<12");
		kd_set(item, "funcs", "%s", names);
		item->maybe = maybe;
	}
	free(subject);
	free(names);
}

/* ---- memory behind the kernel ---- */

/* Where the count of the first page behind the kernel's end lies, if the access is to counts of such pages. */
static bool is_behind_end(struct detection *detection, const struct access *access, uint64_t *low)
{
	const struct symbol *end = types_symbol(detection->types, "end");
	const struct value *at = &access->address;
	bool indexed = at->base == VALUE_UNKNOWN && !at->via && at->shift >= 10 && at->shift <= 12 &&
		       at->k >= (int64_t)access->bytes && at->k <= ELEMENT_BYTES_MAX;

	if (!end || !indexed || !detection->ram_end)
		return false;
	*low = (uint64_t)at->c + (at->less ? 0 : (uint64_t)at->k * (end->address / PAGE_BYTES + 1));
	return *low >= end->address && *low < detection->ram_end && *low % access->bytes == 0;
}

/* The first access to such counts by the allocator; NULL: there is none. */
static const struct access *find_behind_end(struct detection *detection, uint64_t *low)
{
	for (size_t i = 0; i < detection->allocator.nr; i++) {
		const struct code_function *read = code_of(detection->code, detection->allocator.list[i]);
		for (size_t k = 0; k < read->nr_accesses; k++) {
			if (read->accesses[k].kind != ACCESS_LOAD &&
			    is_behind_end(detection, &read->accesses[k], low))
				return &read->accesses[k];
		}
	}
	return NULL;
}

static void writers_behind_end(struct detection *detection, const struct access *found, uint64_t low,
			       struct functions *writers)
{
	for (size_t i = 0; i < types_nr_functions(detection->types); i++) {
		const struct function *function = types_function_by_number(detection->types, i);
		const struct code_function *read = code_of(detection->code, function);
		for (size_t k = 0; k < read->nr_accesses; k++) {
			const struct access *access = &read->accesses[k];
			uint64_t other;
			if (access->kind != ACCESS_LOAD && access->address.k == found->address.k &&
			    is_behind_end(detection, access, &other) && other == low)
				functions_add(writers, function);
		}
	}
}

static bool describe_behind_end(struct detection *detection)
{
	struct functions writers = {0};
	uint64_t low;
	const struct access *found = find_behind_end(detection, &low);

	if (!found)
		return false;
	writers_behind_end(detection, found, low, &writers);
	uint64_t page = (types_symbol(detection->types, "end")->address / PAGE_BYTES + 1) * PAGE_BYTES,
		 stride = (uint64_t)found->address.k;
	char *subject = xasprintf("%#llx", (unsigned long long)low), *names = functions_text(&writers);
	struct kd_item *item =
	    kd_add(detection->kd, KD_COUNT, subject,
		   "no variable, but memory behind the kernel; indexed so by code that writes it");
	if (found->address.less)
		set_relative_page(detection, item, found->address.less, 0);
	else
		kd_set(item, "page", "%#llx+(i<<12)", (unsigned long long)page);
	kd_set(item, "size", "%#llx",
	       (unsigned long long)((detection->ram_end - page) / PAGE_BYTES * stride));
	kd_set(item, "elem", "%u", found->bytes);
	if (stride != found->bytes)
		kd_set(item, "stride", "%llu", (unsigned long long)stride);
	kd_set(item, "funcs", "%s", names);
	free(subject);
	free(names);
	free(writers.list);
	return true;
}

static bool any_in(const struct functions *some, const struct functions *all)
{
	for (size_t i = 0; i < some->nr; i++) {
		if (functions_have(all, some->list[i]))
			return true;
	}
	return false;
}

void detect_counts(struct detection *detection)
{
	struct arrays arrays = {0};
	size_t described = 0;

	for (size_t i = 0; i < types_nr_globals(detection->types); i++) {
		const struct global *global = types_global_by_number(detection->types, i);
		add_arrays(&arrays, global->type, global->address, global->name, 0);
	}
	vote_all(detection, &arrays);
	for (size_t i = 0; i < arrays.nr; i++) {
		struct array *array = &arrays.list[i];
		struct rule *rule = winner(array), by_size;
		struct functions writers = {0};
		writers_of(detection, array, rule, &writers);
		bool of_allocator = any_in(&writers, &detection->allocator);
		if (rule && !detection->allocs.nr) {
			kd_note(detection->kd,
				"%s[%llu] is indexed by pages' addresses; what in it is a count is not "
				"known, as no "
				"allocator is",
				array->path, (unsigned long long)array->nr);
			described++;
		} else if (rule) {
			describe(detection, array, rule, !of_allocator && !is_plausible(detection, rule),
				 &writers);
			described++;
		} else if (of_allocator && rule_by_size(detection, array, &by_size)) {
			describe(detection, array, &by_size, true, &writers);
			described++;
		} else if (of_allocator) {
			kd_note(detection->kd,
				"%s[%llu] is written by the allocator; which element is which page's was not "
				"found: say `count %s page=…` if it holds counts",
				array->path, (unsigned long long)array->nr, array->path);
		}
		free(writers.list);
	}
	if (!described && !describe_behind_end(detection))
		kd_note(detection->kd,
			"no reference counts: no array is indexed by a page's address where it is written");
	free(arrays.list);
}
