/* SPDX-License-Identifier: MIT
 *
 * follow_code: the callbacks that feed follow (follow.h): entries of functions, places where they return to, stores.
 *
 * All are where registers are right on every QEMU (qemu_api.h, QEMU-1): a function is entered at the first instruction of a
 * block, its return shows at the first instruction behind a call, where the stack pointer is the CFA of the function that was
 * called.
 */
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "follow_priv.h"
#include "freed.h"
#include "guest.h"
#include "hooks.h"
#include "insn.h"
#include "qemu_api.h"
#include "sites.h"
#include "weak.h"

#define OBSERVERS_MAX 64
#define STACK_WALK 8

/* Calls of functions that only look, and of those in them that work for others (level 0), by the stack pointer at their entry. */
static struct observer {
	uint64_t sp;
	uint8_t level;
} observers[OBSERVERS_MAX];
static uint32_t nr_observers;

/* ---- observers ---- */

/* The innermost of this stack decides. */
uint8_t follow_observing(const struct moment *moment)
{
	uint64_t innermost = UINT64_MAX;
	uint8_t level = 0;

	for (uint32_t i = 0; i < nr_observers; i++) {
		if (window_of(observers[i].sp - 1) == window_of(moment->x[REG_SP] - 1) &&
		    observers[i].sp <= innermost) {
			innermost = observers[i].sp;
			level = observers[i].level;
		}
	}
	return level;
}

static void observer_begins(const struct moment *moment, const struct function_hook *function)
{
	uint8_t now = follow_observing(moment);

	if (nr_observers < OBSERVERS_MAX && (function->works ? now > 0 : now < function->observer))
		observers[nr_observers++] = (struct observer){moment->x[REG_SP], function->observer};
}

/* At every return: what began at this stack pointer, or below it on the same stack, has ended. */
static void observer_ends(const struct moment *moment)
{
	uint64_t sp = moment->x[REG_SP];

	for (uint32_t i = nr_observers; i-- > 0;) {
		if (window_of(observers[i].sp - 1) == window_of(sp - 1) && observers[i].sp <= sp)
			observers[i] = observers[--nr_observers];
	}
}

/* ---- entries and returns ---- */

/* The function that a hart entered last, and what it was told then; function NULL: not known. */
static struct entered {
	const struct function_hook *function;
	uint64_t sp, ra;
} entered[HARTS_MAX];

uint64_t follow_leaf_return(const struct moment *moment, uint64_t pc)
{
	const struct entered *last = &entered[moment->hart];
	bool same =
	    last->function && last->sp == moment->x[REG_SP] && last->function == hooks_function_around(pc);

	return same ? last->ra : 0;
}

/* Is the life to be looked for in this frame? A reference is one stack's obligation; observers have only what they made. */
static bool is_open(const struct life *life, const struct moment *moment, uint8_t observing)
{
	if (observing > life->by_observer)
		return false;
	return !life_is_reference(life) || (!life->final && life->window == window_of(moment->x[REG_SP] - 1));
}

/* Is it the thing itself? A page-table entry, a number, a member of an object (its mapping, its list node) are not. */
static enum handled is_handled(const struct life *life, uint64_t value, enum alias_form form)
{
	bool itself = form == ALIAS_STRUCT ||
		      (form == ALIAS_LINEAR && (!life_is_of_object(life) || value == life->base));

	return itself ? HANDLED_ITSELF : HANDLED_NOT;
}

static void note_given(struct life *life, const struct function_hook *function, const struct moment *moment,
		       uint32_t argument, enum handled handled)
{
	if (function->transparent || handled == HANDLED_NOT)
		return;
	uint32_t at = 0, last = life->nr_given < GIVEN_KEPT ? life->nr_given : GIVEN_KEPT - 1;
	/* Each function once, else a loop over its parts would push out who was given the whole. */
	while (at < last &&
	       (life->given[at].function != function->entry || life->given[at].handled != handled))
		at++;
	life->nr_given += at == life->nr_given;
	memmove(&life->given[1], &life->given[0], at * sizeof(life->given[0]));
	life->given[0] = (struct given){.function = function->entry,
					.from = moment->x[REG_RA],
					.argument = argument,
					.handled = handled,
					.when = follow_clock};
}

static void look_at_arguments(const struct function_hook *function, const struct moment *moment)
{
	uint8_t observing = follow_observing(moment);
	enum alias_form form = ALIAS_LINEAR;

	for (uint32_t a = 0; a < function->arguments; a++) {
		uint64_t value = moment->x[REG_A0 + a], alias = alias_of(value, 8, &form);
		uint32_t link = 0, i;
		if (!alias || !life_any(alias - 1))
			continue;
		while ((i = life_next(alias - 1, &link))) {
			if (!life_hit(life_at(i), value, form) || !is_open(life_at(i), moment, observing))
				continue;
			note_given(life_at(i), function, moment, a, is_handled(life_at(i), value, form));
			frame_hold(moment, i, moment->x[REG_FP], moment->x[REG_RA]);
		}
	}
}

