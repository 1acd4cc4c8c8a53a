/* SPDX-License-Identifier: MIT
 *
 * hold: the machine stands still at a function's entry until its memory says that it may go on.
 *
 * A kernel that hands its trace to the host waits when a ring is full. How long the host takes is no matter of the guest's,
 * but each look of its waiting loop is an instruction, and under -icount an instruction is time: the run then depends on how
 * busy the host is. Idea: the hart stops in a callback before the loop, where no guest instruction passes; the host reads the
 * ring's memory meanwhile, and the loop finds room at its first look. The hooks file says where and until when:
 *
 *	hold entry=0xffffffc080220c32 until=u64[0x…88]-u64[0x…90]<u32[0x…14]
 *
 * HOLD-1  The wait ends at the latest after HOLD_SECONDS of the host's time, else a machine could not be ended while its
 *         consumer is gone. From then on nothing is held, and the summary counts it: such a run may differ from the next.
 * HOLD-2  A condition that cannot be computed holds nothing.
 */
#ifndef PLUGIN_HOLD_H
#define PLUGIN_HOLD_H

#include <stdint.h>

struct qemu_plugin_insn;

void hold_translate(struct qemu_plugin_insn *insn, uint64_t va);
uint64_t hold_waits(void);    /* entries at which the machine stood still */
uint64_t hold_given_up(void); /* of these, those that ended without their condition */

#endif
