/* SPDX-License-Identifier: MIT */
/*
 * detect_alloc: free lists, and the functions that take pages from them and put pages back.
 *
 * In kalloc.c of any xv6:   struct run { struct run *next; };   struct { struct spinlock lock; struct run *freelist; } kmem;
 *
 *     kfree    sd  head,0(page)        the link, into the page that is the argument
 *              sd  page,head
 *     kalloc   ld  page,head ... ret   given back
 *
 * A lab makes kmem an array, adds functions that move pages between its lists (they give back pages, too, but only the
 * allocator calls them), wraps kfree into one that counts, or has a second list for pages of 2 MiB.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "detect_priv.h"

/* A node of a free list has a link in front and little else; a buffer or a process has much. */
#define NODE_BYTES_MAX 32

/* ---- heads ---- */

static bool is_node(const struct type *type)
{
	if (type_kind(type) != TYPE_STRUCT || type_size(type) < 8 || type_size(type) > NODE_BYTES_MAX ||
	    type_nr_members(type) == 0)
		return false;
	const struct member_of *first = type_member_by_number(type, 0);
	return first->offset == 0 && type_kind(first->type) == TYPE_POINTER &&
	       type_same(type_target(first->type), type) && *type_name(type);
}

struct search {
	struct detection *detection;
	const struct global *global;
	uint64_t offset, stride, nr; /* of the array gone into, if any */
	char path[128];
};

static void search_heads(struct search *search, const struct type *type, int depth)
{
	struct detection *detection = search->detection;
	size_t used = strlen(search->path);

	if (depth > 4)
		return;
	switch (type_kind(type)) {
	case TYPE_POINTER:
		if (detection->nr_heads == HEADS_MAX || !is_node(type_target(type)))
			return;
		detection->heads[detection->nr_heads++] = (struct head){
		    .path = xstrdup(search->path),
		    .address = search->global->address + search->offset,
		    .stride = search->nr > 1 ? search->stride : 8,
		    .nr = search->nr,
		    .node = type_target(type),
		    .link = type_member_by_number(type_target(type), 0)->name,
		};
		return;
	case TYPE_ARRAY:
		/* One [] in a path: lists of lists are no free list of pages. */
		if (search->nr != 1 || type_count(type) == 0 || type_count(type) > 4096)
			return;
		snprintf(search->path + used, sizeof(search->path) - used, "[]");
		search->nr = type_count(type);
		search->stride = type_size(type_target(type));
		search_heads(search, type_target(type), depth + 1);
		search->nr = 1;
		break;
	case TYPE_STRUCT:
	case TYPE_UNION:
		for (size_t i = 0; i < type_nr_members(type); i++) {
			const struct member_of *member = type_member_by_number(type, i);
			search->offset += member->offset;
			if (*member->name)
				snprintf(search->path + used, sizeof(search->path) - used, ".%s",
					 member->name);
			search_heads(search, member->type, depth + 1);
			search->offset -= member->offset;
			search->path[used] = 0;
		}
		break;
	default:
		break;
	}
	search->path[used] = 0;
}

static void find_heads(struct detection *detection)
{
	for (size_t i = 0; i < types_nr_globals(detection->types); i++) {
		const struct global *global = types_global_by_number(detection->types, i);
		struct search search = {.detection = detection, .global = global, .nr = 1};
		snprintf(search.path, sizeof(search.path), "%s", global->name);
		search_heads(&search, global->type, 0);
	}
}

/* ---- who touches one ---- */

static bool is_of_head(const struct head *head, const struct value *address)
{
	uint64_t at = (uint64_t)address->c - head->address;

	return address->base != VALUE_FRAME && !address->via && at < head->stride * head->nr &&
	       at % head->stride == 0;
}

static bool reads_head(const struct head *head, const struct code_function *read)
{
	for (size_t i = 0; i < read->nr_accesses; i++) {
		if (is_of_head(head, &read->accesses[i].address))
			return true;
	}
	return false;
}

/* Handles nodes: through a pointer to the structure with the head, say. */
static bool has_nodes(const struct head *head, const struct function *function)
{
	for (size_t i = 0; i < function->nr_variables; i++) {
		const struct type *type = function->variables[i].type;
		if (type_kind(type) == TYPE_POINTER && type_same(type_target(type), head->node))
			return true;
	}
	return false;
}

