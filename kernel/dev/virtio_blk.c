/* SPDX-License-Identifier: MIT */
/*
 * virtio-blk over virtio-mmio: the legacy register layout (version 1) and the modern one (version 2).
 * Source of registers, ring and request layout: Virtual I/O Device (VIRTIO) 1.1, sections 2.6, 4.2 and 5.2.
 *
 * One queue of 128 descriptors, cut into 18 chains of three (header, data, status byte) for requests that somebody waits
 * for, and 4 of eighteen (header, 16 pages, status byte) for reads that end by themselves. A chain belongs to a
 * request slot for good, so descriptors need no free list. Everything the device reads or writes besides the data
 * is in one page of kind DEVICE:
 *
 *   0     descriptors  128 * 16 bytes
 *   2048  avail ring    6 + 2 * 128
 *   2560  used ring     6 + 8 * 128
 *   3592  headers      22 * 16
 *   3944  status bytes 22
 *
 * VIRTIO-1  a slot is free, or busy from submission until its waiter has seen the answer; one without a waiter, until the
 *           interrupt has.
 * VIRTIO-2  used_seen follows the device's used index; each used element names a busy slot.
 *
 * Locks: `disk` guards slots and rings; taken by the interrupt, too. Waiters sleep, several at a time.
 */
#include "block_priv.h"
#include <kernel/arch.h>
#include <kernel/errno.h>
#include <kernel/lib.h>
#include <kernel/waitqueue.h>

#define QUEUE_SIZE 128
#define NR_SHORT 18U /* slots 0 .. 17 */
#define NR_LONG 4U   /* and those behind */
#define NR_SLOTS (NR_SHORT + NR_LONG)
#define LONG_CHAIN (2 + BLOCK_READ_MAX) /* descriptors */
#define RING_ALIGN 512
#define AVAIL_OFFSET 2048
#define USED_OFFSET 2560
#define HEADER_OFFSET 3592
#define STATUS_OFFSET 3944
#define SECTORS_PER_BLOCK (BLOCK_BYTES / 512)

enum mmio_register {
	REG_MAGIC = 0x00,
	REG_VERSION = 0x04,
	REG_DEVICE_ID = 0x08,
	REG_DEVICE_FEATURES = 0x10,
	REG_DEVICE_FEATURES_SEL = 0x14,
	REG_DRIVER_FEATURES = 0x20,
	REG_DRIVER_FEATURES_SEL = 0x24,
	REG_GUEST_PAGE_SIZE = 0x28, /* version 1 */
	REG_QUEUE_SEL = 0x30,
	REG_QUEUE_NUM_MAX = 0x34,
	REG_QUEUE_NUM = 0x38,
	REG_QUEUE_ALIGN = 0x3c, /* version 1 */
	REG_QUEUE_PFN = 0x40,   /* version 1 */
	REG_QUEUE_READY = 0x44,
	REG_QUEUE_NOTIFY = 0x50,
	REG_INTERRUPT_STATUS = 0x60,
	REG_INTERRUPT_ACK = 0x64,
	REG_STATUS = 0x70,
	REG_QUEUE_DESC = 0x80, /* 64 bits, as the next two */
	REG_QUEUE_DRIVER = 0x90,
	REG_QUEUE_DEVICE = 0xa0,
	REG_CONFIG_GENERATION = 0xfc,
	REG_CONFIG_CAPACITY = 0x100, /* 64 bits, 512-byte sectors */
};
#define MMIO_MAGIC 0x74726976
#define DEVICE_ID_BLOCK 2

#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER 2
#define STATUS_DRIVER_OK 4
#define STATUS_FEATURES_OK 8
#define STATUS_FAILED 128

#define FEATURE_READ_ONLY (1UL << 5)
#define FEATURE_FLUSH (1UL << 9)
#define FEATURE_VERSION_1 (1UL << 32)

#define DESC_NEXT 1
#define DESC_WRITE 2 /* the device writes */

