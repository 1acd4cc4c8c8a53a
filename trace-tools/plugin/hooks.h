/* SPDX-License-Identifier: MIT
 *
 * hooks: what to watch in a kernel that is not ours, as numbers.
 *
 * The plugin knows no symbol, no type and no name of any kernel: `pagetrail describe` looks all of that up in the ELF
 * and writes a *hooks file*; the plugin reads it before the guest starts. One item a line, `#` begins a comment, the
 * rest is `key=value` in any order, no blank inside a value (but for regular expressions, which run to the end of the
 * line). Numbers are decimal or 0x hexadecimal. An example, xv6 with a count array:
 *
 *	ram base=0x80000000
 *	text lo=0x80000000 hi=0x80008000
 *	map va=0x80000000 pa=0x80000000 size=0x8000000
 *	stack base=0x80000000 size=4096
 *	pid at=u32[u64[0x80010e50+hart*0x88]+0x30]
 *	alloc name=kalloc entry=0x80000ad8
 *	free name=kfree entry=0x800009cc push=0x800009cc-0x80000a5c
 *	count name=refcnt lo=0x80011000 hi=0x80031000 elem=4 page=0x80000000+(i<<12) funcs=0x800009cc-0x80000ad8
 *	console uart=0x10000000 funcs=0x80000600-0x80000700
 *	mark begin=^test ([^:]+):
 *	mark end=OK$
 *
 * Items
 *
 * ram base=N                   where RAM begins, physical (default 0x80000000); its size is asked of QEMU
 * text lo=N hi=N               virtual addresses of the kernel's code; several lines allowed, the first is the main one
 * map va=N pa=N size=N         linear mappings, for speed; everything else goes through QEMU's page-table walk
 * pages base=E stride=N pa=N   the array of struct page; base may be read from memory (u64[0x…]); needed for type=struct
 * stack base=N size=N top=N    frames are stored as address - base (32 bits); size of a kernel stack (4096); most frames (12);
 *                              unwind=fp (default) or none: a kernel without frame pointers shows the direct caller alone
 * pid at=E                     the process that runs on this hart, or 0
 * trap lo=N hi=N pc=E fp=E     a return address in [lo, hi) is the kernel's trap entry: the stack goes on at pc, with fp.
 *                              `frame` is the frame pointer of the function that the trap entry called (its stack
 *                              pointer there), so the saved registers are at frame + offset: pc=u64[frame+0]
 * alloc name=W entry=N …       hands pages out. At its return: page=E (default `ret`), count=E pages (1), fail=N the
 *                              raw value of a failed call (0). Several lines may share a name (clones)
 * free name=W entry=N …        page=E (default a0), count=E (1). With push=LO-HI,… the call alone means nothing: the store
 *                              of a list link (0 or a page's address, 8 bytes) to the head of a page within these
 *                              ranges of code is the free, of as many pages as a constant count says
 * get / put name=W entry=N …   a reference is taken / returned: page=E (a0), count=E (1: pages, each one reference); for
 *                              follow, of alloc too: ref=E and holder=E (0) tell references apart, freed=E, at the return, whether the
 *                              page (of this put: count=E pages) is free
 * count name=W lo=N hi=N …     an array of counts. elem=1|2|4|8 bytes, at off=N in every stride=N bytes (stride
 *                              defaults to elem); page=E of element `i`; funcs=LO-HI,… code whose stores and atomics
 *                              may touch it (without: all of text, slow); value=E the count, from `v`
 *                              Instead of lo and hi: in=struct, a member of the `pages` array, at off=N
 * state name=W lo=N hi=N …     an array of words like count, whose change means more: alloc=E and free=E are conditions
 *                              on `old` and `v`; whichever becomes true allocates or frees that page
 * pte funcs=LO-HI,… levels=N   code that writes page-table entries: stores of 8 bytes there whose value, old or new, is a
 *                              valid leaf; levels of the tables (3: Sv39)
 * check writers=LO-HI,…        code that may write into free pages (list links of the allocator), for check-writes
 * console sbi                  the SBI console: legacy putchar and DBCN
 * console uart=N funcs=…       stores to the UART's transmit register at virtual address N, in this code; or pa=N, where
 *                              the kernel maps it as it likes
 * hold entry=N until=E         at this function's entry the machine stands still until the formula, of memory alone, is not 0
 * objalloc name=W entry=N …    hands an object out: page=E (ret) is its virtual address, size=E its bytes
 * objfree name=W entry=N …     takes it back: page=E (a0)
 * objget / objput name=W …     a reference to an object is taken / returned: page=E (a0) is its virtual address; ref=E and holder=E
 *                              as of get; at=E, where the structure that holds it is, if that is an address. For follow alone, like objalloc and objfree
 * follow window=N switch=LO-HI pointers are followed (follow.h): what a kernel stack's address is aligned to at least
 *                              (size of a stack), and the code that saves and loads registers when stacks are switched
 * follow page=N, object=N, reference=N, objref=N, all=1
 *                              what is followed: lives of the page at this physical address, of the object at this virtual
 *                              address, references to the page, to the object; several lines allowed
 * follow freed=N, freedobj=N   a page (physical address) or object (virtual) that is freed too early (freed.h); with all=1 any is
 * follow pattern=N             a word that the allocator fills free memory with
 * follow lost=1                at the end only what nothing leads to is told (reach.h)
 * follow lasting=MASK          bit n: references with ref=n outlive the call that got them (held by a structure, not by a task)
 * weak …                       a registry: pointers there keep nothing alive (weak.h)
 * func entry=N args=N …        a function, with how many of a0 to a3 are arguments (4); flags, 1 each: observer (what it does with
 *                              pointers is looking; 2: even with what was allocated in it), transparent (memcpy: being given a pointer says nothing), trap (the
 *                              kernel is entered from user mode here), works (called by an observer, it looks no more: the scheduler does others' work on
 *                              the stack of a reader that waits, an interrupt on any), stackend (a0 is a stack that nobody is on any more);
 *                              s0=N to s3=N: that argument points to a structure of so many bytes
 * mark begin=REGEX             POSIX extended, matched on a console line as far as it has come, after every byte; fires
 * mark end=REGEX               once a line. Group 1 (else all that matched) is the name; but an `end` has the name of the last
 *                              `begin`, if there was one; then it fires only where a test is open
 * mark line=REGEX              begins a test, too; matched when its line is whole. The line that ends such a test may look
 *                              like one that begins it (`test mmap`, then `test mmap: OK`): `begin` does not fire then
 * mark panic=REGEX             matched when its line is whole
 *
 * Keys that alloc, free, get, put, count and state share
 *
 * type=va|pa|pfn|struct        what the page expression gives (default va for calls, pa for arrays)
 * each=E n=E link=N            several pages in one call: with n, `each` is the address of an array of n values of 8 bytes;
 *                              with link, the address of a list head (next first) whose nodes sit at offset link in
 *                              what is listed. Each value or node is then the page, by type, and `v` in count
 * when=E                       of calls: it counts only where this is not 0; of an alloc E may ask for `ret`
 * notinside=W,W                the call does not count inside a call of one of these hooks (on the same stack)
 * also=N,N                     entries of functions that jump to this one at their end: their callers are return sites, too
 * ret=N,N                      accepted, not needed: returns are caught where the caller goes on
 *
 * Expressions: numbers, registers by their ABI names (at the entry of the function; of the store), `ret` (a0 at the
 * return), `hart`, `i`, `v`, `old`, `frame`; u8[E] u16[E] u32[E] u64[E] read guest memory; ( ) and C's operators
 * * / % + - << >> < <= > >= == != & ^ | with C's precedence, unary - and ~. A load that fails makes the whole invalid:
 * the call is counted as a miss, never guessed.
 *
 * Rules
 * HOOKS-1  Nothing after `hooks_read` changes this structure: callbacks of all harts read it without a lock.
 * HOOKS-2  A line that is not understood refuses the run: better no trace than one of something else.
 */
