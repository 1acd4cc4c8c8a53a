/* SPDX-License-Identifier: MIT */
/*
 * ext2: mount, sync, the superblock.
 *
 * The free counts of the superblock are kept in memory and stored with it: at a sync, at the first change after one, and
 * when it is unmounted. Its page is held from mount to unmount, so storing it needs no memory; it is written here
 * and never by write-back.
 */
#include "ext2_priv.h"
#include <kernel/arch.h>

#define MESSAGES_MAX 20 /* a damaged disk could otherwise fill the console for ever */

static struct ext2 root_fs; /* one ext2 at a time: holders in the trace are inode numbers only */

int ext2_damaged(struct ext2 *fs, const char *fmt, ...)
{
	char text[100];
	va_list args;

	fs->has_errors = true;
	if (fs->nr_messages++ < MESSAGES_MAX) {
		va_start(args, fmt);
		kvsnprintf(text, sizeof(text), fmt, args);
		va_end(args);
		kprintf("ext2 (%s) is damaged: %s\n", fs->device->name, text);
	}
	return -EUCLEAN;
}

u32 ext2_time(const struct ext2 *fs)
{
	return fs->base_time + (u32)(arch_time() / TIME_HZ);
}

static struct ext2_disk_super *disk_super(const struct ext2 *fs)
{
	return (struct ext2_disk_super *)((u8 *)page_to_va(fs->super_page) + EXT2_SUPER_OFFSET);
}

/* ---- writing ---- */

static int store_super_locked(struct ext2 *fs, bool clean)
{
	struct ext2_disk_super *super = disk_super(fs);

	__atomic_store_n(&fs->clean, clean, __ATOMIC_SEQ_CST);
	super->free_blocks_count = fs->nr_free_blocks;
	super->free_inodes_count = fs->nr_free_inodes;
	super->wtime = ext2_time(fs);
	super->state = (u16)((clean ? EXT2_STATE_VALID : 0) | (fs->has_errors ? EXT2_STATE_ERROR : 0));
	return fs->device->transfer(fs->device, 0, 1, page_to_va(fs->super_page), true);
}

int ext2_write_super(struct ext2 *fs, bool clean)
{
	int err;

	sleeplock_acquire(&fs->super_lock);
	err = store_super_locked(fs, clean);
	sleeplock_release(&fs->super_lock);
	return err;
}

void ext2_touch(struct ext2 *fs)
{
	__atomic_fetch_add(&fs->nr_changes, 1, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&fs->clean, __ATOMIC_SEQ_CST))
		return;
	sleeplock_acquire(&fs->super_lock);
	if (fs->clean && store_super_locked(fs, false))
		kprintf("ext2 (%s): the superblock cannot be written\n", fs->device->name);
	sleeplock_release(&fs->super_lock);
}

/* Clean is what had no change since `changes` was read, before everything was written. */
static int mark_clean(struct ext2 *fs, u64 changes)
{
	int err;

	sleeplock_acquire(&fs->super_lock);
	__atomic_store_n(&fs->clean, true, __ATOMIC_SEQ_CST);
	err = store_super_locked(fs, __atomic_load_n(&fs->nr_changes, __ATOMIC_SEQ_CST) == changes &&
					 !fs->has_errors);
	sleeplock_release(&fs->super_lock);
	return err;
}

static int flush_device(struct ext2 *fs)
{
	return fs->device->flush ? fs->device->flush(fs->device) : 0;
}

static int ext2_sync(struct superblock *sb)
{
	struct ext2 *fs = sb->private;
	u64 changes = __atomic_load_n(&fs->nr_changes, __ATOMIC_SEQ_CST);
	int err = icache_write_dirty();
	int err2 = pagecache_sync_all();

	if (!err)
		err = err2;
	/* A file without a name that is not freed yet, in use or left over, is what e2fsck would have to free. */
	err2 = err || icache_nr_deleted(sb) ? ext2_write_super(fs, false) : mark_clean(fs, changes);
	if (!err)
		err = err2;
	err2 = flush_device(fs);
	return err ? err : err2;
}

int ext2_fsync(struct inode *inode)
{
	struct ext2 *fs = ext2_of(inode);
	int err = inode->dirty ? ext2_write_inode(inode) : 0;

	if (!err)
		err = pagecache_sync(&inode->mapping);
	if (!err)
		err = pagecache_sync(&fs->blocks);
	if (!err && !fs->clean)
		err = ext2_write_super(fs, false);
	return err ? err : flush_device(fs);
}

static void ext2_statfs(struct superblock *sb, struct statfs *out)
{
	const struct ext2 *fs = sb->private;

	out->f_type = EXT2_MAGIC;
	out->f_bsize = BLOCK_BYTES;
	out->f_blocks = fs->nr_blocks;
	out->f_bfree = fs->nr_free_blocks;
	out->f_files = fs->nr_inodes;
	out->f_ffree = fs->nr_free_inodes;
}

/* ---- the device's mapping ---- */

static struct ext2 *fs_of(struct mapping *blocks)
{
	return CONTAINER_OF(blocks, struct ext2, blocks);
}

