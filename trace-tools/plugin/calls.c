/* SPDX-License-Identifier: MIT
 *
 * calls: see calls.h.
 */
#include "calls.h"

#include <stdlib.h>
#include <string.h>

#include "act.h"
#include "bounds.h"
#include "follow.h"
#include "guest.h"
#include "hooks.h"
#include "qemu_api.h"
#include "record.h"
#include "sites.h"
#include "spin.h"
#include "unwind.h"
#include "writer.h"

#define CALLS_MAX 1024
/* Most pages that one call may list. */
#define EACH_MAX 4096

/* A call under way. */
struct call {
	uint64_t sp, ra, since;
	uint32_t stack;
	uint16_t pid;
	uint8_t hook;
	bool inner; /* a call within it has handed out pages */
	uint64_t a[8];
};

static struct call under_way[CALLS_MAX];
static uint32_t nr_under_way;
static spin_t lock;
static struct call_counters counters[HARTS_MAX][HOOKS_MAX];
static uint64_t of_kind[HOOK_KINDS];

void calls_init(bool check_writes)
{
	for (uint32_t i = 0; i < hooks.nr_calls; i++) {
		struct hook *hook = &hooks.calls[i];
		hook->tracked |= follow_wanted() && hook->kind == HOOK_GET;
		hook->tracked |= hook->kind == HOOK_FREE && (check_writes || hooks.follow_all ||
							     (hook->push.nr && !hooks.frame_pointers));
		if (!hook->tracked)
			continue;
		of_kind[hook->kind] |= 1ULL << i;
		sites_callee(hook->entry);
		for (uint32_t k = 0; k < hook->also.nr; k++)
			sites_callee(hook->also.at[k].lo);
	}
}

uint64_t calls_of_kind(enum hook_kind kind)
{
	return of_kind[kind];
}

struct call_counters *calls_mine(unsigned hart, unsigned hook)
{
	return &counters[hart][hook];
}

uint64_t calls_under_way(void)
{
	return __atomic_load_n(&nr_under_way, __ATOMIC_RELAXED);
}

struct call_counters calls_counters(unsigned hook)
{
	struct call_counters sum = {0};

	for (unsigned hart = 0; hart < HARTS_MAX; hart++) {
		const struct call_counters *mine = &counters[hart][hook];
		sum.hits += mine->hits;
		sum.pages += mine->pages;
		sum.failed += mine->failed;
		sum.skipped += mine->skipped;
		sum.misses += mine->misses;
		sum.unmatched += mine->unmatched;
	}
	return sum;
}

/* ---- the list ---- */

static bool encloses(const struct call *call, uint64_t sp)
{
	return call->sp >= sp && call->sp - sp < hooks.stack_bytes;
}

bool calls_inside(uint64_t sp, uint64_t mask)
{
	bool inside = false;

	if (!mask || !calls_under_way())
		return false;
	spin_lock(&lock);
	for (uint32_t i = 0; i < nr_under_way && !inside; i++)
		inside = mask >> under_way[i].hook & 1 && encloses(&under_way[i], sp);
	spin_unlock(&lock);
	return inside;
}

uint32_t calls_stack(uint64_t sp, unsigned hook)
{
	uint32_t stack = 0;

	spin_lock(&lock);
	for (uint32_t i = nr_under_way; i-- > 0 && !stack;) {
		if (under_way[i].hook == hook && encloses(&under_way[i], sp))
			stack = under_way[i].stack;
	}
	spin_unlock(&lock);
	return stack;
}

static void remember(unsigned hart, const struct call *call)
{
	spin_lock(&lock);
	uint32_t i = 0;
	while (i < nr_under_way && (under_way[i].sp != call->sp || under_way[i].hook != call->hook))
		i++;
	if (i < nr_under_way || i == CALLS_MAX)
		counters[hart][call->hook].unmatched++;
	if (i < CALLS_MAX) {
		under_way[i] = *call;
		if (i == nr_under_way)
			__atomic_store_n(&nr_under_way, i + 1, __ATOMIC_RELAXED);
	}
	spin_unlock(&lock);
}

/* Takes the youngest call with this return out of the list; false: there is none. */
static bool finish(uint64_t sp, uint64_t ra, struct call *call)
{
	bool found = false;

	spin_lock(&lock);
	for (uint32_t i = nr_under_way; i-- > 0 && !found;) {
		if (under_way[i].sp != sp || under_way[i].ra != ra)
			continue;
		*call = under_way[i];
		/* The order is kept: it is the order of the entries, for calls that end together. */
		memmove(&under_way[i], &under_way[i + 1], (nr_under_way - i - 1) * sizeof(*call));
		__atomic_store_n(&nr_under_way, nr_under_way - 1, __ATOMIC_RELAXED);
		found = true;
	}
	for (uint32_t i = 0; found && i < nr_under_way; i++)
		under_way[i].inner |=
		    encloses(&under_way[i], sp) && hooks.calls[call->hook].kind == HOOK_ALLOC;
	spin_unlock(&lock);
	return found;
}