#ifndef PLUGIN_HOOKS_H
#define PLUGIN_HOOKS_H

#include <regex.h>
#include <stdbool.h>
#include <stdint.h>

#include "expr.h"

#define HOOKS_MAX 64   /* calls; their numbers fit a mask of 64 bits */
#define ARRAYS_MAX 16  /* count and state */
#define RANGES_MAX 256 /* of one list */
#define MAPS_MAX 8
#define MARKS_MAX 16
#define HOLDS_MAX 8
#define WEAK_MAX 128
#define NAME_BYTES 32

struct range {
	uint64_t lo, hi;
};

struct ranges {
	uint32_t nr;
	struct range *at;
};

enum page_type { TYPE_VA, TYPE_PA, TYPE_PFN, TYPE_STRUCT };
enum hook_kind {
	HOOK_ALLOC,
	HOOK_FREE,
	HOOK_GET,
	HOOK_PUT,
	HOOK_OBJALLOC,
	HOOK_OBJFREE,
	HOOK_OBJGET,
	HOOK_OBJPUT
};
#define HOOK_KINDS (HOOK_OBJPUT + 1)

/* How an item finds its pages. */
struct pages_of {
	enum page_type type;
	struct expr page, each, nr;
	int64_t link; /* of list nodes; -1: `each` is an array */
};