static bool reads_another(const struct detection *detection, const struct head *head,
			  const struct code_function *read)
{
	for (size_t i = 0; i < detection->nr_heads; i++) {
		if (&detection->heads[i] != head && reads_head(&detection->heads[i], read))
			return true;
	}
	return false;
}

/* Functions that read or write it, and those of their file that handle its nodes without another list's head. */
static void find_touching(struct detection *detection, const struct head *head, struct functions *touching)
{
	for (size_t i = 0; i < types_nr_functions(detection->types); i++) {
		const struct function *function = types_function_by_number(detection->types, i);
		if (function->typed && reads_head(head, code_of(detection->code, function)))
			functions_add(touching, function);
	}
	size_t nr_direct = touching->nr;
	for (size_t i = 0; nr_direct && i < types_nr_functions(detection->types); i++) {
		const struct function *function = types_function_by_number(detection->types, i);
		if (function->typed && function->unit && touching->list[0]->unit &&
		    !strcmp(function->unit, touching->list[0]->unit) && has_nodes(head, function) &&
		    !reads_another(detection, head, code_of(detection->code, function)))
			functions_add(touching, function);
	}
}

/* Whether it stores to the first word of something that it has a pointer to. */
static bool stores_first_word(const struct code_function *read)
{
	for (size_t i = 0; i < read->nr_accesses; i++) {
		const struct access *access = &read->accesses[i];
		const struct value *at = &access->address;
		if (access->kind == ACCESS_STORE && access->bytes == 8 && at->base == VALUE_UNKNOWN &&
		    at->c == 0 && (at->k == 1 || (at->via && at->k == 0)) && at->shift == 0)
			return true;
	}
	return false;
}

/* The argument (0 to 7) whose first word it stores to, a page's; -1: none. */
static int pushed_argument(const struct code_function *read)
{
	for (size_t i = 0; i < read->nr_accesses; i++) {
		const struct access *access = &read->accesses[i];
		const struct value *at = &access->address;
		if (access->kind == ACCESS_STORE && access->bytes == 8 && at->base == VALUE_UNKNOWN &&
		    !at->via && at->x < 8 && at->k == 1 && at->shift == 0 && at->c == 0 &&
		    at->x < read->function->nr_parameters &&
		    is_pointer_sized(read->function->variables[at->x].type))
			return (int)at->x;
	}
	return -1;
}

static bool gives_pointer(const struct function *function)
{
	return is_pointer_sized(function->returns);
}

/* Whether somebody outside of the set calls it. */
static bool is_called_from_outside(struct detection *detection, const struct function *function,
				   const struct functions *set)
{
	struct functions callers = {0};
	bool outside = false;

	functions_calling(detection->code, function, false, &callers);
	for (size_t i = 0; i < callers.nr; i++)
		outside |= !functions_have(set, callers.list[i]);
	free(callers.list);
	return outside;
}

/*
 * A wrapper that everybody calls instead: the only caller, in the same unit and of the same form, and itself called by
 * others. Counting at the inner function would count steps of the wrapper, as a list that is tried and empty.
 */
static const struct function *outermost(struct detection *detection, const struct function *function,
					bool (*fits)(const struct function *))
{
	for (int depth = 0; depth < 4 && !is_named(function, "kalloc") && !is_named(function, "kfree");
	     depth++) {
		struct functions callers = {0};
		functions_calling(detection->code, function, false, &callers);
		const struct function *only = callers.nr == 1 ? callers.list[0] : NULL;
		free(callers.list);
		if (!only || !only->unit || !function->unit || strcmp(only->unit, function->unit) ||
		    !fits(only))
			break;
		function = only;
	}
	return function;
}

/* One page: a function that gives back a range of them calls its free in a loop, and takes two ends. */
static bool takes_one_pointer(const struct function *function)
{
	return function->nr_parameters == 1 && is_pointer_sized(function->variables[0].type);
}

static bool takes_pointer(const struct function *function)
{
	return function->nr_parameters > 0 && is_pointer_sized(function->variables[0].type);
}

/* Bytes of what is handed out: what the function fills with junk, memset(page, 1, 4096). 0: it does not. */
static uint64_t filled_bytes(struct detection *detection, const struct function *function)
{
	const struct code_function *read = code_of(detection->code, function);

	for (size_t i = 0; i < read->nr_calls; i++) {
		const struct function *callee = types_function_at(detection->types, read->calls[i].target);
		const struct value *bytes = &read->calls[i].arguments[2];
		if (callee && is_named(callee, "memset") && bytes->base == VALUE_CONST && bytes->c > 0 &&
		    bytes->c % (int64_t)PAGE_BYTES == 0)
			return (uint64_t)bytes->c;
	}
	return 0;
}