/* ---- pages of a call ---- */

static void one_page(const struct hook *hook, const struct act *act, struct call_counters *mine, uint64_t raw,
		     uint64_t nr)
{
	static void (*const tell[])(const struct act *, uint64_t, uint64_t) = {[HOOK_ALLOC] = pages_alloc,
									       [HOOK_FREE] = pages_free,
									       [HOOK_GET] = pages_get,
									       [HOOK_PUT] = pages_put};
	uint64_t pa = act_page(act->hart, hook->pages.type, raw);

	if (pa == NONE) {
		mine->misses++;
		return;
	}
	mine->pages++;
	tell[hook->kind](act, pa, nr);
}

/* An array of pages, or a list of nodes within them. */
static void each_page(const struct hook *hook, const struct act *act, struct call_counters *mine,
		      const struct expr_context *context)
{
	struct expr_context inner = *context;
	uint64_t at, node, nr, n = EACH_MAX;
	const uint8_t *host;

	if (!expr_compute(&hook->pages.each, context, &at) ||
	    (hook->pages.nr.nr && !expr_compute(&hook->pages.nr, context, &n)) || n > EACH_MAX) {
		mine->misses++;
		return;
	}
	node = at;
	for (uint64_t i = 0; i < n; i++) {
		host = guest_va(act->hart, hook->pages.link < 0 ? at + i * 8 : node, 8);
		if (!host) {
			mine->misses++;
			return;
		}
		memcpy(&node, host, 8);
		if (hook->pages.link >= 0 && node == at)
			return; /* back at the head */
		inner.v = hook->pages.link < 0 ? node : node - (uint64_t)hook->pages.link;
		if (inner.v && expr_compute(&hook->count, &inner, &nr))
			one_page(hook, act, mine, inner.v, nr);
	}
}

static void pages_of_call(const struct hook *hook, const struct act *act, const struct expr_context *context)
{
	struct call_counters *mine = calls_mine(act->hart, (unsigned)(hook - hooks.calls));
	uint64_t raw, nr, counts = 1;

	if (hook->when.nr && !expr_compute(&hook->when, context, &counts)) {
		mine->misses++;
	} else if (!counts) {
		mine->skipped++;
	} else if (hook->pages.each.nr) {
		each_page(hook, act, mine, context);
	} else if (!expr_compute(&hook->count, context, &nr)) {
		mine->misses++;
	} else if (!expr_compute(&hook->pages.page, context, &raw)) {
		mine->misses++;
	} else if (hook->kind == HOOK_ALLOC && raw == hook->fail) {
		mine->failed++;
		record_oom(act, nr);
	} else if (hook->kind == HOOK_ALLOC || raw) {
		one_page(hook, act, mine, raw, nr);
	}
}

/* ---- what follow is told ---- */

/* A reference begins, or one ends and with the last the page. */
static void follow_reference(const struct hook *hook, const struct expr_context *context)
{
	uint64_t raw, ref, holder, nr = 1, freed = 0;

	if (!expr_compute(&hook->pages.page, context, &raw) || !expr_compute(&hook->ref, context, &ref) ||
	    !expr_compute(&hook->holder, context, &holder) || !expr_compute(&hook->count, context, &nr))
		return;
	uint64_t pa = act_page(context->hart, hook->pages.type, raw);
	if (pa == NONE)
		return;
	if (hook->kind != HOOK_PUT) {
		follow_reference_begin(context->hart, pa, ref, holder);
		return;
	}
	follow_reference_end(context->hart, pa, ref, holder);
	if (hook->freed.nr && expr_compute(&hook->freed, context, &freed) && freed)
		follow_page_end(context->hart, pa, nr);
}

static void follow_object_reference(const struct hook *hook, const struct expr_context *context, uint64_t va)
{
	uint64_t ref, holder, at = 0, counts = 1;

	if (!expr_compute(&hook->ref, context, &ref) || !expr_compute(&hook->holder, context, &holder) ||
	    (hook->when.nr && !expr_compute(&hook->when, context, &counts)) || !counts)
		return;
	expr_compute(&hook->at, context, &at);
	if (hook->kind == HOOK_OBJGET)
		follow_object_reference_begin(context->hart, va, ref, holder, at);
	else
		follow_object_reference_end(context->hart, va, ref, holder);
}

