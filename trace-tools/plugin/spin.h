/* SPDX-License-Identifier: MIT
 *
 * spin: the only lock of the plugin. Held for tens of nanoseconds, never across a call into QEMU.
 */
#ifndef PLUGIN_SPIN_H
#define PLUGIN_SPIN_H

#include <stdint.h>

typedef struct {
	uint32_t taken;
} __attribute__((aligned(64))) spin_t;

static inline void spin_lock(spin_t *spin)
{
	while (__atomic_exchange_n(&spin->taken, 1, __ATOMIC_ACQUIRE)) {
		while (__atomic_load_n(&spin->taken, __ATOMIC_RELAXED))
			__atomic_signal_fence(__ATOMIC_SEQ_CST);
	}
}

static inline void spin_unlock(spin_t *spin)
{
	__atomic_store_n(&spin->taken, 0, __ATOMIC_RELEASE);
}

#endif
