/* SPDX-License-Identifier: MIT */
/*
 * ram_audit: what each page of a stranger's kernel is, from a copy of its RAM: free, held and by what, or leaked.
 *
 * A trace says that a page was allocated and not freed. Whether that is a leak, only memory can tell: somebody may still
 * point to it. So this looks, with the kernel's description (describe/kd.h) and debug information (target/types.h):
 *
 *   free lists      walked as described                                     -> free
 *   page tables     the kernel's own and those of each process, exactly     -> held: "proc[3].pagetable leaf 0x5000"
 *   variables       words that may be pointers, by their types              -> held: "cons.buf", "ftable.file[2].pipe"
 *   kernel stacks   of processes that wait, from the saved stack pointer up -> held: "stack of proc[3]"
 *   their pages     what a plain pointer leads to is looked through, too    -> held: "page 0x87f4e000 + 0x18"
 *
 * What the allocator owns, is on no list and is reached by nothing has leaked. Example: after a fault in a copy-on-write
 * kernel that forgot to give the old page back, `refs[0x7f44] == 1`, no leaf maps 0x87f44000, and no word points to it.
 *
 * What would reach pages that it does not hold is left out: leaves of a linear mapping (they reach all of RAM), text and
 * other arrays of small numbers, slots of tables that are not in use, what lies below a stack pointer, user memory, and
 * registers that user programs choose.
 *
 * RAMAUDIT-1  A page gets one verdict. Leaked is said only of a page that the trace knows as allocated (without a trace:
 *             that lies between pages of the free lists).
 *             So it is not said either of a page to which a process that runs did the last thing; and where one runs, a
 *             fault that passes (a page freed and not listed yet) is no verdict, and neither is a leak, since a register
 *             may lead to any page: then the status is 2.
 * RAMAUDIT-2  The copy of RAM is not trusted: each address is checked before it is read, lists end at the first page seen
 *             twice, page tables are walked to their last level within a budget. What was cut off is said.
 *             Without types it is said of no page: then the free lists, and counts, are compared with the trace, and that is all.
 * RAMAUDIT-3  "No leaks" needs: a complete trace, whose free pages are those of the lists, and whose counts
 *             are those in RAM; all processes asleep; no page
 *             uncertain; nothing cut off. What is missing stands in `reasons`.
 */
#ifndef TOOLS_ANALYSIS_RAM_AUDIT_H
#define TOOLS_ANALYSIS_RAM_AUDIT_H

#include "describe/describe.h"
#include "replay/model.h"
#include "target/guest.h"

enum page_verdict { PAGE_UNMANAGED, PAGE_FREE, PAGE_HELD, PAGE_LEAKED, PAGE_UNCERTAIN, PAGE_VERDICTS };
const char *page_verdict_text(enum page_verdict verdict);

enum hold_kind { HOLD_NOTHING, HOLD_ROOT, HOLD_TABLE, HOLD_LEAF, HOLD_VARIABLE, HOLD_STACK, HOLD_PAGE };

struct page_holder {
	uint8_t kind;     /* enum hold_kind */
	const char *name; /* "proc[3].pagetable", "cons.buf"; HOLD_PAGE: NULL */
	uint64_t
	    where; /* table, leaf: virtual address; stack: address of the word; page: physical address of the word */
};

struct audited_page {
	uint8_t verdict; /* enum page_verdict */
	bool managed;    /* the allocator's */
	bool table;      /* a page table that is in use */
	uint16_t listed; /* how often it is on the free lists */
	uint32_t user_leaves, kernel_leaves;
	struct page_holder holder; /* of a free page: what maps it nevertheless */
	struct page_holder ghost;  /* what held it before: an unused slot of the process table */
	const char *why;           /* uncertain: the reason */
	uint32_t head;             /* first page of the block it was allocated in, by number */
};

enum audit_fault {
	FAULT_FREE_TWICE,
	FAULT_LIST_BROKEN,
	FAULT_FREE_NOT_LISTED,
	FAULT_MAPPED_FREE,
	FAULT_TABLE_FREE,
	FAULT_TABLE_TWICE,
	FAULT_DEAD_TABLE,
	FAULT_OVER,
	FAULT_UNDER,
	AUDIT_FAULTS,
};
/* "free-twice", and what it means in words. */
const char *audit_fault_id(enum audit_fault fault);
const char *audit_fault_text(enum audit_fault fault);

struct audit_finding {
	enum audit_fault fault;
	uint64_t pa; /* 0: about no page */
	char *text;
};

/* Of each fault. */
#define FINDINGS_KEPT 64

struct process_view {
	uint32_t slot;
	uint64_t state, pid;
	const char *state_name; /* NULL: unknown */
	bool running, asleep, zombie;
	char name[17];
};

struct ram_audit {
	const struct description *kernel;
	const struct model *model; /* NULL: there is no trace */
	uint64_t base;             /* of RAM */
	uint32_t nr_pages;
	struct audited_page *pages;
	uint64_t nr_by_verdict[PAGE_VERDICTS], nr_managed;
	struct audit_finding findings[AUDIT_FAULTS * FINDINGS_KEPT];
	size_t nr_kept;
	uint64_t nr_by_fault[AUDIT_FAULTS];
	struct process_view *processes;
	size_t nr_processes;
	bool quiescent; /* every process sleeps */
	/* Self-check. */
	bool checked; /* against a trace */
	uint64_t nr_listed, nr_only_listed, nr_only_trace;
	uint64_t first_only_listed, first_only_trace; /* addresses; 0: none */
	/*
	 * Counts of live pages in RAM against the trace. Those behind a block's first have events of their own only where
	 * they are counted on their own: untold are those without, whose count is not 0 nevertheless.
	 */
	bool counts_checked;
	uint64_t nr_counts_equal, nr_counts_differ, nr_counts_untold;
	/* Why this is not the last word; sentences without a full stop. */
	char **reasons;
	size_t nr_reasons;
	bool faulty; /* there are faults that no moment of a healthy kernel explains */
	int status;  /* 0: no leaks; 1: leaks or faults; 2: could not tell */
	struct ram_audit_inside *inside;
};

/*
 * Audits RAM (image_open, of the kernel's machine). run: the trace of the same run, replayed here; NULL: none. Both and
 * `kernel` must live as long as the answer. Never NULL.
 */
struct ram_audit *ram_audit_make(const struct description *kernel, const struct guest *ram, struct run *run);
void ram_audit_free(struct ram_audit *audit);
/* What others know that speaks against a last word: there is no "no leaks" then. */
void ram_audit_reason(struct ram_audit *audit, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The audit was of the wrong files, or went by a description that is wrong: nothing that it found is certain either. */
void ram_audit_doubt(struct ram_audit *audit);
/* "proc[3].pagetable leaf 0x5000". Into buf. */
const char *ram_audit_holder(const struct page_holder *holder, char *buf, size_t bytes);
static inline uint64_t ram_audit_pa(const struct ram_audit *audit, uint32_t number)
{
	return audit->base + ((uint64_t)number << PAGE_SHIFT);
}
/* Where the page, or the block that it is in, was allocated; 0: unknown. */
uint32_t ram_audit_stack(const struct ram_audit *audit, uint32_t number);

#endif
