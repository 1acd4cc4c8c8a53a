/* SPDX-License-Identifier: MIT */
/* ext2: group descriptors, and the blocks that their bitmaps give and take (EXT2-1). */
#include "ext2_priv.h"

struct page *ext2_block_page(struct ext2 *fs, u32 block)
{
	return pagecache_get(&fs->blocks, block, PAGECACHE_READ);
}

struct ext2_disk_group *ext2_group(struct ext2 *fs, u32 group, struct page **page)
{
	/* The table begins in the block behind the superblock's. */
	*page = ext2_block_page(fs, 1 + group / EXT2_GROUPS_PER_BLOCK);
	if (IS_ERR(*page))
		return NULL;
	return (struct ext2_disk_group *)page_to_va(*page) + group % EXT2_GROUPS_PER_BLOCK;
}

bool ext2_block_valid(const struct ext2 *fs, u32 block)
{
	return block > fs->gdt_blocks && block < fs->nr_blocks;
}

static u32 group_blocks(const struct ext2 *fs, u32 group)
{
	return MIN(fs->blocks_per_group, fs->nr_blocks - group * fs->blocks_per_group);
}

static bool is_group_metadata(const struct ext2 *fs, const struct ext2_disk_group *group, u32 block)
{
	u32 table_blocks =
	    (u32)((fs->inodes_per_group * (u64)fs->inode_bytes + BLOCK_BYTES - 1) / BLOCK_BYTES);

	return block == group->block_bitmap || block == group->inode_bitmap ||
	       (block >= group->inode_table && block - group->inode_table < table_blocks);
}

s32 bitmap_find_zero(const u64 *words, u32 from, u32 nr_bits)
{
	for (u32 bit = from; bit < nr_bits;) {
		u64 free_bits = ~words[bit / 64] & (~0UL << bit % 64);

		if (free_bits) {
			bit = (bit & ~63U) + (u32)__builtin_ctzl(free_bits);
			return bit < nr_bits ? (s32)bit : -1;
		}
		bit = (bit | 63) + 1;
	}
	return -1;
}

/* A group with its descriptor and its block bitmap in memory, for a change under alloc_lock. */
struct group_edit {
	struct ext2_disk_group *desc;
	u64 *bitmap;
};

void ext2_release_group(struct ext2 *fs)
{
	if (!fs->held_bitmap)
		return;
	page_put(fs->held_bitmap, REF_OWNER, HOLDER_NONE);
	page_put(fs->held_desc, REF_OWNER, HOLDER_NONE);
	fs->held_bitmap = fs->held_desc = NULL;
}

/* An OWNER reference instead of the lookup's. */
static void hold(struct page **held, struct page *page)
{
	page_get(page, REF_OWNER, HOLDER_NONE);
	pagecache_release(page);
	*held = page;
}

int ext2_hold_group(struct ext2 *fs, u32 group)
{
	struct page *desc_page, *bitmap_page;
	const struct ext2_disk_group *desc = ext2_group(fs, group, &desc_page);

	if (!desc)
		return PTR_ERR(desc_page);
	bitmap_page = ext2_block_page(fs, desc->block_bitmap);
	if (IS_ERR(bitmap_page)) {
		pagecache_release(desc_page);
		return PTR_ERR(bitmap_page);
	}
	ext2_release_group(fs);
	hold(&fs->held_desc, desc_page);
	hold(&fs->held_bitmap, bitmap_page);
	fs->held_group = group;
	return 0;
}

static int edit_begin(struct ext2 *fs, u32 group, struct group_edit *edit)
{
	int err = fs->held_bitmap && fs->held_group == group ? 0 : ext2_hold_group(fs, group);

	if (err)
		return err;
	edit->desc = (struct ext2_disk_group *)page_to_va(fs->held_desc) + group % EXT2_GROUPS_PER_BLOCK;
	edit->bitmap = page_to_va(fs->held_bitmap);
	return 0;
}

static int edit_store(struct ext2 *fs)
{
	int err = pagecache_mark_dirty(&fs->blocks, fs->held_bitmap, fs->held_bitmap->owner.index);
	int err2 = pagecache_mark_dirty(&fs->blocks, fs->held_desc, fs->held_desc->owner.index);

	return err ? err : err2;
}