struct entry {
	const struct function_hook *function;
	const struct moment *moment;
};

static void given_within(const struct location *location, void *data)
{
	const struct entry *entry = data;
	struct life *life = life_at(location->life);

	if (!location->saved && is_open(life, entry->moment, follow_observing(entry->moment)))
		note_given(life, entry->function, entry->moment, 0, HANDLED_WITHIN);
}

/* walk_end(&walk), file_release(inode, file): the pointer is in a structure that the function is given. */
static void look_at_structures(const struct function_hook *function, const struct moment *moment)
{
	struct entry entry = {function, moment};
	uint64_t sp = moment->x[REG_SP];

	for (uint32_t a = 0; a < function->arguments && !function->transparent; a++) {
		uint64_t va = moment->x[REG_A0 + a];
		if (!function->structures[a])
			continue;
		bool on_stack = nr_stack_locations && va >= sp && window_of(va) == window_of(sp - 1);
		if (on_stack || (!(va & 7) && locations_on_page_of(va)))
			locations_in(va, va + function->structures[a], given_within, &entry);
	}
}

static void on_entry(unsigned told, void *data)
{
	unsigned hart = qemu_hart(told);
	const struct function_hook *function = data;

	entered[hart].function = NULL;
	if (!nr_lives && !function->observer)
		return;
	struct moment moment = follow_moment(hart);
	entered[hart] = (struct entered){function, moment.x[REG_SP], moment.x[REG_RA]};
	if (function->observer || function->works)
		observer_begins(&moment, function);
	if (function->stack_end)
		follow_stack_end(hart, moment.x[REG_A0]);
	locations_popped(&moment, function->entry);
	if (function->trap)
		frames_trap(&moment);
	look_at_arguments(function, &moment);
	look_at_structures(function, &moment);
}

static void on_return(unsigned told, void *data)
{
	unsigned hart = qemu_hart(told);
	if (!nr_lives && !nr_observers)
		return;
	struct moment moment = follow_moment(hart);
	if (nr_observers)
		observer_ends(&moment);
	locations_popped(&moment, (uint64_t)data);
	if (frame_any_at(moment.x[REG_SP]))
		frames_popped(&moment, (uint64_t)data);
}

/* ---- stores ---- */

struct store_site {
	uint64_t pc; /* behind the store, as a return address is behind its call */
	struct store store;
	bool saves; /* within a switch of stacks */
};

/* The word that a store leaves, and where: bytes that complete a pointer count as the whole. */
static uint64_t stored_word(const struct moment *moment, const struct store_site *site, uint64_t *va,
			    unsigned *bytes, bool *there)
{
	uint64_t value = site->store.kind == STORE_PLAIN ? moment->x[site->store.source] : 0,
		 word = *va & ~7ULL;

	*there = true;
	if (site->store.kind == STORE_PLAIN && site->store.source == 0)
		return 0;
	if (site->store.kind == STORE_PLAIN && *bytes >= 4)
		return *bytes == 8 ? value : value & 0xffffffff;
	/* Of a store in parts the last completes it; others, and atomics, are read back. */
	if (site->store.kind == STORE_PLAIN && (*va & 7) != 8 - *bytes) {
		*there = false;
		return 0;
	}
	*va = word;
	*bytes = 8;
	return follow_word(moment, word, there);
}

/* The frame of a caller whose local variable was stored to through a pointer: it has it from the call that it is in. */
static void hold_by_frame_at(const struct moment *moment, uint32_t life, uint64_t va)
{
	uint64_t fp = moment->x[REG_FP], sp = moment->x[REG_SP], pc = 0;
	bool there = true;

	if (va < fp || window_of(va) != window_of(sp - 1))
		return;
	for (unsigned i = 0; i < STACK_WALK && there && fp > sp && fp <= va; i++) {
		pc = follow_word(moment, fp - 8, &there);
		fp = follow_word(moment, fp - 16, &there);
	}
	if (there && fp > va)
		frame_hold(moment, life, fp, pc);
}

static bool within_itself(const struct life *life, uint64_t va)
{
	return va - life->base < life->bytes ||
	       (!life_is_of_object(life) && alias_own_struct(va, life->index));
}

static void add_locations(const struct moment *moment, const struct store_site *site, uint64_t value,
			  enum alias_form form, uint64_t index, uint64_t va, unsigned bytes)
{
	uint8_t observing = follow_observing(moment);
	uint32_t link = 0, i;
	/* Neither RAM nor this stack: memory of a program. */
	if (guest_linear(va) == UINT64_MAX && window_of(va) != window_of(moment->x[REG_SP] - 1))
		return;
	while ((i = life_next(index, &link))) {
		struct life *life = life_at(i);
		if (!life_hit(life, value, form) || within_itself(life, va) ||
		    !is_open(life, moment, observing) || weak_store(moment, life, value, form, va))
			continue;
		location_add(moment, i, va, bytes, site->pc, site->saves);
		hold_by_frame_at(moment, i, va);
	}
}

