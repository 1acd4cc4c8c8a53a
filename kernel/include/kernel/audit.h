/* SPDX-License-Identifier: MIT */
/*
 * The auditor: stops the world, asks every subsystem what it holds, compares with every count.
 *
 * Problem: a count that is wrong looks like any other number. Idea: what the counts say is worked out a second time from the structures
 * that are the reason for them, by code that shares nothing with get and put. Where the two differ, one is wrong, and the page is named:
 *
 *     page 0x80412: count 2; claimed by the tree of inode 12 (cache).      OVER: somebody kept a reference
 *     page 0x80413: count 1; claimed by nobody.                            UNREACH: nothing leads to it any more
 *     page 0x80414: free; claimed by the table of mm 9.                    STALE: it was freed under a mapping
 *
 * Why the world stops: a claim walk takes milliseconds, in which counts would change under it; and a walk that took every subsystem's lock
 * would need them in an order that nobody else can keep.
 *
 * A subsystem that can hold pages or objects implements `void <sub>_claims(struct claims *c)`, calls
 * claim_page / claim_object (claims.h) for each thing it holds, and is registered once at boot with audit_register.
 *
 * What a subsystem promises of its own structures is looked at in the same stop, by checkers registered with
 * audit_register_check: who holds a page may be right while a leaf may write what others share.
 *
 * The verdict is final only when the machine was quiescent (no task in the middle of kernel work).
 */
#ifndef KERNEL_AUDIT_H
#define KERNEL_AUDIT_H

#include <kernel/claims.h>
#include <kernel/lib.h>
#include <kernel/page.h>
#include <kernel/slab.h>

/* Whose claims they are. Those of programs are left out at the machine's end, when no program is left to hold anything. */
enum claims_of { CLAIMS_OF_KERNEL, CLAIMS_OF_PROGRAMS };
void audit_register(const char *name, enum claims_of whose, void (*claims_fn)(struct claims *claims));

/* Gives NULL, or the text of the first broken invariant, which lasts until the next call. Runs with the world stopped
 * and quiescent; any lock it takes is free then. */
void audit_register_check(const char *name, const char *(*check)(void));
/* Calls all of them, in the order of registration. World stopped and quiescent, audit_lock held. */
void audit_run_checks(void (*visit)(const char *name, const char *broken, void *arg), void *arg);
/* Stops the world at a quiescent point, which it waits for, with a bound. False: there was none, and the world goes on. */
bool audit_stop_world(void);

struct finding {
	u8 verdict; /* enum verdict */
	u8 is_object;
	u8 kind;         /* page kind */
	u8 ref;          /* ref kind of a claim involved, or 0 */
	bool is_counted; /* an object with a count */
	u16 count, claims;
	u16 pid;       /* who allocated */
	u32 stack;     /* allocation site (for DBL, POISON: the last freer) */
	u32 stack2;    /* the act itself (second free, first writer unknown: 0) */
	bool recorded; /* an incident: the trace has it since it happened */
	u32 pfn;
	u32 owner_id, owner_index; /* of a page cache page; holder of a claim otherwise */
	u64 object;                /* kernel va, when is_object */
	char cache_name[12];       /* of VERDICT_INVARIANT: the checker's */
	const char *broken;        /* of VERDICT_INVARIANT; lasts as long as the result */
};
#define AUDIT_FINDINGS_MAX 64

struct audit_result {
	bool quiet;
	u32 nr_findings; /* may exceed nr_kept; the trace has all of them */
	u32 nr_kept;
	u32 nr_by_verdict[VERDICT_NR];
	u32 nr_pages, nr_objects; /* looked at */
	u32 nr_parked;
	struct page_totals totals;
	s64 identity_difference;                     /* RAM minus the parts, in pages; 0 is OK */
	struct finding findings[AUDIT_FINDINGS_MAX]; /* first come */
};

#define AUDIT_POISON 1 /* also read every free page */
#define AUDIT_WAIT 2   /* wait (bounded) for a quiescent point */
#define AUDIT_END 4    /* no program is left: without the claims of programs */
/* Runs an audit; records finding and audit_done events. Result is in one static buffer, valid under `audit_lock`. */
struct audit_result *audit_run_locked(u32 flags);
void audit_lock(void); /* not a spinlock: interrupts stay on; who waits for it lets other tasks run */
void audit_unlock(void);

/* Report as text (the contents of /proc/audit). */
void audit_format(const struct audit_result *result, struct text *text);
/* One line on the console: how many findings by verdict, and whether they are final. */
void audit_print(const struct audit_result *result, const char *which);

u32 audit_nr_incidents(void); /* since boot */
const char *verdict_name(enum verdict verdict);

/* Set by sched: how many tasks other than the caller are in the middle of kernel work. World stopped. */
void audit_set_busy_hook(u32 (*nr_busy)(void));
/* Set by sched: lets other tasks run, while an audit waits for a quiescent point or for another audit to end. */
void audit_set_yield_hook(void (*yield)(void));

#endif
