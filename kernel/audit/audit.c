/* SPDX-License-Identifier: MIT */
/*
 * The auditor (interface: audit.h): stops the world, collects every claim, compares with every count.
 *
 * One audit:
 *   1. wait for a quiescent point (AUDIT_WAIT): no other hart in kernel code, no task in the middle of kernel work;
 *   2. every page's and object's claims to zero;
 *   3. all claims functions (at the machine's end without those of programs): each claim counts, or is a finding at once
 *      (STALE, OBJSTALE);
 *   4. each page: claims against count; each live object: claimed or not, and claims against count where it has one; the
 *      sums against RAM;
 *   5. if the world is quiescent, every checker: a broken invariant is a finding;
 *   6. if something was found, all claims functions once more, to learn who holds what was found;
 *   7. the world goes on; findings become events and stay in the result.
 *
 * AUDIT-1  with the world stopped nothing in steps 2 to 6 allocates, nor takes a lock but for `pcp` and `buddy`,
 *          for totals and by checkers: they are free then, as a stopped hart holds no spinlock.
 * AUDIT-2  the claims of a page or object with a kept finding are CLAIMS_FOUND + its index in step 6 and later. They mean
 *          nothing after the audit.
 *
 * The lock is a flag, not a spinlock: an audit lasts milliseconds, and a waiter must yield: quiescence needs other tasks to
 * finish. It yields through the hook, where there is one.
 */
#include <kernel/arch.h>
#include <kernel/kstack.h>

#include "audit_priv.h"

#define QUIET_TRIES 400
#define QUIET_WAIT_TICKS (TIME_HZ / 2) /* all tries together */
#define CLAIMS_MAX 0x7fff
#define CLAIMS_FOUND 0x8000 /* | index of the finding */

struct claims {
	struct audit_result *result;
	bool naming; /* second pass */
};

static struct {
	const char *name;
	enum claims_of whose;
	void (*claims)(struct claims *claims);
} claimants[16] = {
    {"page", CLAIMS_OF_KERNEL, page_claims},
    {"slab", CLAIMS_OF_KERNEL, kmem_claims},
    {"kstack", CLAIMS_OF_KERNEL, kstack_claims},
};
static u32 nr_claimants = 3;

static struct {
	const char *name;
	const char *(*check)(void);
} checkers[8] = {
    {"page", page_check},
    {"slab", kmem_check},
};
static u32 nr_checkers = 2;

static u32 (*busy_hook)(void);
static void (*yield_hook)(void);
static u32 audit_busy;
static struct audit_result result_buffer;

void audit_register(const char *name, enum claims_of whose, void (*claims_fn)(struct claims *claims))
{
	for (u32 i = 0; i < nr_claimants; i++)
		if (claimants[i].claims == claims_fn)
			return;
	if (nr_claimants == ARRAY_SIZE(claimants))
		panic("audit_register: no room for %s", name);
	claimants[nr_claimants].name = name;
	claimants[nr_claimants].whose = whose;
	claimants[nr_claimants++].claims = claims_fn;
}

void audit_register_check(const char *name, const char *(*check)(void))
{
	for (u32 i = 0; i < nr_checkers; i++)
		if (checkers[i].check == check)
			return;
	if (nr_checkers == ARRAY_SIZE(checkers))
		panic("audit_register_check: no room for %s", name);
	checkers[nr_checkers].name = name;
	checkers[nr_checkers++].check = check;
}

void audit_run_checks(void (*visit)(const char *name, const char *broken, void *arg), void *arg)
{
	for (u32 i = 0; i < nr_checkers; i++)
		visit(checkers[i].name, checkers[i].check(), arg);
}

void audit_set_busy_hook(u32 (*nr_busy)(void))
{
	busy_hook = nr_busy;
}

void audit_set_yield_hook(void (*yield)(void))
{
	yield_hook = yield;
}

static void let_others_run(void)
{
	if (yield_hook && this_hart()->current)
		yield_hook();
	else
		arch_relax();
}