static void follow_object(const struct hook *hook, const struct expr_context *context)
{
	uint64_t va, bytes;

	if (!expr_compute(&hook->pages.page, context, &va) || !va)
		return;
	if (hook->kind == HOOK_OBJGET || hook->kind == HOOK_OBJPUT)
		follow_object_reference(hook, context, va);
	else if (hook->kind == HOOK_OBJFREE)
		follow_object_end(context->hart, va);
	else if (expr_compute(&hook->size, context, &bytes))
		follow_object_begin(context->hart, va, bytes);
}

static void tell_put_begins(const struct hook *hook, const struct expr_context *context)
{
	uint64_t raw, pa;

	if (expr_compute(&hook->pages.page, context, &raw) &&
	    (pa = act_page(context->hart, hook->pages.type, raw)) != NONE)
		follow_put_begins(context->hart, pa, hook->freed.nr);
}

static void tell_follow(const struct hook *hook, const struct expr_context *context)
{
	if (hook->kind == HOOK_GET || hook->kind == HOOK_PUT || (hook->kind == HOOK_ALLOC && hook->ref.nr))
		follow_reference(hook, context);
	else if (hook->kind >= HOOK_OBJALLOC)
		follow_object(hook, context);
}

/* ---- callbacks ---- */

static bool is_of_pages(const struct hook *hook)
{
	return hook->kind < HOOK_OBJALLOC;
}

static uint32_t registers_of(const struct hook *hook)
{
	return hook->size.registers | hook->at.registers | hook->ref.registers | hook->holder.registers |
	       hook->pages.page.registers | hook->pages.each.registers | hook->pages.nr.registers |
	       hook->count.registers | hook->when.registers;
}

static void on_entry(unsigned told, void *data)
{
	unsigned hart = qemu_hart(told);
	const struct hook *hook = data;
	unsigned number = (unsigned)(hook - hooks.calls);
	struct call_counters *mine = calls_mine(hart, number);
	struct expr_context context = {.hart = hart};

	mine->hits++;
	if (hook->push.nr && !hook->tracked)
		return;
	expr_fetch(&context, registers_of(hook) | 1U << REG_RA | 1U << REG_SP | 1U << REG_FP);
	uint64_t sp = context.x[REG_SP], ra = context.x[REG_RA];
	if (hook->not_inside && calls_inside(sp, hook->not_inside)) {
		mine->skipped++;
		return;
	}
	struct call call = {.sp = sp, .ra = ra, .since = writer_last_time() + 1, .hook = (uint8_t)number};
	struct act act = {.hart = hart, .hook = hook->name};
	if (!hook->push.nr || !hooks.frame_pointers) {
		act.stack = call.stack = unwind_entry(hart, ra, sp, context.x[REG_FP]);
		act.pid = call.pid = act_pid(hart);
	}
	memcpy(call.a, &context.x[REG_A0], sizeof(call.a));
	if (hook->tracked) {
		remember(hart, &call);
		sites_learn(hart, ra);
	}
	if (follow_wanted() && hook->kind == HOOK_PUT)
		tell_put_begins(hook, &context);
	if (follow_wanted() && !hook->tracked)
		tell_follow(hook, &context);
	if (is_of_pages(hook) && hook->kind != HOOK_ALLOC && !hook->push.nr)
		pages_of_call(hook, &act, &context);
}

static void on_return(unsigned told, void *data)
{
	unsigned hart = qemu_hart(told);
	uint64_t site = (uint64_t)data;
	struct call call;

	if (!calls_under_way())
		return;
	uint64_t sp = qemu_register(hart, REG_SP);
	while (finish(sp, site, &call)) {
		const struct hook *hook = &hooks.calls[call.hook];
		if (hook->kind != HOOK_ALLOC && !follow_wanted())
			continue;
		struct act act = {.hart = hart,
				  .stack = call.stack,
				  .pid = call.pid,
				  .hook = hook->name,
				  .since = call.inner ? call.since : 0};
		struct expr_context context = {.hart = hart, .ret = qemu_register(hart, REG_A0)};
		memcpy(&context.x[REG_A0], call.a, sizeof(call.a));
		if (hook->kind == HOOK_ALLOC)
			pages_of_call(hook, &act, &context);
		if (follow_wanted())
			tell_follow(hook, &context);
	}
}

void calls_translate(struct qemu_plugin_insn *insn, uint64_t va, bool first)
{
	for (uint32_t i = 0; i < hooks.nr_calls; i++) {
		if (hooks.calls[i].entry == va)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_entry, CALLBACK_READS_REGISTERS,
							       &hooks.calls[i]);
	}
	if (first && sites_is_return(va))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_return, CALLBACK_READS_REGISTERS, (void *)va);
}