#define REQUEST_IN 0
#define REQUEST_OUT 1
#define REQUEST_FLUSH 4

struct vq_desc {
	u64 pa;
	u32 size_bytes;
	u16 flags;
	u16 next;
};

struct vq_avail {
	u16 flags;
	u16 index;
	u16 ring[QUEUE_SIZE];
};

struct vq_used {
	u16 flags;
	u16 index;
	struct {
		u32 id;
		u32 size_bytes;
	} ring[QUEUE_SIZE];
};

struct request_header {
	u32 type;
	u32 reserved;
	u64 sector;
};

STATIC_ASSERT(3 * NR_SHORT + LONG_CHAIN * NR_LONG <= QUEUE_SIZE, "every chain has its descriptors");
STATIC_ASSERT(sizeof(struct vq_desc) * QUEUE_SIZE == AVAIL_OFFSET, "VIRTIO 2.6.5, and 2.6.2 for version 1");
STATIC_ASSERT(USED_OFFSET % RING_ALIGN == 0 && USED_OFFSET - AVAIL_OFFSET - 4 - 2 * QUEUE_SIZE < RING_ALIGN,
	      "VIRTIO 2.6.2: where version 1 looks for the used ring");
STATIC_ASSERT(AVAIL_OFFSET + sizeof(struct vq_avail) <= USED_OFFSET, "VIRTIO 2.6.6");
STATIC_ASSERT(USED_OFFSET + sizeof(struct vq_used) <= HEADER_OFFSET, "VIRTIO 2.6.8");
STATIC_ASSERT(HEADER_OFFSET % 8 == 0 &&
		  HEADER_OFFSET + sizeof(struct request_header) * NR_SLOTS <= STATUS_OFFSET &&
		  STATUS_OFFSET + NR_SLOTS <= PAGE_SIZE,
	      "page layout");

static struct {
	struct spinlock lock;
	volatile u8 *regs; /* NULL: no disk */
	u32 irq;
	bool has_flush;
	struct page *page;
	struct vq_desc *desc;
	struct vq_avail *avail;
	volatile struct vq_used *used;
	struct request_header *headers;
	volatile u8 *status;
	u16 used_seen;
	struct waitqueue slot_wait; /* for a free slot */
	struct {
		bool busy;
		bool done;
		struct waitqueue wait;
		struct block_read *read; /* of a long one */
	} slots[NR_SLOTS];
	struct block_device device;
} disk = {.lock = SPINLOCK_INIT_NAMED(disk, "virtio_blk")};

static u32 reg_read(volatile u8 *regs, u32 reg)
{
	return *(volatile u32 *)(regs + reg);
}
static void reg_write(volatile u8 *regs, u32 reg, u32 value)
{
	*(volatile u32 *)(regs + reg) = value;
}

static void reg_write_pa(volatile u8 *regs, u32 reg, paddr_t pa)
{
	reg_write(regs, reg, (u32)pa);
	reg_write(regs, reg + 4, (u32)(pa >> 32));
}

/* Rings and device registers, each way. */
static void device_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static u16 head_of(u32 slot)
{
	return (u16)(slot < NR_SHORT ? 3 * slot : 3 * NR_SHORT + LONG_CHAIN * (slot - NR_SHORT));
}
static u32 slot_of(u32 head)
{
	return head < 3 * NR_SHORT ? head / 3 : NR_SHORT + (head - 3 * NR_SHORT) / LONG_CHAIN;
}