void audit_lock(void)
{
	while (__atomic_exchange_n(&audit_busy, 1, __ATOMIC_ACQUIRE))
		let_others_run();
}

void audit_unlock(void)
{
	__atomic_store_n(&audit_busy, 0, __ATOMIC_RELEASE);
}

/* ---- findings ---- */

/*
 * Counts the finding and keeps it while there is room: the kept one, or NULL. One that is not kept goes to the trace
 * at once, so that a reader of the trace misses none; record_result does that for the kept ones, when it is known who
 * holds their pages.
 */
static struct finding *add_finding(struct audit_result *result, const struct finding *finding)
{
	result->nr_findings++;
	result->nr_by_verdict[finding->verdict]++;
	if (result->nr_kept == AUDIT_FINDINGS_MAX) {
		if (!finding->recorded)
			finding_record(finding, finding->stack);
		return NULL;
	}
	result->findings[result->nr_kept] = *finding;
	return &result->findings[result->nr_kept++];
}

static void find_object(struct audit_result *result, enum verdict verdict, const struct kmem_object *object)
{
	const struct finding *kept;
	struct finding finding;

	finding_of_object(&finding, verdict, object);
	kept = add_finding(result, &finding);
	if (kept)
		*kmem_claims_of(object->start) = CLAIMS_FOUND | (u16)(kept - result->findings);
}

static void find_page(struct audit_result *result, enum verdict verdict, struct page *page)
{
	const struct finding *kept;
	struct finding finding;

	finding_of_page(&finding, verdict, page);
	kept = add_finding(result, &finding);
	if (kept)
		page->claims = CLAIMS_FOUND | (u16)(kept - result->findings);
}

/* ---- claims ---- */

/* What a reference of this kind may hold. */
static bool ref_fits(const struct page *page, enum ref_kind ref, struct holder holder)
{
	switch (ref) {
	case REF_TABLE:
		return page->kind == PK_PAGETABLE;
	case REF_CACHE:
	case REF_DIRTY:
		return page->kind == PK_PAGECACHE && (u16)page->owner.id == holder.id &&
		       page->owner.index == holder.index;
	case REF_PIPE:
		return page->kind == PK_PIPE;
	case REF_KSTACK:
		return page->kind == PK_KSTACK;
	case REF_SLAB:
		return page->kind == PK_SLAB;
	case REF_BOOT:
		return page->state == PAGE_BOOT;
	case REF_PTE:
		return page->kind != PK_PAGETABLE && page->kind != PK_SLAB && page->kind != PK_KSTACK;
	default:
		return true;
	}
}

/* The second pass: this claim is on a page or object that may have a finding; the first such claim is shown. */
static void name_holder(struct claims *claims, u16 scratch, enum ref_kind ref, struct holder holder)
{
	u32 index = scratch & ~CLAIMS_FOUND;
	struct finding *finding;

	if (!(scratch & CLAIMS_FOUND) || index >= AUDIT_FINDINGS_MAX)
		return;
	finding = &claims->result->findings[index];
	if (finding->ref != REF_NONE)
		return;
	finding->ref = (u8)ref;
	finding->owner_id = holder.id;
	finding->owner_index = holder.index;
}

static void stale_claim(struct claims *claims, const struct page *page, enum ref_kind ref,
			struct holder holder)
{
	struct finding finding;

	finding_of_page(&finding, VERDICT_STALE, page);
	finding.ref = (u8)ref;
	finding.owner_id = holder.id;
	finding.owner_index = holder.index;
	add_finding(claims->result, &finding);
}

void claim_page(struct claims *claims, const struct page *page_, enum ref_kind ref, struct holder holder)
{
	struct page *page = (struct page *)page_;
	bool known = page && page >= pages && page < pages + nr_pages;
	bool held = known && page->kind != PK_FREE && page->kind != PK_PCP && page->kind != PK_BAD &&
		    page->order != PAGE_BODY;

	if (claims->naming) {
		if (held)
			name_holder(claims, page->claims, ref, holder);
		return;
	}
	if (!held || !ref_fits(page, ref, holder))
		stale_claim(claims, known ? page : NULL, ref, holder);
	if (held && page->claims < CLAIMS_MAX)
		page->claims++;
}

