/* SPDX-License-Identifier: MIT */
/*
 * The initrd as a block device: blocks are copied between it and the page cache. Its pages are of kind
 * RAMDISK, claimed at boot for good, so what is written there is visible to the host in guest RAM, and lost
 * at power-off.
 *
 * Locks: none. Two transfers of one block at once do not happen: the page cache has one page for a block and
 * at most one transfer on it.
 */
#include "block_priv.h"
#include <kernel/arch.h>
#include <kernel/errno.h>
#include <kernel/lib.h>

static int ramdisk_transfer(struct block_device *dev, u64 block, u32 nr, void *kernel_va, bool write)
{
	u8 *disk = (u8 *)dev->private + block * BLOCK_BYTES;

	if (block >= dev->nr_blocks || nr > dev->nr_blocks - block)
		return -EIO;
	__atomic_fetch_add(write ? &dev->nr_writes : &dev->nr_reads, 1, __ATOMIC_RELAXED);
	if (write)
		memcpy(disk, kernel_va, nr * BLOCK_BYTES);
	else
		memcpy(kernel_va, disk, nr * BLOCK_BYTES);
	return 0;
}

static struct block_device ramdisk = {.name = "ramdisk", .transfer = ramdisk_transfer};

void ramdisk_init(paddr_t start, paddr_t end)
{
	if (end <= start)
		return;
	ramdisk.private = pa_to_va(start);
	ramdisk.nr_blocks = (end - start) / BLOCK_BYTES;
	block_offer_root(&ramdisk, true);
}