/* Header and status of a slot's request; nr descriptors of data are between, made by the caller. */
static void submit_locked(u32 slot, u32 type, u64 sector, u32 nr)
{
	u16 head = head_of(slot), last = (u16)(head + 1 + nr);
	paddr_t queue_pa = page_to_pa(disk.page);

	disk.headers[slot] = (struct request_header){.type = type, .sector = sector};
	disk.status[slot] = 0xff;
	disk.slots[slot].done = false;
	disk.desc[head] =
	    (struct vq_desc){.pa = queue_pa + HEADER_OFFSET + slot * sizeof(struct request_header),
			     .size_bytes = sizeof(struct request_header),
			     .flags = DESC_NEXT,
			     .next = (u16)(head + 1)};
	disk.desc[last] = (struct vq_desc){
	    .pa = queue_pa + STATUS_OFFSET + slot, .size_bytes = 1, .flags = DESC_WRITE, .next = 0};

	disk.avail->ring[disk.avail->index % QUEUE_SIZE] = head;
	device_fence();
	*(volatile u16 *)&disk.avail->index = (u16)(disk.avail->index + 1);
	device_fence();
	reg_write(disk.regs, REG_QUEUE_NOTIFY, 0);
}

static void data_descriptor(u32 slot, u32 i, paddr_t pa, u32 size_bytes, u32 type)
{
	u16 at = (u16)(head_of(slot) + 1 + i);

	disk.desc[at] = (struct vq_desc){.pa = pa,
					 .size_bytes = size_bytes,
					 .flags = DESC_NEXT | (type == REQUEST_IN ? DESC_WRITE : 0),
					 .next = (u16)(at + 1)};
}

static void complain(u32 type, u64 sector, u8 status)
{
	kprintf("virtio_blk: request %u at sector %lu failed, status %u\n", type, sector, status);
}

/* ---- answers ---- */

struct ended {
	u32 nr;
	struct {
		struct block_read *read;
		u8 status;
	} reads[NR_LONG];
};

/* Used elements since last time: their waiters may go on; reads without one are for the caller to end. */
static void collect_locked(struct ended *ended)
{
	ended->nr = 0;
	while (disk.used_seen != disk.used->index) {
		device_fence();
		u32 slot = slot_of(disk.used->ring[disk.used_seen % QUEUE_SIZE].id);

		if (slot >= NR_SLOTS || !disk.slots[slot].busy)
			panic("virtio_blk: the device answers slot %u, which asked nothing", slot);
		if (slot < NR_SHORT) {
			disk.slots[slot].done = true;
			wait_wake_all(&disk.slots[slot].wait);
		} else {
			ended->reads[ended->nr].read = disk.slots[slot].read;
			ended->reads[ended->nr++].status = disk.status[slot];
			disk.slots[slot].busy = false;
		}
		disk.used_seen++;
	}
}

static void virtio_blk_interrupt(u32 irq)
{
	struct ended ended;

	spin_lock(&disk.lock);
	reg_write(disk.regs, REG_INTERRUPT_ACK, reg_read(disk.regs, REG_INTERRUPT_STATUS) & 3);
	device_fence();
	collect_locked(&ended);
	spin_unlock(&disk.lock);
	for (u32 i = 0; i < ended.nr; i++) {
		struct block_read *read = ended.reads[i].read;
		u8 status = ended.reads[i].status;

		if (status)
			complain(REQUEST_IN, read->block * SECTORS_PER_BLOCK, status);
		read->done(read, status ? -EIO : 0);
	}
}

/* ---- requests ---- */

/* The first free slot in [from, to), now busy; NR_SLOTS: none. */
static u32 try_slot_locked(u32 from, u32 to)
{
	for (u32 slot = from; slot < to; slot++) {
		if (!disk.slots[slot].busy) {
			disk.slots[slot].busy = true;
			return slot;
		}
	}
	return NR_SLOTS;
}

