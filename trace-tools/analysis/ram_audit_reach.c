/* SPDX-License-Identifier: MIT */
/*
 * ram_audit_reach: the pages that a pointer leads to, and those that they lead to. See ram_audit.h.
 *
 * A page that a plain pointer leads to may hold further pointers, and is looked through word by word; where the pointer
 * has a type, arrays of small numbers in it (text, user data in a pipe) are left out. Pages that are only mapped are not
 * looked through: their words are a program's.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "ram_audit_priv.h"

#define WORDS (PAGE_BYTES / 8)

/* ---- words ---- */

void reach_word(struct ram_audit *audit, uint64_t word, struct page_holder holder, const struct type *type)
{
	struct ram_audit_inside *inside = audit->inside;
	uint32_t page = memory_pointer(audit, word);

	if (page == NO_PAGE || audit->pages[page].listed || !audit->pages[page].managed)
		return;
	/* The same page by another pointer: what that type leaves out may be the first one's. Once is enough. */
	if (!audit_hold(audit, page, holder))
		return;
	struct audit_task task = {page, type, (uint32_t)(word & (PAGE_BYTES - 1))};
	if (memory_is_frame(audit, word))
		task = (struct audit_task){.page = page};
	ARRAY_PUSH(inside->tasks, inside->nr_tasks, inside->tasks_capacity) = task;
}

/* ---- what no pointer can be in ---- */

struct mask {
	bool text[WORDS]; /* no pointer can be there */
	uint32_t offset;
};

static bool mask_leaf(void *context, const struct type_leaf *leaf)
{
	struct mask *mask = context;
	const struct type *element = type_kind(leaf->type) == TYPE_ARRAY ? type_target(leaf->type) : NULL;
	uint64_t from = mask->offset + leaf->offset, to = from + type_size(leaf->type);

	if (element && type_size(element) < 8)
		for (uint64_t word = (from + 7) / 8; word < to / 8 && word < WORDS; word++)
			mask->text[word] = true;
	return true;
}

static uint64_t frame_of(const struct ram_audit *audit, uint64_t pa)
{
	return audit->inside->frames +
	       ((pa - audit->inside->frames_pa) >> PAGE_SHIFT) * audit->inside->frame_bytes;
}

/* A member of a page's struct page, or "cache->size", one of what it points to. */
static bool frame_member(const struct ram_audit *audit, uint64_t frame, const char *path, uint64_t *value)
{
	const char *arrow = strstr(path, "->");
	char *first = xasprintf("%.*s", arrow ? (int)(arrow - path) : (int)strlen(path), path);
	uint64_t offset;
	const struct type *type =
	    type_member(describe_frame_type(audit->kernel->kd, audit->inside->types), first, &offset);
	bool found = type && memory_load(audit, frame + offset, type_size(type), value);

	free(first);
	if (!found || !arrow)
		return found;
	type = type_member(type_target(type), arrow + 2, &offset);
	return type && memory_load(audit, *value + offset, type_size(type), value);
}

/* Free objects of a slab keep what their last user wrote. Each must lie in the page as an object does, or none counts. */
static void mask_free_objects(struct ram_audit *audit, uint64_t pa, struct mask *mask)
{
	const struct kd_item *item = kd_item(audit->kernel->kd, KD_SLAB, 0);
	uint64_t frame = frame_of(audit, pa), node, size, used;
	bool text[WORDS];

	if (!item || !memory_is_frame(audit, frame) ||
	    !frame_member(audit, frame, kd_get(item, "used"), &used) || !used ||
	    !frame_member(audit, frame, kd_get(item, "free"), &node) ||
	    !frame_member(audit, frame, kd_get(item, "size"), &size) || size < 8 || size > PAGE_BYTES)
		return;
	memcpy(text, mask->text, sizeof(text));
	while (node) {
		uint64_t offset = memory_pa(audit, node) - pa;
		if (offset >= PAGE_BYTES || offset % size || offset + size > PAGE_BYTES || text[offset / 8])
			return;
		for (uint64_t word = offset / 8; word < (offset + size) / 8; word++)
			text[word] = true;
		if (!memory_load(audit, node, 8, &node))
			return;
	}
	memcpy(mask->text, text, sizeof(text));
}

/* ---- looking through ---- */

/* A link by which pages hang in a registry: it leads to pages that are not held by this one. */
static bool is_registry_link(const struct ram_audit *audit, uint64_t offset)
{
	const struct kd *kd = audit->kernel->kd;
	const struct type *frame = describe_frame_type(kd, audit->inside->types);
	const struct kd_item *item;
	uint64_t link;

	for (size_t n = 0; (item = kd_item(kd, KD_WEAK, n)); n++) {
		const char *path = kd_get(item, "link");
		const struct type *type = path && frame ? type_member(frame, path, &link) : NULL;
		if (type && offset - link < type_size(type))
			return true;
	}
	return false;
}

/* The page's struct page leads on, where pages are in lists. */
static void look_at_frame(struct ram_audit *audit, uint64_t pa)
{
	const struct ram_audit_inside *inside = audit->inside;
	uint64_t frame = frame_of(audit, pa), word;

	if (!memory_is_frame(audit, frame))
		return;
	for (uint64_t at = frame; at + 8 <= frame + inside->frame_bytes; at += 8) {
		if (!is_registry_link(audit, at - frame) && memory_load(audit, at, 8, &word))
			reach_word(audit, word, (struct page_holder){HOLD_PAGE, NULL, pa}, NULL);
	}
}

static void look_through(struct ram_audit *audit, const struct audit_task *task)
{
	uint64_t pa = ram_audit_pa(audit, task->page), word;
	struct mask mask = {.offset = task->offset};

	if (audit->pages[task->page].table)
		return;
	/* One that exec() or fork() was building when its process went to sleep: only its stack leads to it. */
	bool may_be_table = audit->inside->guess_tables || audit->pages[task->page].holder.kind == HOLD_STACK;
	if (may_be_table && tables_look_like(audit, pa)) {
		tables_walk(audit, audit_name(audit, xasprintf("table 0x%" PRIx64, pa)), pa, false);
		return;
	}
	if (task->type && type_kind(task->type) == TYPE_STRUCT)
		type_walk(task->type, mask_leaf, &mask);
	mask_free_objects(audit, pa, &mask);
	look_at_frame(audit, pa);
	for (uint32_t i = 0; i < WORDS; i++) {
		if (!mask.text[i] && memory_read(audit, pa + i * 8, 8, &word))
			reach_word(audit, word, (struct page_holder){HOLD_PAGE, NULL, pa + i * 8}, NULL);
	}
}

void reach_rest(struct ram_audit *audit)
{
	struct ram_audit_inside *inside = audit->inside;

	for (size_t i = 0; i < inside->nr_tasks; i++) {
		const struct audit_task task = inside->tasks[i];
		look_through(audit, &task);
	}
	inside->nr_tasks = 0;
}