static int read_block(struct mapping *blocks, u32 index, void *kernel_va)
{
	struct block_device *device = fs_of(blocks)->device;

	return device->transfer(device, index, 1, kernel_va, false);
}

static int write_block(struct mapping *blocks, u32 index, u32 block, const void *kernel_va)
{
	struct block_device *device = fs_of(blocks)->device;

	return device->transfer(device, block, 1, (void *)kernel_va, true);
}

static const struct mapping_ops block_ops = {.read_page = read_block, .write_page = write_block};

/* ---- mount ---- */

static int refuse(const struct ext2 *fs, const char *why, u32 number)
{
	kprintf("ext2 (%s): not mounted: %s (%u, 0x%x)\n", fs->device->name, why, number, number);
	return -EINVAL;
}

static int check_features(const struct ext2 *fs, const struct ext2_disk_super *super)
{
	if (super->rev_level == 0)
		return 0;
	if (super->feature_incompat & ~EXT2_INCOMPAT_FILETYPE)
		return refuse(fs, "incompatible features; make it with mke2fs -t ext2 -b 4096",
			      super->feature_incompat & ~EXT2_INCOMPAT_FILETYPE);
	if (super->feature_ro_compat & ~(EXT2_RO_SPARSE_SUPER | EXT2_RO_LARGE_FILE))
		return refuse(fs, "features that forbid writing; make it with mke2fs -t ext2 -b 4096",
			      super->feature_ro_compat & ~(EXT2_RO_SPARSE_SUPER | EXT2_RO_LARGE_FILE));
	if (super->feature_compat & EXT2_COMPAT_JOURNAL)
		return refuse(fs, "it has a journal", super->feature_compat);
	return 0;
}

static int check_geometry(const struct ext2 *fs, const struct ext2_disk_super *super)
{
	if (super->magic != EXT2_MAGIC)
		return refuse(fs, "no ext2 superblock: magic", super->magic);
	if (super->log_block_size != 2)
		return refuse(fs, "blocks are not of 4096 bytes; make it with mke2fs -b 4096: log size",
			      super->log_block_size);
	if (super->rev_level > 1)
		return refuse(fs, "unknown revision", super->rev_level);
	if (super->inodes_count > UINT16_MAX)
		return refuse(fs, "more than 65535 inodes, the trace names a file in 16 bits; use mke2fs -N",
			      super->inodes_count);
	if (super->first_data_block != 0)
		return refuse(fs, "first data block", super->first_data_block);
	if (super->blocks_count < 8 || super->blocks_count > fs->device->nr_blocks)
		return refuse(fs, "more blocks than the device has, or too few", super->blocks_count);
	if (super->blocks_per_group < 8 || super->blocks_per_group > 8 * BLOCK_BYTES)
		return refuse(fs, "blocks per group", super->blocks_per_group);
	if (super->inodes_per_group == 0 || super->inodes_per_group > 8 * BLOCK_BYTES)
		return refuse(fs, "inodes per group", super->inodes_per_group);
	if (super->free_blocks_count > super->blocks_count || super->free_inodes_count > super->inodes_count)
		return refuse(fs, "more free blocks or inodes than there are", super->free_blocks_count);
	if (super->rev_level > 0 && (super->inode_size < 128 || super->inode_size > BLOCK_BYTES ||
				     (super->inode_size & (super->inode_size - 1))))
		return refuse(fs, "inode size", super->inode_size);
	return 0;
}

static void take_geometry(struct ext2 *fs, const struct ext2_disk_super *super)
{
	bool rev1 = super->rev_level > 0;

	fs->nr_blocks = super->blocks_count;
	fs->nr_inodes = super->inodes_count;
	fs->blocks_per_group = super->blocks_per_group;
	fs->inodes_per_group = super->inodes_per_group;
	fs->nr_groups = (fs->nr_blocks + fs->blocks_per_group - 1) / fs->blocks_per_group;
	fs->gdt_blocks = (u32)((fs->nr_groups + EXT2_GROUPS_PER_BLOCK - 1) / EXT2_GROUPS_PER_BLOCK);
	fs->inode_bytes = rev1 ? super->inode_size : 128;
	fs->first_inode = rev1 ? MAX(super->first_ino, 11U) : 11;
	fs->nr_free_blocks = super->free_blocks_count;
	fs->nr_free_inodes = super->free_inodes_count;
	fs->has_filetype = rev1 && (super->feature_incompat & EXT2_INCOMPAT_FILETYPE);
	fs->has_large_file = rev1 && (super->feature_ro_compat & EXT2_RO_LARGE_FILE);
	fs->base_time = MAX(super->wtime, super->mtime);
	/* A small dtime is taken for a list link by e2fsck. */
	if (fs->base_time < 1000000000U)
		fs->base_time = 1000000000U;
}

