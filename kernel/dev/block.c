/* SPDX-License-Identifier: MIT */
/* Which block device holds the root file system. Drivers offer theirs at boot, on one hart. */
#include "block_priv.h"

static struct block_device *root_device;
static bool root_is_ramdisk;

void block_offer_root(struct block_device *device, bool is_ramdisk)
{
	if (root_device && (root_is_ramdisk || !is_ramdisk))
		return;
	root_device = device;
	root_is_ramdisk = is_ramdisk;
}

struct block_device *block_root(void)
{
	return root_device;
}
