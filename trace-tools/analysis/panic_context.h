/* SPDX-License-Identifier: MIT */
/*
 * panic_context: the pages and objects that a panicking kernel had in its hands, with what memory and trace say of them.
 *
 * Sought in this order, each thing once:
 *   - what the panic names (panic_info.subject);
 *   - what the last incidents were about (freed twice, free page written, ...): a panic often follows one;
 *   - after a page fault, the tables of the walk that failed;
 *   - pointers in the panicking hart's registers, then in the stack frames of the panicking call chain. A pointer counts when
 *     it leads to a struct page, into the linear map, or into a slab object; image, metadata, trace and ramdisk do not count.
 *
 * Words on a stack may be old: `found` says where each thing was seen, so that the reader can judge.
 */
#ifndef TOOLS_ANALYSIS_PANIC_CONTEXT_H
#define TOOLS_ANALYSIS_PANIC_CONTEXT_H

#include "replay/model.h"
#include "target/image.h"
#include "target/layout.h"

/* Where it was seen: what the panic names. */
#define PANIC_CONTEXT_NAMED "named by the panic"

struct panic_context_event {
	struct trace_record record;
	uint32_t hart;
};

struct panic_context {
	bool object;
	uint32_t pfn;          /* of the page, the head of its block; of an object, its slab's page */
	uint64_t address;      /* kernel address of the object, of the page's first byte */
	uint32_t object_bytes; /* objects only */
	char cache[24];        /* objects only */
	char found[80];        /* "named by the panic", "in s1", "on the stack of sys_read" */
	/* what memory says of the page; of an object, `live` only */
	uint8_t kind, order;
	int32_t count;
	bool live;
	const struct trace_record *incident; /* the last finding about it before the end, or NULL */
	struct panic_context_event *events;  /* all of it in the trace, by time */
	size_t nr, capacity;
};

struct panic_contexts {
	struct panic_context *list;
	size_t nr, capacity;
};

/* layout: the kernel's, by which memory is read. Everything found is freed by panic_contexts_free. */
void panic_contexts_find(struct panic_contexts *found, const struct guest *guest,
			 const struct panic_state *panic, struct symbols *symbols, const struct model *model,
			 struct layout *layout);
void panic_contexts_free(struct panic_contexts *found);

#endif
