/* SPDX-License-Identifier: MIT */
/* ext2: inode numbers (EXT2-1 for the inode bitmaps). */
#include "ext2_priv.h"

struct inode_edit {
	struct page *desc_page, *bitmap_page;
	struct ext2_disk_group *desc;
	u64 *bitmap;
};

static int edit_begin(struct ext2 *fs, u32 group, struct inode_edit *edit)
{
	edit->desc = ext2_group(fs, group, &edit->desc_page);
	if (!edit->desc)
		return PTR_ERR(edit->desc_page);
	edit->bitmap_page = ext2_block_page(fs, edit->desc->inode_bitmap);
	if (IS_ERR(edit->bitmap_page)) {
		pagecache_release(edit->desc_page);
		return PTR_ERR(edit->bitmap_page);
	}
	edit->bitmap = page_to_va(edit->bitmap_page);
	return 0;
}

static int edit_end(struct ext2 *fs, struct inode_edit *edit, bool changed)
{
	int err = 0, err2 = 0;

	if (changed) {
		err = pagecache_mark_dirty(&fs->blocks, edit->bitmap_page, edit->bitmap_page->owner.index);
		err2 = pagecache_mark_dirty(&fs->blocks, edit->desc_page, edit->desc_page->owner.index);
	}
	pagecache_release(edit->bitmap_page);
	pagecache_release(edit->desc_page);
	return err ? err : err2;
}

/*
 * A free number of the group and its in-core inode, which comes before the bit is set: it is what may fail for want of
 * memory. 0: none. A number whose former inode is still leaving core is passed over, and kept in *leaving.
 */
static int find_in_group(struct ext2 *fs, u32 group, const u64 *bitmap, struct inode **result, u32 *leaving)
{
	u32 first = group * fs->inodes_per_group;
	u32 from = first >= fs->first_inode - 1 ? 0 : MIN(fs->first_inode - 1 - first, fs->inodes_per_group);

	for (;;) {
		s32 bit = bitmap_find_zero(bitmap, from, fs->inodes_per_group);
		u32 number = first + (u32)bit + 1;
		int err;

		if (bit < 0)
			return 0;
		*result = inode_get_nowait(&fs->sb, number, &err);
		if (!err)
			return 1;
		if (err != -EAGAIN)
			return err;
		*leaving = number;
		from = (u32)bit + 1;
	}
}

/* 1: *result is ours; 0: the group has none. */
static int alloc_in_group(struct ext2 *fs, u32 group, bool directory, struct inode **result, u32 *leaving)
{
	struct inode_edit edit;
	int found = edit_begin(fs, group, &edit);
	u32 bit;

	if (found)
		return found;
	if (edit.desc->free_inodes_count > 0)
		found = find_in_group(fs, group, edit.bitmap, result, leaving);
	if (found == 1 && (*result)->valid)
		found = ext2_damaged(fs, "inode %u is in use, but marked free", (*result)->number);
	if (found != 1) {
		(void)edit_end(fs, &edit, false);
		return found;
	}
	bit = ((*result)->number - 1) % fs->inodes_per_group;
	edit.bitmap[bit / 64] |= 1UL << bit % 64;
	edit.desc->free_inodes_count--;
	edit.desc->used_dirs_count = (u16)(edit.desc->used_dirs_count + directory);
	fs->nr_free_inodes -= fs->nr_free_inodes > 0;
	(void)edit_end(fs, &edit, true); /* an I/O error comes back at the next sync */
	return 1;
}

static int alloc_once(struct ext2 *fs, u32 group, bool directory, struct inode **result, u32 *leaving)
{
	int found = 0;

	sleeplock_acquire(&fs->alloc_lock);
	for (u32 i = 0; i < fs->nr_groups && found == 0; i++) {
		found = alloc_in_group(fs, group, directory, result, leaving);
		group = (group + 1) % fs->nr_groups;
	}
	sleeplock_release(&fs->alloc_lock);
	return found;
}

int ext2_inode_alloc(struct inode *parent, bool directory, struct inode **result)
{
	struct ext2 *fs = ext2_of(parent);
	u32 group = (parent->number - 1) / fs->inodes_per_group, leaving;
	int found;

	ext2_touch(fs);
	do {
		leaving = 0;
		*result = NULL;
		found = alloc_once(fs, group, directory, result, &leaving);
		/* Without alloc_lock, which the leaving inode's last user may need. */
		if (found == 0 && leaving)
			icache_wait_gone(&fs->sb, leaving);
	} while (found == 0 && leaving);
	/* Not under alloc_lock either: the last put of a deleted inode takes it. */
	if (found < 0 && *result)
		inode_put(*result);
	return found < 0 ? found : found ? 0 : -ENOSPC;
}

int ext2_inode_release(struct ext2 *fs, u32 number, bool directory)
{
	u32 group = (number - 1) / fs->inodes_per_group;
	u32 bit = (number - 1) % fs->inodes_per_group;
	struct inode_edit edit;
	int err;

	ext2_touch(fs);
	sleeplock_acquire(&fs->alloc_lock);
	err = edit_begin(fs, group, &edit);
	if (!err && !(edit.bitmap[bit / 64] >> bit % 64 & 1)) {
		(void)edit_end(fs, &edit, false);
		err = ext2_damaged(fs, "inode %u is freed, but it is free", number);
	} else if (!err) {
		edit.bitmap[bit / 64] &= ~(1UL << bit % 64);
		edit.desc->free_inodes_count++;
		if (directory && edit.desc->used_dirs_count > 0)
			edit.desc->used_dirs_count--;
		fs->nr_free_inodes++;
		err = edit_end(fs, &edit, true);
	}
	sleeplock_release(&fs->alloc_lock);
	return err;
}
