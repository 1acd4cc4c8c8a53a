/* SPDX-License-Identifier: MIT */
/* The freemem and kdebug system calls. All counts are in pages of 4096 bytes unless named otherwise. */
#ifndef UAPI_FREEMEM_H
#define UAPI_FREEMEM_H

#include <stdint.h>

#define FREEMEM_VERSION 1

struct freemem {
	uint32_t size; /* in: sizeof(struct freemem); out: what the kernel filled */
	uint32_t version;
	uint64_t total; /* managed pages: kernel start to end of RAM; equals the sum of by_kind[] */
	uint64_t firmware;
	uint64_t free;              /* buddy and per-hart caches */
	uint64_t by_kind[16];       /* index: enum page_kind; [0] on buddy lists, [13] in per-hart caches */
	uint64_t by_order[11];      /* free blocks of 2^i pages */
	uint64_t per_hart[8];       /* pages in each hart's cache */
	uint64_t cached_dirty;      /* dirty page-cache pages */
	uint64_t struct_page_bytes; /* size of one struct page */
	uint64_t tracker_pages;     /* rings, depot, struct pages */
	uint64_t trace_recorded;    /* events */
	uint64_t trace_discarded;
	uint64_t trace_overwritten;
	uint64_t trace_stacks;
	uint64_t incidents; /* findings made at the moment of the fault, since boot */
	uint64_t nr_harts;
	uint64_t time; /* time CSR, 10 MHz */
};

enum kdebug_op {
	KDEBUG_LEAK_PAGES = 1,  /* arg pages are allocated and forgotten; returns how many */
	KDEBUG_DROP_CACHES = 2, /* write back, evict clean page cache, shrink slabs, drain per-hart caches */
	KDEBUG_AUDIT =
	    3, /* runs an audit (waits until the machine is quiescent); returns the number of findings, -EBUSY if it never is */
	KDEBUG_PANIC = 4,       /* arg: enum kdebug_panic; does not return */
	KDEBUG_TRACE_MASK = 5,  /* sets the category mask; returns the old one */
	KDEBUG_BENCH = 6,       /* arg: which; returns guest instructions: kernel/boot/bench.c */
	KDEBUG_FREE_LEAKED = 7, /* gives back what KDEBUG_LEAK_PAGES lost, so that a test can go on */
	KDEBUG_LEAK_OBJECTS = 8 /* arg objects of a debug cache are allocated and forgotten */
};

/* Argument of KDEBUG_BENCH. The result is guest instructions for 1000 operations; one hart, -icount. */
enum kdebug_bench {
	BENCH_RECORD_BARE = 1, /* one event without a stack */
	BENCH_RECORD_STACK,    /* one event with its stack */
	BENCH_PAGE_PAIR,       /* page_alloc and page_put of one page, poison included */
	BENCH_REF_PAIR,        /* page_get and page_put of a held page */
	BENCH_POISON           /* filling and checking one page, as a free and an allocation do */
};

/* Argument of KDEBUG_PANIC: what the kernel has in its hands when it panics. */
enum kdebug_panic {
	PANIC_PLAIN,  /* nothing */
	PANIC_PAGE,   /* about a page with two references, of which one was returned */
	PANIC_OBJECT, /* about an object that was freed */
	PANIC_FAULT,  /* an access to an address without memory, while a page is held */
	PANIC_FRAME   /* the same with a frame pointer that leads nowhere */
};

enum sbrk_mode { SBRK_EAGER = 1, SBRK_LAZY = 2 };
#define WNOHANG 1

#endif
