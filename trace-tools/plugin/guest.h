/* SPDX-License-Identifier: MIT
 *
 * guest: the guest's memory as the host sees it, by virtual or physical address.
 *
 * QEMU keeps guest RAM in one block of its own memory; the plugin reads it there, without a copy. Virtual addresses go,
 * in this order: the linear mappings of the hooks file; a small cache per hart; QEMU's walk of the hart's tables.
 * A kernel stack in xv6 is such an address: mapped high, no linear mapping.
 *
 * GUEST-1  The cache of a hart is emptied whenever that hart writes satp or executes sfence.vma (guest_forget), so it never
 *          outlives the tables that it was read from: some kernels map another stack at the same address for each process.
 * GUEST-2  A hart's cache is used by that hart's thread alone.
 */
#ifndef PLUGIN_GUEST_H
#define PLUGIN_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "bounds.h"

/* RAM: set once, before the first instruction is translated. False: not found. */
bool guest_find_ram(uint64_t base);
uint64_t guest_ram_base(void);
uint64_t guest_ram_bytes(void);

/* NULL: not wholly RAM. */
uint8_t *guest_pa(uint64_t pa, uint64_t bytes);
/* NONE: not mapped. */
uint64_t guest_va_to_pa(unsigned hart, uint64_t va);
/* NULL: not mapped, not RAM, or across a page's border. */
uint8_t *guest_va(unsigned hart, uint64_t va, uint64_t bytes);
/* Physical address by the linear mappings alone; NONE: none of them has it. Cheap. */
uint64_t guest_linear(uint64_t va);

void guest_forget(unsigned hart);
uint64_t guest_walks(void); /* how often QEMU was asked */

#endif