static int request(u32 type, u64 sector, void *data, u32 size_bytes)
{
	u32 slot;
	u8 status;

	__atomic_fetch_add(type == REQUEST_IN ? &disk.device.nr_reads : &disk.device.nr_writes, 1,
			   __ATOMIC_RELAXED);
	spin_lock(&disk.lock);
	while ((slot = try_slot_locked(0, NR_SHORT)) == NR_SLOTS)
		wait_sleep(&disk.slot_wait, &disk.lock, 0);
	if (data)
		data_descriptor(slot, 0, va_to_pa(data), size_bytes, type);
	submit_locked(slot, type, sector, data ? 1 : 0);
	while (!disk.slots[slot].done)
		wait_sleep(&disk.slots[slot].wait, &disk.lock, 0);
	status = disk.status[slot];
	disk.slots[slot].busy = false;
	wait_wake_one(&disk.slot_wait);
	spin_unlock(&disk.lock);
	if (status == 0)
		return 0;
	complain(type, sector, status);
	return -EIO;
}

static int virtio_blk_transfer(struct block_device *dev, u64 block, u32 nr, void *kernel_va, bool write)
{
	if (block >= dev->nr_blocks || nr > dev->nr_blocks - block)
		return -EIO;
	return request(write ? REQUEST_OUT : REQUEST_IN, block * SECTORS_PER_BLOCK, kernel_va,
		       (u32)(nr * BLOCK_BYTES));
}

static int virtio_blk_start_read(struct block_device *dev, struct block_read *read)
{
	u32 slot;

	if (read->block >= dev->nr_blocks || read->nr > dev->nr_blocks - read->block) {
		read->done(read, -EIO);
		return 0;
	}
	spin_lock(&disk.lock);
	slot = try_slot_locked(NR_SHORT, NR_SLOTS);
	if (slot != NR_SLOTS) {
		disk.slots[slot].read = read;
		for (u32 i = 0; i < read->nr; i++)
			data_descriptor(slot, i, page_to_pa(read->pages[i]), BLOCK_BYTES, REQUEST_IN);
		submit_locked(slot, REQUEST_IN, read->block * SECTORS_PER_BLOCK, read->nr);
		__atomic_fetch_add(&dev->nr_reads, 1, __ATOMIC_RELAXED);
	}
	spin_unlock(&disk.lock);
	return slot == NR_SLOTS ? -EBUSY : 0;
}

static int virtio_blk_flush(struct block_device *dev)
{
	return disk.has_flush ? request(REQUEST_FLUSH, 0, NULL, 0) : 0;
}

static u64 features_offered(volatile u8 *regs)
{
	u64 features = 0;

	for (u32 i = 0; i < 2; i++) {
		reg_write(regs, REG_DEVICE_FEATURES_SEL, i);
		features |= (u64)reg_read(regs, REG_DEVICE_FEATURES) << (32 * i);
	}
	return features;
}

static void features_accept(volatile u8 *regs, u64 features)
{
	for (u32 i = 0; i < 2; i++) {
		reg_write(regs, REG_DRIVER_FEATURES_SEL, i);
		reg_write(regs, REG_DRIVER_FEATURES, (u32)(features >> (32 * i)));
	}
}

static u64 read_capacity(volatile u8 *regs, u32 version)
{
	for (;;) {
		u32 before = version == 2 ? reg_read(regs, REG_CONFIG_GENERATION) : 0;
		u64 low = reg_read(regs, REG_CONFIG_CAPACITY);
		u64 high = reg_read(regs, REG_CONFIG_CAPACITY + 4);

		if (version != 2 || reg_read(regs, REG_CONFIG_GENERATION) == before)
			return high << 32 | low;
	}
}

