/* SPDX-License-Identifier: MIT
 *
 * pages: what is known of each page of RAM while the guest runs, and the events that follow from it.
 *
 * The callbacks say "page p was handed out", "page p entered the free list", "the count of p became 3". This file
 * keeps the state that turns those into events of the trace, and notices what cannot be, if the description is right:
 *
 *	unseen --free--> free --alloc--> allocated --free--> free …
 *	unseen --alloc--> allocated		the boot filled the lists without the hooks
 *
 * An example of why counts need it: a kalloc that sets the count to 1 before it returns would give a `page_get` of a page
 * that is not allocated yet. Here such a change only sets the count with which the page_alloc will come.
 *
 * PAGES-1  State, count and the time of an event change together under the page's lock: the events of one page, in the order
 *          of their times, are a chain in which each `before` is the `after` of its predecessor.
 * PAGES-2  A contradiction (handed out twice, freed when not allocated) is counted and kept with its stack, never mended.
 * PAGES-3  Count changes of pages that are not allocated give no events, but the next page_alloc comes with that count: some
 *          kernels count their own mapping of all RAM, so that a free page's count is 1.
 */
#ifndef PLUGIN_PAGES_H
#define PLUGIN_PAGES_H

#include <stdbool.h>
#include <stdint.h>

enum page_state { PAGE_UNSEEN, PAGE_FREE, PAGE_ALLOCATED };

enum anomaly {
	ANOMALY_HANDED_OUT_TWICE,
	ANOMALY_FREED_TWICE,
	ANOMALY_PUT_OF_FREE_PAGE, /* or a get */
	ANOMALY_UNALIGNED,
	ANOMALY_OUTSIDE_RAM,
	ANOMALY_NR,
};

struct anomaly_sample {
	uint64_t time, pa;
	uint32_t stack;
	char hook[32];
};
#define SAMPLES_MAX 8
struct anomaly_list {
	const char *name;
	uint64_t nr;
	struct anomaly_sample samples[SAMPLES_MAX];
};

/* Who does what, for an event. */
struct act {
	unsigned hart;
	uint32_t stack;
	uint16_t pid;
	const char *hook;
	/* alloc: time of the call's entry. A page that an inner hook handed out since then is the same allocation. */
	uint64_t since;
};

/* False: no memory for the table of `bytes` of RAM. */
bool pages_init(uint64_t ram_base, uint64_t ram_bytes);
bool pages_managed(uint64_t pa); /* RAM */
enum page_state pages_state(uint64_t pa);
uint64_t pages_allocated_at(uint64_t pa); /* time of its last allocation; 0: none */

/* `nr` pages from pa on. Anything but whole pages of RAM is an anomaly and gives no event. */
void pages_alloc(const struct act *act, uint64_t pa, uint64_t nr);
void pages_free(const struct act *act, uint64_t pa, uint64_t nr);
/* Functions that take or return references; the count is kept here. */
void pages_get(const struct act *act, uint64_t pa, uint64_t nr);
void pages_put(const struct act *act, uint64_t pa, uint64_t nr);
/* A count in the guest's memory became `after`; `add`: by an atomic addition of `after` to what it was. */
void pages_count(const struct act *act, uint64_t pa, uint64_t *shadow, uint64_t after, uint64_t mask,
		 bool add);
void pages_mapped(const struct act *act, bool mapped, uint64_t pa, uint64_t va_page, uint16_t root);
void pages_written(const struct act *act, uint64_t pa, uint64_t before, uint64_t after);

/* For check-writes: is the page free? Cheap. pages_popped: an allocator writes to it, so it is free no more. */
bool pages_is_free(uint64_t pa);
void pages_popped(uint64_t pa);

const struct anomaly_list *pages_anomalies(void);
uint64_t pages_in_state(enum page_state state);

#endif