static int check_groups(struct ext2 *fs)
{
	u32 table_blocks =
	    (u32)((fs->inodes_per_group * (u64)fs->inode_bytes + BLOCK_BYTES - 1) / BLOCK_BYTES);

	if ((u64)fs->inodes_per_group * fs->nr_groups != fs->nr_inodes)
		return refuse(fs, "inodes per group do not make the number of inodes", fs->nr_inodes);
	if (1 + fs->gdt_blocks >= fs->nr_blocks)
		return refuse(fs, "no room for the group descriptors", fs->gdt_blocks);
	for (u32 i = 0; i < fs->nr_groups; i++) {
		struct page *page;
		struct ext2_disk_group *group = ext2_group(fs, i, &page);
		bool good;

		if (IS_ERR(page))
			return PTR_ERR(page);
		good = ext2_block_valid(fs, group->block_bitmap) &&
		       ext2_block_valid(fs, group->inode_bitmap) &&
		       ext2_block_valid(fs, group->inode_table) &&
		       ext2_block_valid(fs, group->inode_table + table_blocks - 1) &&
		       group->free_inodes_count <= fs->inodes_per_group &&
		       group->free_blocks_count <= fs->blocks_per_group;
		pagecache_release(page);
		if (!good)
			return refuse(fs, "damaged group descriptor", i);
	}
	return 0;
}

static int get_root(struct ext2 *fs)
{
	struct inode *root;
	int err;

	root = inode_get(&fs->sb, EXT2_ROOT_INODE, &err);
	if (!root)
		return err;
	err = inode_lock(root);
	if (!err) {
		if (!inode_is(root, S_IFDIR))
			err = refuse(fs, "its root is not a directory", root->mode);
		inode_unlock(root);
	}
	if (err) {
		inode_put(root);
		return err;
	}
	inode_pass(root, REF_MOUNT, ROOT_HOLDER);
	fs->sb.root = root;
	return 0;
}

/* With super_page held. */
static int read_in(struct ext2 *fs)
{
	const struct ext2_disk_super *super = disk_super(fs);
	int err = check_geometry(fs, super);

	if (!err)
		err = check_features(fs, super);
	if (err)
		return err;
	take_geometry(fs, super);
	if (super->state & EXT2_STATE_ERROR) {
		kprintf("ext2 (%s): errors were found before; run e2fsck\n", fs->device->name);
		fs->has_errors = true;
	} else if (!(super->state & EXT2_STATE_VALID)) {
		kprintf("ext2 (%s): was not unmounted cleanly; run e2fsck\n", fs->device->name);
	}
	err = check_groups(fs);
	if (!err)
		err = ext2_hold_group(fs, 0);
	return err ? err : get_root(fs);
}

static int hold_super(struct ext2 *fs)
{
	struct page *page = ext2_block_page(fs, 0);

	if (IS_ERR(page))
		return PTR_ERR(page);
	page_get(page, REF_OWNER, HOLDER_NONE);
	pagecache_release(page);
	fs->super_page = page;
	return 0;
}

static void ext2_unmount(struct superblock *sb)
{
	struct ext2 *fs = sb->private;

	ext2_release_group(fs);
	if (fs->super_page)
		page_put(fs->super_page, REF_OWNER, HOLDER_NONE);
	fs->super_page = NULL;
	pagecache_truncate(&fs->blocks, 0);
	mapping_destroy(&fs->blocks);
}

static struct superblock *ext2_mount(struct block_device *device, int *err)
{
	struct ext2 *fs = &root_fs;

	memset(fs, 0, sizeof(*fs));
	fs->device = device;
	fs->sb = (struct superblock){.type = "ext2",
				     .read_inode = ext2_read_inode,
				     .write_inode = ext2_write_inode,
				     .sync = ext2_sync,
				     .statfs = ext2_statfs,
				     .keeps_inodes = true,
				     .private = fs};
	list_init(&fs->sb.link);
	sleeplock_init(&fs->alloc_lock, "ext2 alloc");
	sleeplock_init(&fs->super_lock, "ext2 super");
	mapping_init(&fs->blocks, 0, &block_ops);
	*err = hold_super(fs);
	if (!*err)
		*err = read_in(fs);
	if (!*err)
		*err = ext2_write_super(fs, false);
	if (*err) {
		kprintf("ext2 (%s): mount failed, error %d\n", device->name, *err);
		if (fs->sb.root)
			inode_put_ref(fs->sb.root, REF_MOUNT, ROOT_HOLDER);
		icache_drop(&fs->sb);
		ext2_unmount(&fs->sb);
		return NULL;
	}
	return &fs->sb;
}

static void ext2_claims(struct claims *claims)
{
	if (root_fs.blocks.ops)
		mapping_claim(claims, &root_fs.blocks);
	if (root_fs.super_page)
		claim_page(claims, root_fs.super_page, REF_OWNER, HOLDER_NONE);
	if (root_fs.held_bitmap) {
		claim_page(claims, root_fs.held_bitmap, REF_OWNER, HOLDER_NONE);
		claim_page(claims, root_fs.held_desc, REF_OWNER, HOLDER_NONE);
	}
}

const struct fs_type ext2_type = {
    .mount = ext2_mount,
    .unmount = ext2_unmount,
    .claims = ext2_claims,
};
