/* SPDX-License-Identifier: MIT */
/*
 * dev: UART, console, block devices, and the table of character devices that fs opens by number.
 *
 * What lies above knows two shapes only. A block device moves whole pages, now or begun ahead with a function to call at the end; a
 * character device reads and writes bytes of user memory. /dev/console has major number 1 in its inode, and open finds the table's entry
 * by it: so fs needs no device's name, and a device no file system.
 */
#ifndef KERNEL_DEV_H
#define KERNEL_DEV_H

#include <kernel/claims.h>
#include <kernel/types.h>

void uart_init(void);
void uart_write(const char *bytes, size_t size_bytes); /* any context; kprintf's sink */
void console_init(void);                               /* also enables the UART's interrupt */
void chardev_init(void);                               /* null, zero */
void statistics_init(void);

/* Calls handler(irq) on the boot hart, interrupts off, for this PLIC source; enables the source. */
void dev_irq_register(u32 irq, void (*handler)(u32 irq));

/* ---- character devices ---- */

/* user addresses; offset is the file's. Return bytes or negative errno. May sleep. */
struct char_device {
	const char *name;
	ssize_t (*read)(uaddr_t dst, size_t size_bytes, u64 *offset);
	ssize_t (*write)(uaddr_t src, size_t size_bytes, u64 *offset);
};
#define DEV_MAJOR_CONSOLE 1
#define DEV_MAJOR_STATISTICS 2
#define DEV_MAJOR_NULL 3
#define DEV_MAJOR_ZERO 4
#define DEV_MAJOR_NR 8

void dev_register(u16 major, const struct char_device *device);
const struct char_device *dev_lookup(u16 major); /* NULL: none */

/* ---- block devices ---- */

#define BLOCK_BYTES 4096UL
#define BLOCK_READ_MAX 16

/* Consecutive blocks, read into pages that need not be consecutive, while the one who began it goes on. */
struct block_read {
	u64 block;
	u32 nr; /* 1 to BLOCK_READ_MAX */
	struct page *pages[BLOCK_READ_MAX];
	/* Called once when it has ended, 0 or -EIO: with no lock held, in an interrupt or before start_read returns. */
	void (*done)(struct block_read *read, int err);
};

struct block_device {
	const char *name;
	u64 nr_blocks; /* of BLOCK_BYTES */
	/* Moves nr whole blocks between the device and kernel memory; sleeps; 0 or -EIO. */
	/* kernel_va lies in the direct map: devices are given its physical address. */
	int (*transfer)(struct block_device *dev, u64 block, u32 nr, void *kernel_va, bool write);
	/* Begins a read; 0, or -EBUSY when too many are under way: then done is not called. NULL: the device cannot. */
	int (*start_read)(struct block_device *dev, struct block_read *read);
	u64 nr_reads, nr_writes; /* requests; atomic */
	/* Returns when every finished write is on stable storage. NULL: they always are. */
	int (*flush)(struct block_device *dev);
	void *private;
};

/* The root disk: the ramdisk if there is one, else the first virtio-blk, else NULL. */
struct block_device *block_root(void);
void ramdisk_init(paddr_t start, paddr_t end);
void virtio_blk_init(void); /* probes machine.virtio[] */
void virtio_claims(struct claims *claims);

#endif