/* ---- choosing ---- */

/* Of several, the one with the name that all xv6 have, else one whose name says it, else none is preferred. */
static int name_rank(const struct function *function, const char *usual, const char *part)
{
	return is_named(function, usual) ? 2 : strstr(function->name, part) != NULL;
}

static const struct function *choose(const struct functions *candidates, const char *usual, const char *part,
				     bool *unclear)
{
	const struct function *best = NULL;
	int best_rank = -1;

	*unclear = false;
	for (size_t i = 0; i < candidates->nr; i++) {
		int rank = name_rank(candidates->list[i], usual, part);
		if (rank == best_rank)
			*unclear = true;
		if (rank > best_rank) {
			best = candidates->list[i];
			best_rank = rank;
			*unclear = false;
		}
	}
	return best;
}

static void find_alloc(struct detection *detection, struct head *head, const struct functions *touching,
		       bool *unclear)
{
	struct functions candidates = {0};

	for (size_t i = 0; i < touching->nr; i++) {
		const struct function *function = touching->list[i];
		if (!gives_pointer(function) || pushed_argument(code_of(detection->code, function)) >= 0)
			continue;
		function = outermost(detection, function, gives_pointer);
		if (is_called_from_outside(detection, function, touching))
			functions_add(&candidates, function);
	}
	head->alloc = choose(&candidates, "kalloc", "alloc", unclear);
	free(candidates.list);
}

static void find_free(struct detection *detection, struct head *head, const struct functions *touching,
		      bool *unclear)
{
	struct functions candidates = {0};

	for (size_t i = 0; i < touching->nr; i++) {
		const struct function *function = touching->list[i];
		if (pushed_argument(code_of(detection->code, function)) < 0)
			continue;
		function = outermost(detection, function, takes_one_pointer);
		if (takes_pointer(function) && is_called_from_outside(detection, function, touching))
			functions_add(&candidates, function);
	}
	head->free = choose(&candidates, "kfree", "free", unclear);
	free(candidates.list);
}

/*
 * Code whose store into a page's first word is a push: the free function, what it calls, and what inlined it (the boot's
 * freerange). Not what the allocator moves from list to list.
 */
static void find_pushing(struct detection *detection, const struct head *head,
			 const struct functions *touching, struct functions *pushing)
{
	struct functions of_free = {0}, of_alloc = {0};

	functions_called(detection->code, head->free, &of_free);
	functions_called(detection->code, head->alloc, &of_alloc);
	functions_add(pushing, head->free);
	for (size_t i = 0; i < touching->nr; i++) {
		const struct function *function = touching->list[i];
		bool frees = functions_have(&of_free, function);
		if (function != head->alloc && (frees || !functions_have(&of_alloc, function)) &&
		    stores_first_word(code_of(detection->code, function)))
			functions_add(pushing, function);
	}
	functions_add(&detection->allocator, head->alloc);
	functions_add(&detection->allocator, head->free);
	for (size_t i = 0; i < of_alloc.nr; i++)
		functions_add(&detection->allocator, of_alloc.list[i]);
	for (size_t i = 0; i < of_free.nr; i++)
		functions_add(&detection->allocator, of_free.list[i]);
	for (size_t i = 0; i < touching->nr; i++)
		functions_add(&detection->allocator, touching->list[i]);
	free(of_free.list);
	free(of_alloc.list);
}

/* ---- saying it ---- */

static void describe_alloc(struct detection *detection, const struct head *head, uint64_t bytes, bool unclear)
{
	char text[96];
	bool first = !functions_have(&detection->allocs, head->alloc);

	if (!first)
		return;
	functions_add(&detection->allocs, head->alloc);
	struct kd_item *item =
	    kd_add(detection->kd, KD_ALLOC, head->alloc->name, "returns %s, takes %s; pops %s%s",
		   type_text(head->alloc->returns, text, sizeof(text)),
		   head->alloc->nr_parameters ? "arguments" : "nothing", head->path,
		   unclear ? "; uncertain: others have this form, too" : "");
	item->maybe = unclear;
	if (bytes > PAGE_BYTES)
		kd_set(item, "count", "%llu", (unsigned long long)(bytes / PAGE_BYTES));
	/* An allocator that falls back on another one hands out one page, not two. */
	for (size_t i = 0; i < detection->allocs.nr; i++) {
		const struct function *outer = detection->allocs.list[i];
		if (outer != head->alloc && code_calls(detection->code, outer, head->alloc))
			kd_set(item, "notinside", "%s", outer->name);
	}
}

