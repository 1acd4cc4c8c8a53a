/* SPDX-License-Identifier: MIT */
/* ext2: inodes between disk and core, and the end of a deleted one. */
#include "ext2_priv.h"
#include <kernel/trace.h>

/* The inode's place in the table; its page must be released, or is an ERR_PTR. */
static struct ext2_disk_inode *slot_of(const struct inode *inode, struct page **page)
{
	struct ext2 *fs = ext2_of(inode);
	u32 group = (inode->number - 1) / fs->inodes_per_group;
	u64 offset = (u64)((inode->number - 1) % fs->inodes_per_group) * fs->inode_bytes;
	struct ext2_disk_group *desc = ext2_group(fs, group, page);
	u32 block;

	if (!desc)
		return NULL;
	block = desc->inode_table + (u32)(offset / BLOCK_BYTES);
	pagecache_release(*page);
	*page = ext2_block_page(fs, block);
	if (IS_ERR(*page))
		return NULL;
	return (struct ext2_disk_inode *)((u8 *)page_to_va(*page) + offset % BLOCK_BYTES);
}

static bool is_device(const struct inode *inode)
{
	return inode_is(inode, S_IFCHR) || inode_is(inode, S_IFBLK);
}
static bool has_large_size(const struct inode *inode)
{
	return inode_is(inode, S_IFREG);
}

/* A short symbolic link stands in the inode itself. */
static bool has_blocks(const struct inode *inode)
{
	u32 acl_sectors = inode->ext2.file_acl ? EXT2_SECTORS : 0;

	return inode_is(inode, S_IFREG) || inode_is(inode, S_IFDIR) ||
	       (inode_is(inode, S_IFLNK) && inode->ext2.nr_sectors > acl_sectors);
}

/* Device numbers are stored in block[0] as 8 + 8 bits, or in block[1] as 12 + 20. */
static u32 decode_device(const u32 *block)
{
	if (block[0])
		return block[0] & 0xffff;
	return (block[1] & 0xfff00) | (block[1] & 0xff);
}

static const struct inode_ops *ops_for(u32 mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return &ext2_file_ops;
	case S_IFDIR:
		return &ext2_dir_ops;
	case S_IFLNK:
		return &ext2_link_ops;
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case 0140000: /* socket */
		return &ext2_special_ops;
	default:
		return NULL;
	}
}

static int check_inode(struct ext2 *fs, const struct inode *inode)
{
	if (inode->links == 0)
		return ext2_damaged(fs, "inode %u has a name, but is deleted", inode->number);
	if (!ops_for(inode->mode))
		return ext2_damaged(fs, "inode %u has mode 0%o", inode->number, inode->mode);
	if (inode->size > EXT2_MAX_BLOCKS * BLOCK_BYTES)
		return ext2_damaged(fs, "inode %u has size %lu", inode->number, inode->size);
	if (inode_is(inode, S_IFDIR) &&
	    (inode->size % BLOCK_BYTES || inode->size == 0 || inode->size / BLOCK_BYTES > fs->nr_blocks))
		return ext2_damaged(fs, "directory %u has size %lu", inode->number, inode->size);
	if (inode->ext2.file_acl && !ext2_block_valid(fs, inode->ext2.file_acl))
		return ext2_damaged(fs, "inode %u has attributes in block %u", inode->number,
				    inode->ext2.file_acl);
	return 0;
}

static void decode(struct inode *inode, const struct ext2_disk_inode *disk)
{
	inode->mode = disk->mode;
	inode->links = disk->links_count;
	inode->size = disk->size;
	if (has_large_size(inode))
		inode->size |= (u64)disk->size_high << 32;
	inode->atime = disk->atime;
	inode->mtime = disk->mtime;
	inode->ctime = disk->ctime;
	memcpy(inode->ext2.blocks, disk->block, sizeof(disk->block));
	inode->ext2.nr_sectors = disk->blocks;
	inode->ext2.flags = disk->flags;
	inode->ext2.file_acl = disk->file_acl;
	inode->ext2.goal = disk->block[0];
	inode->device = is_device(inode) ? decode_device(disk->block) : 0;
}

int ext2_read_inode(struct inode *inode)
{
	struct ext2 *fs = ext2_of(inode);
	const struct ext2_disk_inode *disk;
	struct page *page;
	int err;

	if (inode->number == 0 || inode->number > fs->nr_inodes)
		return ext2_damaged(fs, "inode %u of %u", inode->number, fs->nr_inodes);
	disk = slot_of(inode, &page);
	if (!disk)
		return PTR_ERR(page);
	decode(inode, disk);
	pagecache_release(page);
	err = check_inode(fs, inode);
	if (err)
		return err;
	inode->ops = ops_for(inode->mode);
	mapping_init(&inode->mapping, (u16)inode->number, &ext2_mapping_ops);
	return 0;
}

