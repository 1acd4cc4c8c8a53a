/* SPDX-License-Identifier: MIT */
/*
 * verify: the trace replayed against the memory that the machine left.
 *
 *   events   each hart recorded as many events as the trace holds
 *   pages    kind, order and count of every struct page
 *   buddy    the free lists: links both ways, alignment, orders, lengths; what is on them is what is free
 *   pcp      the per-hart caches: what is in them is what is parked
 *   slab     headers, counts, that the live objects are those of the trace, and how many references counted ones have
 *
 * Memory's own contradictions (buddy, pcp, parts of slab) hold whatever the trace says; the others need a whole trace.
 * Every walk is bounded by the number of pages: a looped list is a difference, not an endless loop.
 */
#ifndef TOOLS_ANALYSIS_VERIFY_H
#define TOOLS_ANALYSIS_VERIFY_H

#include "replay/model.h"
#include "target/guest.h"
#include "target/layout.h"

enum verify_part { VERIFY_EVENTS, VERIFY_PAGES, VERIFY_BUDDY, VERIFY_PCP, VERIFY_SLAB, VERIFY_NR };
const char *verify_part_text(enum verify_part part);

/* Of each part. */
#define DIFFERENCES_KEPT 200

struct difference {
	enum verify_part part;
	uint64_t pa; /* of the page or object; 0: none */
	char *text;
};

struct verify {
	const struct guest *guest;
	struct model *model;
	struct layout *layout;
	struct difference differences[VERIFY_NR * DIFFERENCES_KEPT];
	size_t nr_kept, nr_differences;
	size_t nr_by_part[VERIFY_NR];
	uint64_t looked[VERIFY_NR]; /* events, pages, free blocks, parked pages, objects */
};

/* guest has its desc. */
struct verify *verify_run(const struct guest *guest, struct model *model, struct layout *layout);
void verify_free(struct verify *verify);

/* ---- inside ---- */

void verify_note(struct verify *verify, enum verify_part part, uint64_t pa, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* A number in memory; dies when it is outside RAM, since then the kernel file is another's. */
uint64_t verify_read(const struct verify *verify, uint64_t pa, struct member member);
void verify_slabs(struct verify *verify, const uint8_t *kinds);

#endif