/* 1: *block is ours now; 0: the group has none from bit `from` on. */
static int alloc_in_group(struct ext2 *fs, u32 group, u32 from, u32 *block)
{
	struct group_edit edit;
	s32 bit = -1;
	int err = edit_begin(fs, group, &edit);

	if (err)
		return err;
	if (edit.desc->free_blocks_count > 0)
		bit = bitmap_find_zero(edit.bitmap, from, group_blocks(fs, group));
	if (bit >= 0) {
		*block = group * fs->blocks_per_group + (u32)bit;
		if (!ext2_block_valid(fs, *block) || is_group_metadata(fs, edit.desc, *block)) {
			err = ext2_damaged(fs, "metadata block %u is marked free", *block);
		} else {
			edit.bitmap[bit / 64] |= 1UL << bit % 64;
			edit.desc->free_blocks_count--;
			fs->nr_free_blocks--;
			err = edit_store(fs);
		}
	}
	return err ? err : bit >= 0;
}

int ext2_block_alloc(struct ext2 *fs, u32 goal, u32 *block)
{
	u32 first = ext2_block_valid(fs, goal) ? goal : fs->gdt_blocks + 1;
	u32 group = first / fs->blocks_per_group;
	u32 from = first % fs->blocks_per_group;
	int found = 0;

	ext2_touch(fs);
	sleeplock_acquire(&fs->alloc_lock);
	/* The goal's group is looked at twice: from the goal on, and at last from its beginning. */
	for (u32 i = 0; i <= fs->nr_groups && found == 0 && fs->nr_free_blocks > 0; i++) {
		found = alloc_in_group(fs, group, from, block);
		group = (group + 1) % fs->nr_groups;
		from = 0;
	}
	sleeplock_release(&fs->alloc_lock);
	return found < 0 ? found : found ? 0 : -ENOSPC;
}

static int check_run(struct ext2 *fs, u32 group, const struct group_edit *edit, u32 block, u32 nr)
{
	for (u32 i = 0; i < nr; i++) {
		u32 bit = (block + i) % fs->blocks_per_group;

		if (!(edit->bitmap[bit / 64] >> bit % 64 & 1))
			return ext2_damaged(fs, "block %u is freed, but it is free", block + i);
		if (is_group_metadata(fs, edit->desc, block + i))
			return ext2_damaged(fs, "block %u of a file is metadata of group %u", block + i,
					    group);
	}
	return 0;
}

static int free_in_group(struct ext2 *fs, u32 group, u32 block, u32 nr, bool metadata)
{
	struct group_edit edit;
	int err = edit_begin(fs, group, &edit);

	if (err)
		return err;
	err = check_run(fs, group, &edit, block, nr);
	for (u32 i = 0; !err && i < nr; i++) {
		u32 bit = (block + i) % fs->blocks_per_group;

		/* Under alloc_lock, so that nobody uses the block anew before its old page is gone. */
		if (metadata)
			pagecache_forget(&fs->blocks, block + i);
		edit.bitmap[bit / 64] &= ~(1UL << bit % 64);
	}
	if (!err) {
		edit.desc->free_blocks_count = (u16)(edit.desc->free_blocks_count + nr);
		fs->nr_free_blocks += nr;
		err = edit_store(fs);
	}
	return err;
}

int ext2_blocks_free(struct ext2 *fs, u32 block, u32 nr, bool metadata)
{
	int err = 0;

	if (!ext2_block_valid(fs, block) || nr > fs->nr_blocks - block)
		return ext2_damaged(fs, "blocks %u + %u cannot be freed", block, nr);
	ext2_touch(fs);
	sleeplock_acquire(&fs->alloc_lock);
	while (nr > 0 && !err) {
		u32 group = block / fs->blocks_per_group;
		u32 part = MIN(nr, (group + 1) * fs->blocks_per_group - block);

		err = free_in_group(fs, group, block, part, metadata);
		block += part;
		nr -= part;
	}
	sleeplock_release(&fs->alloc_lock);
	return err;
}
