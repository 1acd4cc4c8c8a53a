/* SPDX-License-Identifier: MIT */
/*
 * ram_audit_lists: the free lists, as the kernel's memory has them. See ram_audit.h.
 *
 * A list ends at 0, at its own head (a ring), or, being damaged, at the first node that was seen in it before or that is
 * no page. Nodes are within the free pages, or members of struct page (link=). Heads are a variable's, or where a formula
 * says (at=): then each head is a node itself.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "ram_audit_priv.h"

/* One `list` of the description. */
struct list_form {
	const struct kd_item *item;
	struct place place;
	const char *at;      /* NULL: heads are at the place */
	uint64_t next, link; /* offsets */
	bool in_frames;      /* nodes are members of struct page */
	bool ring;           /* the head is a node itself */
};

/* Heads by a formula; offsets are numbers. */
static bool read_heads(struct ram_audit *audit, struct list_form *form)
{
	const char *next = kd_get(form->item, "next"), *link = kd_get(form->item, "link");

	form->at = kd_get(form->item, "at");
	form->ring = true;
	form->in_frames = link != NULL;
	return memory_value(audit, kd_get(form->item, "n"), 0, 0, &form->place.nr) &&
	       (!next || memory_value(audit, next, 0, 0, &form->next)) &&
	       (!link || memory_value(audit, link, 0, 0, &form->link));
}

static bool read_form(struct ram_audit *audit, const struct kd_item *item, struct list_form *form)
{
	const char *next = kd_get(item, "next"), *link = kd_get(item, "link");
	const struct type *node;
	char *error;

	*form = (struct list_form){.item = item};
	if (kd_get(item, "at"))
		return read_heads(audit, form);
	if (!place_find(audit->inside->types, item->subject, &form->place, &error)) {
		ram_audit_reason(audit, "%s", error);
		free(error);
		return false;
	}
	form->ring = type_kind(form->place.type) == TYPE_STRUCT;
	node = form->ring ? form->place.type : type_target(form->place.type);
	if (next && !type_member(node, next, &form->next)) {
		ram_audit_reason(audit, "the nodes of the list %s have no %s", item->subject, next);
		return false;
	}
	form->in_frames = link != NULL;
	return !link ||
	       type_member(describe_frame_type(audit->kernel->kd, audit->inside->types), link, &form->link);
}

/* How many pages a node of the list with this number stands for; "[1]" in the description is that number. */
static uint64_t node_pages(struct ram_audit *audit, const struct list_form *form, uint64_t number)
{
	const char *text = kd_get(form->item, "pages"), *mark = text ? strstr(text, "[1]") : NULL;
	uint64_t pages = 1;

	if (!text)
		return 1;
	char *plain = mark ? xasprintf("%.*si%s", (int)(mark - text), text, mark + 3) : xstrdup(text);
	if (!memory_value(audit, plain, number, 0, &pages))
		pages = 1;
	free(plain);
	return pages < audit->nr_pages ? pages : audit->nr_pages;
}

static void list_page(struct ram_audit *audit, const char *name, uint32_t first, uint64_t nr)
{
	for (uint64_t i = first; i < first + nr && i < audit->nr_pages; i++) {
		struct audited_page *page = &audit->pages[i];
		if (page->listed < UINT16_MAX)
			page->listed++;
		if (page->listed == 2)
			audit_note(audit, FAULT_FREE_TWICE, ram_audit_pa(audit, (uint32_t)i),
				   "it is on the free lists twice, again on %s", name);
	}
}

/* NULL, or why the node cannot be one. */
static const char *node_fault(const struct ram_audit *audit, const struct list_form *form, uint64_t node,
			      uint32_t page)
{
	if (page == NO_PAGE)
		return "which is no page of RAM";
	if (!form->in_frames && (node & (PAGE_BYTES - 1)) && !kd_get(form->item, "type"))
		return "which is not the beginning of a page";
	return NULL;
}

static void walk_list(struct ram_audit *audit, const struct list_form *form, uint64_t number)
{
	uint64_t head = form->place.address + number * form->place.stride, node,
		 pages = node_pages(audit, form, number), before = 0;
	bool found = !form->at || memory_value(audit, form->at, number, 0, &head);
	char *name = form->place.nr > 1 ? xasprintf("%s (number %" PRIu64 ")", form->item->subject, number)
					: xstrdup(form->item->subject);

	audit->inside->epoch++;
	if (!found || !memory_load(audit, form->ring ? head + form->next : head, 8, &node)) {
		ram_audit_reason(audit, "the free list %s is not in RAM", name);
		audit->inside->blind = "a free list could not be read";
		node = 0;
	}
	while (node && node != head) {
		uint64_t at = form->in_frames ? node - form->link : node;
		uint32_t page = memory_typed_page(
		    audit, form->in_frames ? "struct" : kd_get(form->item, "type"), "va", at);
		const char *fault = node_fault(audit, form, node, page);
		if (fault) {
			uint32_t behind = before ? memory_pointer(audit, before) : NO_PAGE;
			audit_note(audit, FAULT_LIST_BROKEN,
				   behind == NO_PAGE ? 0 : ram_audit_pa(audit, behind),
				   "%s: behind it the list goes to 0x%" PRIx64 ", %s", name, node, fault);
			break;
		}
		/* Of one list a page that is pushed twice makes a loop. */
		if (audit->inside->stamps[page] == audit->inside->epoch) {
			audit_note(audit, FAULT_FREE_TWICE, ram_audit_pa(audit, page),
				   "it is on %s twice, so that the list is a loop", name);
			break;
		}
		audit->inside->stamps[page] = audit->inside->epoch;
		list_page(audit, name, page, pages);
		before = node;
		if (!memory_load(audit, node + form->next, 8, &node))
			break;
	}
	free(name);
}

void lists_walk(struct ram_audit *audit)
{
	const struct kd_item *item;
	struct list_form form;
	size_t n = 0;

	for (; (item = kd_item(audit->kernel->kd, KD_LIST, n)); n++) {
		if (!read_form(audit, item, &form)) {
			audit->inside->blind = "a free list could not be read";
			continue;
		}
		for (uint64_t number = 0; number < form.place.nr; number++)
			walk_list(audit, &form, number);
	}
	if (n == 0) {
		ram_audit_reason(audit, "the description names no free list");
		audit->inside->blind = "no free list is described";
	}
	for (uint32_t i = 0; i < audit->nr_pages; i++)
		audit->nr_listed += audit->pages[i].listed != 0;
}
