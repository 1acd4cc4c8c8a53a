/* SPDX-License-Identifier: MIT */
/*
 * ram_audit, inside. ram_audit.c runs the parts and judges; ram_audit_memory.c reads and translates; ram_audit_lists.c,
 * ram_audit_tables.c, ram_audit_roots.c, ram_audit_reach.c find what is free and what is reached; ram_audit_counts.c compares counts.
 */
#ifndef TOOLS_ANALYSIS_RAM_AUDIT_PRIV_H
#define TOOLS_ANALYSIS_RAM_AUDIT_PRIV_H

#include "describe/expression.h"
#include "ram_audit.h"

#define NO_PAGE UINT32_MAX
#define NO_ADDRESS UINT64_MAX
#define AUDIT_MAPS_MAX 16
/* Of a page behind the first of its block. */
#define COUNT_UNTOLD (-1)
/* The plugin gives an allocated page at least 1, also where the kernel counts from 0. */
#define COUNT_FIRST (-2)

struct linear_map {
	uint64_t va, pa, bytes;
};

/* The trace, page by page: what pages of blocks are. */
struct page_life_map {
	uint8_t *life;  /* enum page_life */
	uint32_t *head; /* first page of the block it was allocated in */
	uint16_t *pid;  /* who did the last thing to it, of whatever kind; 0: nobody, or not known */
	int32_t *count; /* after its last event in this life, COUNT_* where there is none */
};

/* A page to be looked through. */
struct audit_task {
	uint32_t page;
	const struct type *type; /* of what was pointed to; NULL: unknown */
	uint32_t offset;         /* where it lies in the page */
};

struct ram_audit_inside {
	struct guest const *ram;
	struct types const *types;
	struct model *model; /* ours */
	struct linear_map maps[AUDIT_MAPS_MAX];
	size_t nr_maps;
	uint64_t root; /* the kernel's page table; NO_ADDRESS: not known */
	int levels;    /* of page tables: 3 for Sv39 */
	/* struct page: an address in it means a page. stride 0: there is none. */
	uint64_t frames, frame_bytes, frames_pa, nr_frames;
	struct page_life_map trace;
	struct audit_task *tasks;
	size_t nr_tasks, tasks_capacity;
	char **names; /* of holders */
	size_t nr_names, names_capacity;
	size_t reasons_capacity;
	uint32_t *stamps, epoch; /* by page: the walk that saw it last */
	uint64_t entries_left;   /* of page tables */
	bool guess_tables;       /* no process table says where they are */
	size_t nr_trees;         /* page tables that were walked beside the kernel's own */
	bool no_stacks;          /* nor where the stacks of processes are */
	const char *
	    blind; /* what the description names and memory did not show: nothing is said to be leaked; NULL */
};

/* ---- ram_audit.c ---- */

void audit_note(struct ram_audit *audit, enum audit_fault fault, uint64_t pa, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* A name that lives as long as the audit; takes it. */
const char *audit_name(struct ram_audit *audit, char *name);
/* The page is reached; its whole block with it. True the first time. */
bool audit_hold(struct ram_audit *audit, uint32_t page, struct page_holder holder);

/* ---- ram_audit_memory.c ---- */

void memory_begin(struct ram_audit *audit);
/* False where there is no RAM. bytes <= 8. */
bool memory_read(const struct ram_audit *audit, uint64_t pa, uint64_t bytes, uint64_t *value);
/* The same by virtual address of the kernel. */
bool memory_load(const struct ram_audit *audit, uint64_t va, uint64_t bytes, uint64_t *value);
/* NO_ADDRESS: nothing is mapped there. */
uint64_t memory_pa(const struct ram_audit *audit, uint64_t va);
uint32_t memory_page(const struct ram_audit *audit, uint64_t pa);
/* Whether the address is of a struct page. */
bool memory_is_frame(const struct ram_audit *audit, uint64_t va);
/* What page a word points to, as an address of the kernel, a physical one or one of a struct page; NO_PAGE: none. */
uint32_t memory_pointer(const struct ram_audit *audit, uint64_t word);
bool memory_is_linear(const struct ram_audit *audit, uint64_t va, uint64_t pa);
/* A pointer to a page table, or a satp, as a physical address. */
uint64_t memory_root(const struct ram_audit *audit, uint64_t word);
/* Value of an expression of the description, with element `i`; false with a reason noted. */
bool memory_value(struct ram_audit *audit, const char *text, uint64_t i, uint64_t v, uint64_t *value);
/* A page by `type=`: "va" (otherwise), "pa", "pfn", "struct". NO_PAGE: none. */
uint32_t memory_typed_page(const struct ram_audit *audit, const char *type, const char *otherwise,
			   uint64_t value);

/* ---- the parts ---- */

void lists_walk(struct ram_audit *audit);
/* Walks the tree under the table at pa. ghost: of an unused slot, so that nothing is held by it. */
void tables_walk(struct ram_audit *audit, const char *name, uint64_t pa, bool ghost);
/* Whether hardware could take this page for a root: a weaker question, which swapped pages and the like do not change. */
bool tables_may_be_root(const struct ram_audit *audit, uint64_t pa);
/* Whether a page's words can only be the entries of a root, with a table below it. */
bool tables_look_like(const struct ram_audit *audit, uint64_t pa);
void processes_read(struct ram_audit *audit);
/* A word of `holder`: the page that it points to is held, and looked through later. type: what it points to; NULL. */
void reach_word(struct ram_audit *audit, uint64_t word, struct page_holder holder, const struct type *type);
/* Looks through what was reached, until nothing new is. */
void reach_rest(struct ram_audit *audit);
void roots_reach(struct ram_audit *audit);
/* What only variables without a type point to. */
void roots_untyped(struct ram_audit *audit);
void counts_compare(struct ram_audit *audit);

#endif
