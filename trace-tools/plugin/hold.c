/* SPDX-License-Identifier: MIT
 *
 * hold: see hold.h.
 */
#include "hold.h"

#include <time.h>

#include "hooks.h"
#include "qemu_api.h"

#define HOLD_SECONDS 10
#define LOOK_NS 20000L

static uint64_t waits, given_up;

static bool may_go_on(unsigned hart, const struct hold *hold)
{
	struct expr_context context = {.hart = hart};
	uint64_t yes;

	return !expr_compute(&hold->until, &context, &yes) || yes;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void on_entry(unsigned told, void *data)
{
	unsigned hart = qemu_hart(told);
	const struct hold *hold = data;

	if (may_go_on(hart, hold) || hold_given_up())
		return;
	__atomic_fetch_add(&waits, 1, __ATOMIC_RELAXED);
	for (int64_t end = now_ns() + HOLD_SECONDS * 1000000000LL; !may_go_on(hart, hold);) {
		if (now_ns() > end) {
			__atomic_fetch_add(&given_up, 1, __ATOMIC_RELAXED);
			return;
		}
		nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
	}
}

void hold_translate(struct qemu_plugin_insn *insn, uint64_t va)
{
	for (uint32_t i = 0; i < hooks.nr_holds; i++) {
		if (hooks.holds[i].entry == va)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_entry, CALLBACK_NO_REGISTERS,
							       &hooks.holds[i]);
	}
}

uint64_t hold_waits(void)
{
	return __atomic_load_n(&waits, __ATOMIC_RELAXED);
}

uint64_t hold_given_up(void)
{
	return __atomic_load_n(&given_up, __ATOMIC_RELAXED);
}