static void describe_free(struct detection *detection, const struct head *head,
			  const struct functions *touching, uint64_t bytes, bool unclear)
{
	struct functions pushing = {0};

	if (functions_have(&detection->frees, head->free))
		return;
	functions_add(&detection->frees, head->free);
	find_pushing(detection, head, touching, &pushing);
	char *names = functions_text(&pushing);
	struct kd_item *item = kd_add(detection->kd, KD_FREE, head->free->name,
				      "takes a pointer; stores %s's link into the page%s", head->path,
				      unclear ? "; uncertain: others have this form, too" : "");
	item->maybe = unclear;
	if (bytes > PAGE_BYTES)
		kd_set(item, "count", "%llu", (unsigned long long)(bytes / PAGE_BYTES));
	kd_set(item, "push", "%s", names);
	free(names);
	free(pushing.list);
}

/* Pages, not objects: filled as whole pages, called so, or RAM is handed over to it at boot. */
static bool handles_pages(struct detection *detection, const struct head *head, uint64_t *bytes)
{
	*bytes = filled_bytes(detection, head->free);
	if (!*bytes)
		*bytes = filled_bytes(detection, head->alloc);
	if (*bytes)
		return true;
	*bytes = PAGE_BYTES;
	return is_named(head->alloc, "kalloc") || is_named(head->free, "kfree");
}

static bool describe_head(struct detection *detection, struct head *head)
{
	struct functions touching = {0};
	bool unclear_alloc = false, unclear_free = false, described = false;
	uint64_t bytes;

	find_touching(detection, head, &touching);
	if (touching.nr) {
		find_alloc(detection, head, &touching, &unclear_alloc);
		find_free(detection, head, &touching, &unclear_free);
	}
	if (head->alloc && head->free && handles_pages(detection, head, &bytes)) {
		describe_alloc(detection, head, bytes, unclear_alloc);
		describe_free(detection, head, &touching, bytes, unclear_free);
		struct kd_item *item =
		    kd_add(detection->kd, KD_LIST, head->path, "%s of struct %s, linked by its first member",
			   head->nr > 1 ? "lists" : "list", type_name(head->node));
		kd_set(item, "next", "%s", head->link);
		if (bytes > PAGE_BYTES)
			kd_set(item, "pages", "%llu", (unsigned long long)(bytes / PAGE_BYTES));
		described = true;
	} else if (touching.nr) {
		kd_note(detection->kd, "%s looks like a list of struct %s, but %s", head->path,
			type_name(head->node),
			!head->alloc  ? "nothing that others call frees what is allocated from it"
			: !head->free ? "nothing that others call puts its argument into it"
				      : "what is in it is not known to be pages");
	}
	free(touching.list);
	return described;
}

/* Without a list of a known form: the two functions that all xv6 have, as a guess. */
static void describe_by_name(struct detection *detection)
{
	const struct function *alloc = types_function(detection->types, "kalloc"),
			      *release = types_function(detection->types, "kfree");

	if (!alloc || !release || !gives_pointer(alloc) || !takes_pointer(release)) {
		kd_note(detection->kd,
			"no allocator of pages was found: no variable points to a list of free pages that a "
			"function takes from and another adds its argument to");
		return;
	}
	functions_add(&detection->allocs, alloc);
	functions_add(&detection->frees, release);
	functions_add(&detection->allocator, alloc);
	functions_add(&detection->allocator, release);
	functions_called(detection->code, alloc, &detection->allocator);
	functions_called(detection->code, release, &detection->allocator);
	kd_add(detection->kd, KD_ALLOC, alloc->name, "by its name; no free list of a known form")->maybe =
	    true;
	kd_add(detection->kd, KD_FREE, release->name, "by its name; no free list of a known form")->maybe =
	    true;
}

void detect_allocator(struct detection *detection)
{
	size_t described = 0;

	find_heads(detection);
	/* The list of single pages first: what falls back on it, or it on, is told against it. */
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < detection->nr_heads; i++) {
			struct head *head = &detection->heads[i];
			const struct function *usual = types_function(detection->types, "kalloc");
			bool main_list = usual && reads_head(head, code_of(detection->code, usual));
			if (main_list == (pass == 0))
				described += describe_head(detection, head);
		}
	}
	if (!described)
		describe_by_name(detection);
}
