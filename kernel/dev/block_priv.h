/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_DEV_BLOCK_PRIV_H
#define KERNEL_DEV_BLOCK_PRIV_H

#include <kernel/dev.h>

/* A ramdisk comes before every other device, else the first one offered is the root. */
void block_offer_root(struct block_device *device, bool is_ramdisk);

#endif