static __attribute__((noinline)) void follow_store(unsigned hart, uint64_t va, const struct store_site *site)
{
	unsigned bytes = site->store.bytes, whole = bytes;
	uint64_t at = va;
	enum alias_form form = ALIAS_LINEAR;
	bool there;
	struct moment moment = follow_moment(hart);
	uint64_t value = stored_word(&moment, site, &at, &whole, &there);
	uint64_t alias = there ? alias_of(value, whole, &form) : 0;
	bool to_follow = alias && life_any(alias - 1);
	if (!to_follow && !location_any_at(va))
		return;
	if (location_any_at(va)) {
		bool known = true;
		uint64_t now = bytes == 8 ? value : follow_word(&moment, va & ~7ULL, &known);
		locations_overwritten(&moment, va, va + bytes, known && bytes != 4 ? &now : NULL, site->pc,
				      site->saves);
	}
	if (to_follow)
		add_locations(&moment, site, value, form, alias - 1, at, whole);
}

/* Does it store what nobody follows? Nearly always; an atomic is not looked at here. */
static inline bool stores_nothing(const uint64_t *x, const struct store *store, uint64_t va)
{
	enum alias_form form;

	if (store->kind != STORE_PLAIN)
		return false;
	if (store->bytes < 4)
		return (va & 7) != 8U - store->bytes;
	uint64_t value = x[store->source];
	uint64_t alias = alias_of(store->bytes == 8 ? value : (uint32_t)value, store->bytes, &form);
	return !alias || !life_any(alias - 1);
}

/* Most of the time of a run is spent here: what follows nothing returns before anything is called. */
static void on_store(unsigned told, uint32_t info, uint64_t va, void *data)
{
	unsigned hart = qemu_hart(told);
	const struct store_site *site = data;

	if (!nr_lives)
		return;
	const uint64_t *x = qemu_registers(hart);
	if (location_any_at(va) || !x || !stores_nothing(x, &site->store, va))
		follow_store(hart, va, site);
}

static __attribute__((noinline)) void store_to_free(unsigned hart, uint64_t va, const struct store_site *site)
{
	struct moment moment = follow_moment(hart);
	unsigned bytes = site->store.bytes;
	uint64_t at = va;
	bool there;

	freed_stored(&moment, va, site->store.bytes, stored_word(&moment, site, &at, &bytes, &there),
		     site->pc);
}

/* The same where what is freed too early is watched: a store into it counts though nobody follows it. */
static void on_store_watching(unsigned told, uint32_t info, uint64_t va, void *data)
{
	if (freed_any_at(va))
		store_to_free(qemu_hart(told), va, data);
	on_store(told, info, va, data);
}

static void on_load(unsigned told, uint32_t info, uint64_t va, void *data)
{
	unsigned hart = qemu_hart(told);
	struct moment moment = follow_moment(hart);

	if (nr_lives)
		locations_loaded(&moment, va, (uint64_t)data);
}

/* ---- translation ---- */

/* Sites live as long as QEMU: translated code points to them. One for each store that was translated. */
static struct store_site *make_site(uint64_t pc, struct store store, bool saves)
{
	static struct store_site *block;
	static uint32_t left;

	if (!left) {
		left = 4096;
		block = calloc(left, sizeof(*block));
	}
	if (!block) {
		left = 0;
		return NULL;
	}
	struct store_site *site = &block[--left];
	*site = (struct store_site){pc, store, saves};
	return site;
}

void follow_translate(struct qemu_plugin_insn *insn, uint64_t va, uint32_t bits, unsigned size, bool first)
{
	struct store store = insn_store(bits, size);
	bool saves = ranges_have(&hooks.follow_switch, va);
	struct function_hook *function = first ? hooks_function_at(va) : NULL;

	if (first && sites_is_after_call(va))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_return, CALLBACK_READS_REGISTERS, (void *)va);
	if (function)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_entry, CALLBACK_READS_REGISTERS, function);
	if (store.kind != STORE_NOT) {
		struct store_site *site = make_site(va + size, store, saves);
		if (site)
			qemu_plugin_register_vcpu_mem_cb(insn, freed_any() ? on_store_watching : on_store,
							 CALLBACK_READS_REGISTERS, MEMORY_WRITE, site);
	} else if (saves) {
		qemu_plugin_register_vcpu_mem_cb(insn, on_load, CALLBACK_READS_REGISTERS, MEMORY_READ,
						 (void *)va);
	}
}