static bool queue_setup(volatile u8 *regs, u32 version)
{
	reg_write(regs, REG_QUEUE_SEL, 0);
	if (reg_read(regs, REG_QUEUE_NUM_MAX) < QUEUE_SIZE)
		return false;
	disk.page = page_alloc(0, PK_DEVICE, REF_OWNER, HOLDER_NONE, ALLOC_ZEROED);
	if (!disk.page)
		return false;
	paddr_t pa = page_to_pa(disk.page);
	u8 *va = page_to_va(disk.page);
	disk.desc = (struct vq_desc *)va;
	disk.avail = (struct vq_avail *)(va + AVAIL_OFFSET);
	disk.used = (volatile struct vq_used *)(va + USED_OFFSET);
	disk.headers = (struct request_header *)(va + HEADER_OFFSET);
	disk.status = va + STATUS_OFFSET;
	reg_write(regs, REG_QUEUE_NUM, QUEUE_SIZE);
	if (version == 1) {
		reg_write(regs, REG_QUEUE_ALIGN, RING_ALIGN);
		reg_write(regs, REG_QUEUE_PFN, (u32)(pa >> PAGE_SHIFT));
	} else {
		reg_write_pa(regs, REG_QUEUE_DESC, pa);
		reg_write_pa(regs, REG_QUEUE_DRIVER, pa + AVAIL_OFFSET);
		reg_write_pa(regs, REG_QUEUE_DEVICE, pa + USED_OFFSET);
		reg_write(regs, REG_QUEUE_READY, 1);
	}
	return true;
}

/* VIRTIO 3.1.1. NULL, or why the device cannot be used. */
static const char *device_setup(volatile u8 *regs, u32 version)
{
	u32 status = STATUS_ACKNOWLEDGE | STATUS_DRIVER;

	reg_write(regs, REG_STATUS, 0);
	reg_write(regs, REG_STATUS, STATUS_ACKNOWLEDGE);
	reg_write(regs, REG_STATUS, status);
	u64 offered = features_offered(regs);
	if (offered & FEATURE_READ_ONLY)
		return "it is read-only";
	if (version == 2 && !(offered & FEATURE_VERSION_1))
		return "it lacks the version-1 feature";
	disk.has_flush = offered & FEATURE_FLUSH;
	features_accept(regs, offered & (FEATURE_FLUSH | (version == 2 ? FEATURE_VERSION_1 : 0)));
	if (version == 1) {
		reg_write(regs, REG_GUEST_PAGE_SIZE, PAGE_SIZE);
	} else {
		status |= STATUS_FEATURES_OK;
		reg_write(regs, REG_STATUS, status);
		if (!(reg_read(regs, REG_STATUS) & STATUS_FEATURES_OK))
			return "it refuses our features";
	}
	if (!queue_setup(regs, version))
		return "its queue cannot be set up";
	reg_write(regs, REG_STATUS, status | STATUS_DRIVER_OK);
	return NULL;
}

static bool probe(u64 pa, u32 irq)
{
	volatile u8 *regs = pa_to_va(pa);
	u32 version = reg_read(regs, REG_VERSION);
	const char *why;

	if (reg_read(regs, REG_MAGIC) != MMIO_MAGIC || reg_read(regs, REG_DEVICE_ID) != DEVICE_ID_BLOCK)
		return false;
	if (version != 1 && version != 2)
		return false;
	wait_init(&disk.slot_wait);
	for (u32 i = 0; i < NR_SLOTS; i++)
		wait_init(&disk.slots[i].wait);
	why = device_setup(regs, version);
	if (why) {
		kprintf("virtio_blk at 0x%lx: not used: %s\n", pa, why);
		reg_write(regs, REG_STATUS, STATUS_FAILED);
		return false;
	}
	disk.regs = regs;
	disk.irq = irq;
	disk.device = (struct block_device){
	    .name = "virtio_blk",
	    .nr_blocks = read_capacity(regs, version) / SECTORS_PER_BLOCK,
	    .transfer = virtio_blk_transfer,
	    .start_read = virtio_blk_start_read,
	    .flush = virtio_blk_flush,
	};
	dev_irq_register(irq, virtio_blk_interrupt);
	block_offer_root(&disk.device, false);
	return true;
}

void virtio_blk_init(void)
{
	for (u32 i = 0; i < machine.nr_virtio && !disk.regs; i++)
		probe(machine.virtio[i].pa, machine.virtio[i].irq);
}

void virtio_claims(struct claims *claims)
{
	if (disk.page)
		claim_page(claims, disk.page, REF_OWNER, HOLDER_NONE);
}
