/* SPDX-License-Identifier: MIT
 *
 * act: small questions that every callback asks: which process, which page.
 */
#ifndef PLUGIN_ACT_H
#define PLUGIN_ACT_H

#include <stdint.h>

#include "hooks.h"

/* The process that runs on the hart, by the hooks file; 0: unknown or none. */
uint16_t act_pid(unsigned hart);
/* The physical address that a raw value of the guest stands for; NONE: no page. */
uint64_t act_page(unsigned hart, enum page_type type, uint64_t raw);

#endif