struct hook {
	enum hook_kind kind;
	char name[NAME_BYTES];
	uint64_t entry;
	struct pages_of pages;
	struct expr count, when;
	uint64_t fail;
	struct expr size;               /* of an object */
	struct expr ref, holder, freed; /* of get and put, for follow.h */
	struct expr at;                 /* of objget: the structure that holds it */
	struct ranges push;
	struct ranges also;  /* lo of each is an entry */
	uint64_t not_inside; /* mask of hooks */
	bool tracked;        /* its return is waited for */
	char inside_names[128];
};

struct array {
	bool is_state, in_struct;
	char name[NAME_BYTES];
	uint64_t lo, hi;
	uint32_t elem, offset, stride;
	struct pages_of pages;
	struct expr value, alloc, free;
	bool plain; /* the count is what stands in memory */
	struct ranges funcs;
};

struct linear_map {
	uint64_t va, pa, size;
};

struct trap_entry {
	uint64_t lo, hi;
	struct expr pc, fp;
};

/* A function of the kernel, for follow.h. */
struct function_hook {
	uint64_t entry;
	uint8_t arguments;      /* in a0 to a3 */
	uint16_t structures[4]; /* bytes of what these point to; 0: no structure */
	uint8_t observer;       /* 1: but for what was allocated in it; 2: always */
	bool transparent, trap, works, stack_end;
};

/* A registry, for follow.h. */
struct weak {
	enum weak_kind { WEAK_WORDS, WEAK_OBJECT, WEAK_STRUCT } kind;
	/* WORDS: address, bytes; OBJECT: of the node, of the object; STRUCT: in struct page. */
	uint64_t offset, bytes;
	uint64_t byte; /* STRUCT: only while this byte of the page's struct page … (NONE: always) */
	uint8_t is;    /* … is that */
};

struct hold {
	uint64_t entry;
	struct expr until;
};

enum mark_what { MARK_BEGIN, MARK_END, MARK_LINE, MARK_PANIC };
struct mark_pattern {
	enum mark_what what;
	regex_t regex;
};

struct hooks {
	uint64_t ram_base;
	struct ranges text;
	struct linear_map maps[MAPS_MAX];
	uint32_t nr_maps;
	struct expr pages_base;
	uint64_t pages_stride, pages_pa;
	uint64_t stack_base, stack_bytes;
	uint32_t stack_top;
	bool frame_pointers;
	struct expr pid;
	struct trap_entry traps[MAPS_MAX];
	uint32_t nr_traps;
	struct hook calls[HOOKS_MAX];
	uint32_t nr_calls;
	struct array arrays[ARRAYS_MAX];
	uint32_t nr_arrays;
	struct ranges pte_funcs, writers, uart_funcs;
	uint64_t uart, uart_pa; /* NONE: not by this address */
	bool sbi;
	uint32_t pte_levels;
	struct mark_pattern marks[MARKS_MAX];
	uint32_t nr_marks;
	bool follow, follow_all, follow_lost;
	struct ranges follow_only[4]; /* by life kind: addresses, ascending */
	struct ranges follow_switch;
	struct ranges follow_freed, follow_freed_objects; /* addresses, ascending */
	struct ranges follow_patterns;
	uint64_t follow_lasting; /* mask of ref= */
	uint64_t stack_window;
	struct function_hook *functions; /* ascending */
	uint32_t nr_functions;
	struct weak weak[WEAK_MAX];
	uint32_t nr_weak;
	struct hold holds[HOLDS_MAX];
	uint32_t nr_holds;
};

extern struct hooks hooks;

/* False: *error says which line is wrong and why (to be freed). */
bool hooks_read(const char *path, char **error);

static inline bool ranges_have(const struct ranges *ranges, uint64_t value)
{
	for (uint32_t i = 0; i < ranges->nr; i++) {
		if (value >= ranges->at[i].lo && value < ranges->at[i].hi)
			return true;
	}
	return false;
}

/* The same of single addresses in ascending order. */
static inline bool ranges_have_sorted(const struct ranges *ranges, uint64_t value)
{
	uint32_t low = 0, high = ranges->nr;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (ranges->at[middle].lo < value)
			low = middle + 1;
		else
			high = middle;
	}
	return low < ranges->nr && ranges->at[low].lo == value;
}

/* NULL: no function begins there. */
struct function_hook *hooks_function_at(uint64_t entry);
/* The one that has this address, as far as is known: where functions end is not; NULL. */
const struct function_hook *hooks_function_around(uint64_t pc);

#endif