bool claims_final(const struct claims *claims)
{
	return claims->result->quiet;
}

static void stale_object(struct claims *claims, enum verdict verdict, const void *obj)
{
	struct kmem_object object;
	struct finding finding;

	finding = (struct finding){.verdict = (u8)verdict, .is_object = 1, .object = (u64)obj};
	if (kmem_find_object(obj, &object))
		finding_of_object(&finding, verdict, &object);
	add_finding(claims->result, &finding);
}

bool claim_object(struct claims *claims, const void *obj)
{
	bool first;
	enum verdict verdict = kmem_claim(obj, &first);

	if (verdict != VERDICT_NONE && !claims->naming)
		stale_object(claims, verdict, obj);
	return first;
}

bool claim_ref(struct claims *claims, const void *obj, enum ref_kind ref, struct holder holder)
{
	bool first;
	enum verdict verdict = kmem_claim(obj, &first);
	u16 *scratch;

	if (verdict != VERDICT_NONE) {
		if (!claims->naming)
			stale_object(claims, verdict, obj);
		return false;
	}
	scratch = kmem_claims_of(obj);
	if (claims->naming)
		name_holder(claims, *scratch, ref, holder);
	else if (*scratch < CLAIMS_MAX)
		++*scratch;
	return first;
}

static void collect_claims(struct audit_result *result, u32 flags, bool naming)
{
	struct claims claims = {result, naming};

	kmem_claims_reset(!naming);
	for (u32 i = 0; i < nr_claimants; i++)
		if (!(flags & AUDIT_END) || claimants[i].whose == CLAIMS_OF_KERNEL)
			claimants[i].claims(&claims);
}

/* ---- comparing ---- */

static void compare_page(struct audit_result *result, struct page *page)
{
	s32 count = page_count(page);
	u32 claimed = page->claims;

	if (count <= 0)
		find_page(result, claimed ? VERDICT_UNDER : VERDICT_ORPHAN, page);
	else if (claimed == 0)
		find_page(result, VERDICT_UNREACH, page);
	else if ((u32)count > claimed && claimed < CLAIMS_MAX)
		find_page(result, VERDICT_OVER, page);
	else if ((u32)count < claimed)
		find_page(result, VERDICT_UNDER, page);
}

/* Compares every page and counts them by kind as their structs say. */
static void compare_pages(struct audit_result *result, u32 by_kind[PK_NR])
{
	for (u32 i = managed_pfn - first_pfn; i < nr_pages; i++) {
		struct page *page = &pages[i];

		by_kind[page->kind & 15]++;
		result->nr_pages++;
		if (page->kind == PK_PCP)
			result->nr_parked++;
		else if (page->kind != PK_FREE && page->kind != PK_BAD && page->order != PAGE_BODY)
			compare_page(result, page);
	}
}

/* The count of a reached one says how many should be found; of the others the object itself is what is lost. */
static void compare_object(const struct kmem_object *object, void *arg)
{
	struct audit_result *result = arg;

	if (!object->claimed)
		find_object(result, VERDICT_OBJ, object);
	else if (!object->counted || !result->quiet)
		return;
	else if (object->count > object->nr_claims && object->nr_claims < CLAIMS_MAX)
		find_object(result, VERDICT_OVER, object);
	else if (object->count < object->nr_claims)
		find_object(result, VERDICT_UNDER, object);
}

static void compare_objects(struct audit_result *result)
{
	for (u32 i = 0; i < kmem_nr_caches(); i++) {
		struct kmem_cache_stats stats;

		kmem_cache_stats(i, &stats);
		result->nr_objects += stats.nr_live;
	}
	kmem_for_each_live(compare_object, result);
}

/*
 * RAM = firmware + every kind + free. Free pages are counted on the lists, the kinds in the page structs; the
 * running totals must say the same.
 */
