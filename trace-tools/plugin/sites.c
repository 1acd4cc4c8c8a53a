/* SPDX-License-Identifier: MIT
 *
 * sites: see sites.h.
 */
#include "sites.h"

#include <string.h>

#include "bounds.h"
#include "guest.h"
#include "hooks.h"
#include "qemu_api.h"
#include "spin.h"

#define SET_SLOTS 8192 /* a power of two */

/* A set of addresses: added to under the lock, looked up without. */
struct set {
	uint32_t nr;
	uint64_t slots[SET_SLOTS];
};

static struct set callees; /* entries of hooked functions */
static struct set known;   /* return sites that have been seen, and need no second look */
static struct set learned; /* those of them that the code before does not show */
static spin_t lock;

static uint64_t *slot_of(struct set *set, uint64_t address)
{
	uint64_t i = (address >> 1) * 0x9e3779b97f4a7c15ULL >> 40;

	for (;; i++) {
		uint64_t *slot = &set->slots[i & (SET_SLOTS - 1)];
		uint64_t there = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
		if (!there || there == address)
			return slot;
	}
}

static bool has(struct set *set, uint64_t address)
{
	return __atomic_load_n(slot_of(set, address), __ATOMIC_ACQUIRE) == address;
}

/* False: it is full. A full set costs time (known) or events (learned; counted as calls that never return). */
static bool add(struct set *set, uint64_t address)
{
	spin_lock(&lock);
	bool room = set->nr < SET_SLOTS / 2;
	uint64_t *slot = slot_of(set, address);
	if (room && !*slot) {
		set->nr++;
		__atomic_store_n(slot, address, __ATOMIC_RELEASE);
	}
	spin_unlock(&lock);
	return room;
}

void sites_callee(uint64_t entry)
{
	add(&callees, entry);
}

/* Code before an address that is itself mapped code; 0 where it cannot be read. */
static uint32_t code(unsigned hart, uint64_t va)
{
	const uint8_t *low = guest_va(hart, va, 2), *high = guest_va(hart, va + 2, 2);
	uint16_t halves[2];

	if (!low || !high)
		return 0;
	memcpy(&halves[0], low, 2);
	memcpy(&halves[1], high, 2);
	return halves[0] | (uint32_t)halves[1] << 16;
}

static int64_t jal_offset(uint32_t insn)
{
	uint32_t offset = (insn >> 21 & 0x3ff) << 1 | (insn >> 20 & 1) << 11 | (insn >> 12 & 0xff) << 12;

	return (int64_t)offset - (insn >> 31 ? 1 << 20 : 0);
}

/* The function that the code before va calls; 0: none, or a register says where. */
static uint64_t called_before(unsigned hart, uint64_t va)
{
	uint32_t call = code(hart, va - 4);

	if ((call & 0xfff) == 0x0ef) /* jal ra */
		return va - 4 + (uint64_t)jal_offset(call);
	if ((call & 0x707f) != 0x0067)
		return 0;
	if ((call >> 7 & 31) != 1) /* jalr ra */
		return 0;
	uint32_t upper = code(hart, va - 8);
	if ((upper & 0x7f) != 0x17 || (upper >> 7 & 31) != (call >> 15 & 31))
		return 0;
	return va - 8 + (uint64_t)(int64_t)(int32_t)(upper & 0xfffff000) +
	       (uint64_t)(int64_t)((int32_t)call >> 20);
}

static bool is_shown(unsigned hart, uint64_t va)
{
	uint64_t callee = called_before(hart, va);

	return callee && has(&callees, callee);
}

bool sites_is_return(uint64_t va)
{
	return has(&learned, va) || is_shown(qemu_current_hart(), va);
}

bool sites_is_after_call(uint64_t va)
{
	uint32_t call = code(qemu_current_hart(), va - 4), half = call >> 16;
	bool short_call = (half & 0xf07f) == 0x9002 && (half & 0x0f80); /* c.jalr */

	return short_call || (call & 0xfff) == 0x0ef ||
	       ((call & 0x707f) == 0x0067 && (call >> 7 & 31) == REG_RA);
}

void sites_learn(unsigned hart, uint64_t ra)
{
	if (has(&known, ra))
		return;
	if (!is_shown(hart, ra) && !has(&learned, ra) && add(&learned, ra))
		qemu_flush(hart);
	add(&known, ra);
}

uint64_t sites_learned(void)
{
	return learned.nr;
}
