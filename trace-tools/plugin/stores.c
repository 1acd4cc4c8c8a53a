/* SPDX-License-Identifier: MIT
 *
 * stores: see stores.h.
 */
#include <stdlib.h>
#include <string.h>

#include "act.h"
#include "bounds.h"
#include "calls.h"
#include "console.h"
#include "guest.h"
#include "hooks.h"
#include "page_tables.h"
#include "qemu_api.h"
#include "spin.h"
#include "stores_priv.h"
#include "unwind.h"

#define SITES 131072 /* a power of two */

static struct site sites[SITES];
static uint32_t nr_sites, unwatched;
static spin_t sites_lock;
static bool checking;
static uint64_t checked;

bool stores_init(bool check_writes)
{
	checking = check_writes;
	return counts_init();
}

uint64_t stores_unwatched(void)
{
	return unwatched;
}

uint64_t stores_checked(void)
{
	return __atomic_load_n(&checked, __ATOMIC_RELAXED);
}

/* ---- what was stored ---- */

bool store_read_back(unsigned hart, uint64_t va, unsigned bytes, uint64_t *value)
{
	const uint8_t *host = guest_va(hart, va, bytes);

	*value = 0;
	if (host)
		memcpy(value, host, bytes);
	return host != NULL;
}

bool store_value(unsigned hart, const struct site *site, uint64_t va, unsigned bytes, uint64_t *value)
{
	if (site->store.kind != STORE_PLAIN)
		return store_read_back(hart, va, bytes, value);
	*value = qemu_register(hart, site->store.source) & store_mask(bytes);
	return true;
}

struct act store_act(unsigned hart, const struct site *site, const char *name)
{
	return (struct act){.hart = hart,
			    .stack = unwind_store(hart, site->pc + site->size, site->frameless),
			    .pid = act_pid(hart),
			    .hook = name};
}

/* ---- list links ---- */

/*
 * Pages that a push gives back. A formula of the call's arguments cannot be computed in its middle: then it is the one that was
 * stored to.
 */
static uint64_t pushed_pages(unsigned hart, const struct hook *hook)
{
	struct expr_context context = {.hart = hart};
	uint64_t nr;

	return !hook->count.registers && expr_compute(&hook->count, &context, &nr) ? nr : 1;
}

static void on_push(unsigned hart, const struct site *site, uint64_t va, unsigned bytes)
{
	uint64_t pa = guest_va_to_pa(hart, va), link, next;

	if (bytes != 8 || pa == NONE || !pages_managed(pa) || !store_value(hart, site, va, 8, &link))
		return;
	next = link ? guest_va_to_pa(hart, link) : 0;
	if ((link & (PAGE_BYTES - 1)) || (link && (next == NONE || !pages_managed(next))))
		return;
	uint64_t sp = qemu_register(hart, REG_SP);
	for (uint64_t left = site->pushes; left; left &= left - 1) {
		unsigned number = (unsigned)__builtin_ctzll(left);
		const struct hook *hook = &hooks.calls[number];
		if (hook->not_inside && calls_inside(sp, hook->not_inside)) {
			calls_mine(hart, number)->skipped++;
			continue;
		}
		struct act act = {.hart = hart,
				  .stack = hooks.frame_pointers
					       ? unwind_callers(hart, &hook->push, site->frameless)
					       : calls_stack(sp, number),
				  .pid = act_pid(hart),
				  .hook = hook->name};
		calls_mine(hart, number)->pages++;
		pages_free(&act, pa, pushed_pages(hart, hook));
		return;
	}
}

static void on_entry_of_table(unsigned hart, const struct site *site, uint64_t va, uint64_t entry)
{
	struct table_change change;

	/* A register saved on the stack may look like an entry. */
	if (va - qemu_register(hart, REG_SP) < hooks.stack_bytes ||
	    !page_tables_store(hart, va, entry, &change))
		return;
	struct act act = store_act(hart, site, "pte");
	if (change.unmapped != NONE)
		pages_mapped(&act, false, change.unmapped, change.va_page, change.root);
	if (change.mapped != NONE)
		pages_mapped(&act, true, change.mapped, change.va_page, change.root);
}

/*
 * ---- the callbacks ----
 *
 * QEMU 7.2 with one hart makes an atomic instruction of a load and a store, and calls for the load, too, although stores alone are
 * asked for: an addition would count twice.
 */

static void on_store(unsigned told, uint32_t info, uint64_t va, void *data)
{
	unsigned hart = qemu_hart(told);
	const struct site *site = data;
	unsigned bytes = 1U << qemu_plugin_mem_size_shift(info);
	uint64_t value;

	if (!qemu_plugin_mem_is_store(info))
		return;
	if (site->uart &&
	    (va == hooks.uart || (hooks.uart_pa != NONE && guest_va_to_pa(hart, va) == hooks.uart_pa))) {
		console_byte(hart, (uint8_t)qemu_register(hart, site->store.source));
		return;
	}
	if (site->pushes && !(va & (PAGE_BYTES - 1)))
		on_push(hart, site, va, bytes);
	if (site->count)
		counts_stored(hart, site, va, bytes);
	if (site->pte && bytes == 8 && store_value(hart, site, va, 8, &value))
		on_entry_of_table(hart, site, va, value);
}