static void compare_identity(struct audit_result *result, const u32 by_kind[PK_NR])
{
	const struct page_totals *totals = &result->totals;
	u64 parts = totals->nr_firmware + totals->nr_free;
	bool agree = by_kind[PK_FREE] == totals->nr_free;

	for (u32 kind = 0; kind < PK_NR; kind++) {
		if (kind != PK_FREE)
			parts += by_kind[kind];
		agree = agree && by_kind[kind] == totals->nr_by_kind[kind];
	}
	result->identity_difference = (s64)nr_pages - (s64)parts;
	if (result->identity_difference != 0 || !agree) {
		struct finding finding;

		finding_of_page(&finding, VERDICT_IDENTITY, NULL);
		add_finding(result, &finding);
	}
}

static void compare_check(const char *name, const char *broken, void *arg)
{
	struct finding finding;

	if (!broken)
		return;
	finding_of_page(&finding, VERDICT_INVARIANT, NULL);
	str_copy(finding.cache_name, name, sizeof(finding.cache_name));
	finding.broken = broken;
	add_finding(arg, &finding);
}

static void take_incidents(struct audit_result *result)
{
	static struct finding taken[INCIDENTS_MAX];
	u32 nr_more[VERDICT_NR];
	u32 nr = incident_take(taken, nr_more);

	for (u32 i = 0; i < nr; i++)
		add_finding(result, &taken[i]);
	for (u32 verdict = 0; verdict < VERDICT_NR; verdict++) {
		result->nr_findings += nr_more[verdict];
		result->nr_by_verdict[verdict] += nr_more[verdict];
	}
}

static void compare_stopped(struct audit_result *result, u32 flags)
{
	u32 by_kind[PK_NR] = {0};

	for (u32 i = 0; i < nr_pages; i++)
		pages[i].claims = 0;
	if (flags & AUDIT_POISON)
		page_check_poison();
	take_incidents(result);
	collect_claims(result, flags, false);
	page_totals(&result->totals);
	compare_pages(result, by_kind);
	compare_objects(result);
	compare_identity(result, by_kind);
	if (result->quiet)
		audit_run_checks(compare_check, result);
	if (result->nr_findings)
		collect_claims(result, flags, true);
}

/* ---- one audit ---- */

static bool stop_quiet(void)
{
	bool quiet;

	arch_stop_world(&quiet);
	return quiet && (!busy_hook || busy_hook() == 0);
}

/* On return the world is stopped, quiescent or not. */
static bool stop_world_when_quiet(u32 flags)
{
	u64 began = arch_time();
	bool quiet = stop_quiet();

	for (u32 i = 1; (flags & AUDIT_WAIT) && !quiet && i < QUIET_TRIES; i++) {
		arch_start_world();
		let_others_run();
		quiet = stop_quiet();
		if (arch_time() - began > QUIET_WAIT_TICKS)
			break;
	}
	return quiet;
}

bool audit_stop_world(void)
{
	if (stop_world_when_quiet(AUDIT_WAIT))
		return true;
	arch_start_world();
	return false;
}

static void record_result(const struct audit_result *result)
{
	union trace_payload payload = {.ev_payload_audit_done = {
					   .pages = result->nr_pages,
					   .objects = result->nr_objects,
					   .findings = result->nr_findings,
					   .quiet = result->quiet,
				       }};

	for (u32 i = 0; i < result->nr_kept; i++)
		if (!result->findings[i].recorded)
			finding_record(&result->findings[i], result->findings[i].stack);
	if (trace_on(TRACE_CATEGORY_ALWAYS))
		trace_record_with(EV_audit_done, 0, 0, 0, &payload);
}

struct audit_result *audit_run_locked(u32 flags)
{
	struct audit_result *result = &result_buffer;

	memset(result, 0, sizeof(*result));
	result->quiet = stop_world_when_quiet(flags);
	compare_stopped(result, flags);
	arch_start_world();
	record_result(result);
	return result;
}
