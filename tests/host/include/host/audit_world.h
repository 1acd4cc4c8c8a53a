/* SPDX-License-Identifier: MIT */
/*
 * A healthy little world for the tests of the auditor: an address space with eight pages, a kernel stack, a page of a cache,
 * three objects, and one subsystem that claims them. A test breaks it, looks at what the audit says, and mends it.
 */
#ifndef HOST_AUDIT_WORLD_H
#define HOST_AUDIT_WORLD_H

#include <host/host_test.h>
#include <kernel/audit.h>

/* A counted object, and the next one that it points to. */
struct world_user {
	u32 count;
	struct world_user *next;
};

struct audit_world {
	struct mm *mm, *other_mm; /* the other: of a test's making, or NULL */
	void *stack;
	/* What the world's one other subsystem holds. */
	struct kmem_cache *thing_cache;
	struct page *cache_page;
	void *things[3];
	struct kmem_cache *user_cache;
	struct world_user *user; /* one reference, FD of (4, 1) */
	/* What it claims beside that, or does not: the ways to break it. */
	bool skip_page, skip_thing, claim_twice, skip_mm, skip_stack, skip_user, claim_user_twice;
	const struct page *extra_page;
	enum ref_kind extra_ref; /* REF_NONE: no claim of extra_page */
	u32 nr_extra_claims;
	struct holder extra_holder;
	const void *extra_object;
};
extern struct audit_world world;

/* Setup of a group of tests. */
int world_boot(void **state);
/* Setup and teardown of each: fails unless the audit finds nothing; empties the console. */
int world_is_clean(void **state);
/* One audit under its lock. */
struct audit_result *world_audit(u32 flags);

#endif