/* Fields that we do not know stay as they are on the disk, except in an inode that is new. */
static void encode(const struct inode *inode, struct ext2_disk_inode *disk, u32 inode_bytes)
{
	if (inode->ext2.is_new)
		memset(disk, 0, inode_bytes);
	disk->mode = inode->mode;
	disk->links_count = inode->links;
	disk->size = (u32)inode->size;
	if (has_large_size(inode))
		disk->size_high = (u32)(inode->size >> 32);
	disk->atime = inode->atime;
	disk->mtime = inode->mtime;
	disk->ctime = inode->ctime;
	disk->dtime = inode->links ? 0 : inode->ctime;
	memcpy(disk->block, inode->ext2.blocks, sizeof(disk->block));
	disk->blocks = inode->ext2.nr_sectors;
	disk->flags = inode->ext2.flags;
	disk->file_acl = inode->ext2.file_acl;
}

int ext2_write_inode(struct inode *inode)
{
	struct ext2 *fs = ext2_of(inode);
	struct ext2_disk_inode *disk;
	struct page *page;
	int err;

	err = ext2_trim_finish(inode);
	if (err)
		return err;
	disk = slot_of(inode, &page);
	if (!disk)
		return PTR_ERR(page);
	encode(inode, disk, fs->inode_bytes);
	err = pagecache_mark_dirty(&fs->blocks, page, page->owner.index);
	pagecache_release(page);
	if (!err)
		inode->dirty = inode->ext2.is_new = false;
	return err;
}

void ext2_inode_begin(struct inode *inode, u32 mode, u32 device)
{
	struct ext2 *fs = ext2_of(inode);
	u32 group = (inode->number - 1) / fs->inodes_per_group;

	memset(&inode->ext2, 0, sizeof(inode->ext2));
	inode->mode = (u16)mode;
	inode->links = 1;
	inode->size = 0;
	inode->device = device;
	inode->ops = ops_for(mode);
	inode->ext2.is_new = true;
	inode->ext2.goal = group * fs->blocks_per_group + 1;
	if (is_device(inode))
		inode->ext2.blocks[0] = device;
	mapping_init(&inode->mapping, (u16)inode->number, &ext2_mapping_ops);
	inode->atime = ext2_time(fs);
	ext2_inode_changed(inode);
	inode->valid = true;
	TRACE(inode_load, 0, 0, .inode = inode->number, .links = inode->links);
}

void ext2_inode_changed(struct inode *inode)
{
	struct ext2 *fs = ext2_of(inode);

	inode->mtime = inode->ctime = ext2_time(fs);
	inode->dirty = true;
	ext2_touch(fs);
}

/* ---- the end of a deleted inode ---- */

struct ext2_disk_attributes { /* extended attributes, a block that several inodes may share */
	u32 magic;
	u32 refcount;
};
#define EXT2_ATTRIBUTES_MAGIC 0xEA020000U

static int drop_attributes(struct inode *inode)
{
	struct ext2 *fs = ext2_of(inode);
	u32 block = inode->ext2.file_acl;
	struct ext2_disk_attributes *attributes;
	struct page *page = ext2_block_page(fs, block);
	bool shared, known;
	int err = 0;

	if (IS_ERR(page))
		return PTR_ERR(page);
	attributes = page_to_va(page);
	known = attributes->magic == EXT2_ATTRIBUTES_MAGIC;
	shared = known && attributes->refcount > 1;
	if (shared) {
		attributes->refcount--;
		err = pagecache_mark_dirty(&fs->blocks, page, block);
	}
	pagecache_release(page);
	if (!known)
		err = ext2_damaged(fs, "inode %u: block %u has no attributes", inode->number, block);
	else if (!shared)
		err = ext2_blocks_free(fs, block, 1, true);
	if (!err) {
		inode->ext2.file_acl = 0;
		inode->ext2.nr_sectors -= MIN(inode->ext2.nr_sectors, EXT2_SECTORS);
	}
	return err;
}

/* Each step leaves what a later call needs to go on from there; the bit, which gives the number away, is the last. */
static int free_inode(struct inode *inode)
{
	struct ext2 *fs = ext2_of(inode);
	int err = 0;

	pagecache_truncate(&inode->mapping, 0);
	if (has_blocks(inode)) {
		inode->size = 0;
		err = ext2_map_truncate(inode, 0);
	}
	if (!err && inode->ext2.file_acl)
		err = drop_attributes(inode);
	if (err)
		return err;
	inode->ctime = ext2_time(fs);
	inode->ext2.needs_trim = false;
	err = ext2_write_inode(inode);
	return err ? err : ext2_inode_release(fs, inode->number, inode_is(inode, S_IFDIR));
}

int ext2_evict(struct inode *inode)
{
	int err = free_inode(inode);

	/* Memory may come back. A damaged or unreadable disk does not, and e2fsck will find the inode. */
	if (err && err != -ENOMEM) {
		kprintf("ext2: inode %u could not be freed: error %d\n", inode->number, err);
		err = 0;
	}
	return err;
}
