/* SPDX-License-Identifier: MIT */
/* detect_priv: what the steps of the detection share; see detect.h. */
#ifndef TOOLS_DESCRIBE_DETECT_PRIV_H
#define TOOLS_DESCRIBE_DETECT_PRIV_H

#include "base/util.h"
#include "detect.h"
#include "functions.h"

#define HEADS_MAX 16
#define PAGE_BYTES 4096ULL
/* The most RAM that an index rule may reach: 64 GiB. */
#define PFN_MAX (RAM_BASE / PAGE_BYTES + (1ULL << 24))

/* A pointer from which a list of nodes of one kind hangs: kmem.freelist, or one of each element of kmem[]. */
struct head {
	char *path; /* "kmem[].freelist" */
	uint64_t address, stride, nr;
	const struct type *node;
	const char *link;                    /* its first member */
	const struct function *alloc, *free; /* found, or NULL */
};

struct detection {
	const struct types *types;
	struct code *code;
	struct kd *kd;
	struct head heads[HEADS_MAX];
	size_t nr_heads;
	/* What hands out and takes back, what they call in their own unit, and what pushes: the allocator. */
	struct functions allocs, frees, allocator;
	uint64_t ram_end; /* 0: unknown */
};

/* Functions whose source name is this. */
bool is_named(const struct function *function, const char *name);
bool is_pointer_sized(const struct type *type);
/* The steps, in this order. */
void detect_allocator(struct detection *detection);
void detect_counts(struct detection *detection);
void detect_processes(struct detection *detection);
void detect_tables(struct detection *detection);
void detect_console(struct detection *detection);

#endif
