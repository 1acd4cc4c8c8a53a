/* SPDX-License-Identifier: MIT
 *
 * sites: where threads go on after a call of a hooked function; see calls.h.
 *
 * SITES-1  A site is recognised by the code before it: `jal ra, f`, or `auipc rd, …; jalr ra, …(rd)`, with f hooked.
 * SITES-2  What cannot be recognised so is learned, once, from the return address of a call that was made.
 */
#ifndef PLUGIN_SITES_H
#define PLUGIN_SITES_H

#include <stdbool.h>
#include <stdint.h>

/* A hooked function, before the guest starts. */
void sites_callee(uint64_t entry);
/* While a block that begins at va is translated. */
bool sites_is_return(uint64_t va);
/* Does a call end at va, whatever it calls? */
bool sites_is_after_call(uint64_t va);
/* A call returns to ra. */
void sites_learn(unsigned hart, uint64_t ra);
uint64_t sites_learned(void);

#endif