static void tell_written(unsigned hart, const struct site *site, uint64_t pa, uint64_t va, unsigned bytes)
{
	struct act act = store_act(hart, site, "check");
	uint64_t after;

	__atomic_fetch_add(&checked, 1, __ATOMIC_RELAXED);
	if (store_read_back(hart, va, bytes, &after))
		pages_written(&act, pa, 0, after);
}

/* A store to a free page: by the allocator at work on a page that it is about to hand out, or by a stranger. */
static void on_free_page(unsigned hart, const struct site *site, uint64_t pa, uint64_t va, unsigned bytes)
{
	uint64_t sp = qemu_register(hart, REG_SP);

	if (calls_inside(sp, calls_of_kind(HOOK_ALLOC))) {
		pages_popped(pa);
		return;
	}
	if (calls_inside(sp, calls_of_kind(HOOK_FREE)))
		return;
	tell_written(hart, site, pa, va, bytes);
}

void stores_free_page_written(unsigned hart, uint64_t after_pc, uint64_t pa, uint64_t va, unsigned bytes)
{
	const struct site site = {.pc = after_pc};

	/* Without the allocator's code its own writes would be told of. */
	if (!checking && hooks.writers.nr)
		tell_written(hart, &site, pa, va, bytes);
}

static void on_any_store(unsigned told, uint32_t info, uint64_t va, void *data)
{
	unsigned hart = qemu_hart(told);
	uint64_t pa = qemu_plugin_mem_is_store(info) ? guest_va_to_pa(hart, va) : NONE;

	if (pa != NONE && pages_is_free(pa))
		on_free_page(hart, data, pa, va, 1U << qemu_plugin_mem_size_shift(info));
}

/* ---- translation ---- */

/* The site like `wanted`, made if it is new; NULL: the table is full. */
static struct site *site_like(const struct site *wanted)
{
	uint64_t i = (wanted->pc >> 1) * 0x9e3779b97f4a7c15ULL >> 40;
	struct site *site = NULL;

	spin_lock(&sites_lock);
	for (;; i++) {
		site = &sites[i & (SITES - 1)];
		if (site->pc == wanted->pc || !site->pc)
			break;
	}
	if (!site->pc && nr_sites == SITES - SITES / 8) {
		unwatched++;
		site = NULL;
	} else if (!site->pc) {
		*site = *wanted;
		nr_sites++;
	}
	spin_unlock(&sites_lock);
	return site;
}

/* Does the code of the range that has pc set up a frame before pc? A range may begin in mid-function: then it did. */
static bool is_frameless(const struct ranges *code, uint64_t pc)
{
	unsigned hart = qemu_current_hart();

	for (uint32_t i = 0; i < code->nr; i++) {
		if (pc < code->at[i].lo || pc >= code->at[i].hi)
			continue;
		for (uint64_t at = code->at[i].lo; at < pc;) {
			const uint8_t *low = guest_va(hart, at, 2), *high = guest_va(hart, at + 2, 2);
			uint16_t halves[2] = {0};
			if (!low || !high)
				return false;
			memcpy(&halves[0], low, 2);
			memcpy(&halves[1], high, 2);
			uint32_t insn = halves[0] | (uint32_t)halves[1] << 16;
			if (insn_sets_frame(insn, insn_size(insn)))
				return false;
			at += insn_size(insn);
		}
		return true;
	}
	return false;
}

/* What a store at pc is watched for. */
static struct site wanted_at(uint64_t pc)
{
	struct site site = {.pc = pc};
	const struct ranges *code = NULL;

	for (uint32_t i = 0; i < hooks.nr_calls; i++) {
		if (ranges_have(&hooks.calls[i].push, pc)) {
			site.pushes |= 1ULL << i;
			code = &hooks.calls[i].push;
		}
	}
	for (uint32_t i = 0; i < hooks.nr_arrays; i++) {
		const struct ranges *funcs = &hooks.arrays[i].funcs;
		if (funcs->nr && !ranges_have(funcs, pc))
			continue;
		site.count = true;
		code = funcs->nr ? funcs : code;
	}
	site.uart = ranges_have(&hooks.uart_funcs, pc);
	site.pte = ranges_have(&hooks.pte_funcs, pc);
	if (site.pte)
		code = &hooks.pte_funcs;
	site.check = checking && !site.pushes && !ranges_have(&hooks.writers, pc);
	site.frameless = code && is_frameless(code, pc);
	return site;
}

void stores_translate(struct qemu_plugin_insn *insn, uint64_t va, uint32_t bits, unsigned size)
{
	struct store store = insn_store(bits, size);

	if (store.kind == STORE_NOT)
		return;
	struct site wanted = wanted_at(va);
	bool means = wanted.uart || wanted.pushes || wanted.count || wanted.pte;
	if (!means && !wanted.check)
		return;
	wanted.store = store;
	wanted.size = (uint8_t)size;
	struct site *site = site_like(&wanted);
	if (!site)
		return;
	if (means)
		qemu_plugin_register_vcpu_mem_cb(insn, on_store, CALLBACK_READS_REGISTERS, MEMORY_WRITE,
						 site);
	if (wanted.check)
		qemu_plugin_register_vcpu_mem_cb(insn, on_any_store, CALLBACK_READS_REGISTERS, MEMORY_WRITE,
						 site);
}
