/* SPDX-License-Identifier: MIT */
/*
 * ext2: which block holds page `index` of a file. 12 numbers stand in the inode, the rest behind one, two or three
 * levels of indirect blocks of 1024 numbers each.
 *
 * A step of the way is a slot: a word in the inode, or in an indirect block's page.
 */
#include "ext2_priv.h"

#define DEPTH_MAX 4

/* Slots from the inode down, and the level of indirection: 0 to 3. -EFBIG beyond the last block a file can have. */
static int find_way(u64 index, u32 *slots)
{
	u64 rest = index, span = 1;
	u32 level;

	if (index < EXT2_NR_DIRECT) {
		slots[0] = (u32)index;
		return 0;
	}
	rest -= EXT2_NR_DIRECT;
	for (level = 1; level < DEPTH_MAX; level++) {
		span *= EXT2_PER_BLOCK;
		if (rest < span)
			break;
		rest -= span;
	}
	if (level == DEPTH_MAX)
		return -EFBIG;
	slots[0] = EXT2_NR_DIRECT + level - 1;
	for (u32 i = level; i > 0; i--) {
		slots[i] = (u32)(rest % EXT2_PER_BLOCK);
		rest /= EXT2_PER_BLOCK;
	}
	return (int)level;
}

static int check_block(const struct inode *inode, u32 block)
{
	struct ext2 *fs = ext2_of(inode);

	if (block == 0 || ext2_block_valid(fs, block))
		return 0;
	return ext2_damaged(fs, "inode %u points to block %u", inode->number, block);
}

static u32 load_slot(const u32 *slot)
{
	return __atomic_load_n(slot, __ATOMIC_RELAXED);
}
static void store_slot(u32 *slot, u32 block)
{
	__atomic_store_n(slot, block, __ATOMIC_RELAXED);
}

/* One number of an indirect block. */
static int read_slot(struct ext2 *fs, u32 block, u32 slot, u32 *result)
{
	struct page *page = ext2_block_page(fs, block);

	if (IS_ERR(page))
		return PTR_ERR(page);
	*result = load_slot((u32 *)page_to_va(page) + slot);
	pagecache_release(page);
	return 0;
}

int ext2_map(struct inode *inode, u32 index, u32 *result)
{
	struct ext2 *fs = ext2_of(inode);
	u32 slots[DEPTH_MAX];
	int depth = find_way(index, slots);
	u32 block;
	int err;

	if (depth < 0)
		return depth;
	block = load_slot(&inode->ext2.blocks[slots[0]]);
	for (int i = 1;; i++) {
		err = check_block(inode, block);
		if (err || block == 0 || i > depth)
			break;
		err = read_slot(fs, block, slots[i], &block);
		if (err)
			return err;
	}
	*result = err ? 0 : block;
	return err;
}

/* ---- allocation ---- */

/* A new block that nothing points to yet; an indirect one comes with its page, zeroed and with an IO reference. */
static int new_block(struct inode *inode, bool indirect, u32 *block, struct page **page)
{
	struct ext2 *fs = ext2_of(inode);
	int err = ext2_block_alloc(fs, inode->ext2.goal, block);

	if (err)
		return err;
	if (indirect) {
		*page = pagecache_get(&fs->blocks, *block, PAGECACHE_OVERWRITE);
		if (!IS_ERR(*page)) {
			memset(page_to_va(*page), 0, PAGE_SIZE);
			err = pagecache_mark_dirty(&fs->blocks, *page, *block);
			if (err)
				pagecache_release(*page);
		} else {
			err = PTR_ERR(*page);
		}
		if (err) {
			*page = NULL;
			(void)ext2_blocks_free(fs, *block, 1, true);
			return err;
		}
	}
	inode->ext2.goal = *block + 1;
	inode->ext2.nr_sectors += EXT2_SECTORS;
	inode->dirty = true;
	return 0;
}

/* The page of an indirect block that is there, or a new one put into *slot. `holder` is the page that slot is in. */
static int descend(struct inode *inode, u32 *slot, struct page *holder, struct page **page)
{
	struct ext2 *fs = ext2_of(inode);
	u32 block = load_slot(slot);
	int err = check_block(inode, block);

	if (err)
		return err;
	if (block) {
		*page = ext2_block_page(fs, block);
		return IS_ERR(*page) ? PTR_ERR(*page) : 0;
	}
	err = new_block(inode, true, &block, page);
	if (err)
		return err;
	store_slot(slot, block);
	return holder ? pagecache_mark_dirty(&fs->blocks, holder, holder->owner.index) : 0;
}

/* A data block for *slot. */
static int fill_slot(struct inode *inode, u32 *slot, struct page *holder, u32 *block)
{
	int err;

	*block = load_slot(slot);
	err = check_block(inode, *block);
	if (err || *block)
		return err;
	err = new_block(inode, false, block, NULL);
	if (err)
		return err;
	store_slot(slot, *block);
	return holder ? pagecache_mark_dirty(&ext2_of(inode)->blocks, holder, holder->owner.index) : 0;
}

int ext2_map_alloc(struct inode *inode, u32 index, u32 *block)
{
	u32 slots[DEPTH_MAX];
	int depth = find_way(index, slots);
	struct page *holder = NULL;
	u32 *slot;
	int err = 0;

	if (depth < 0)
		return depth;
	slot = &inode->ext2.blocks[slots[0]];
	for (int i = 1; i <= depth && !err; i++) {
		struct page *page = NULL;

		err = descend(inode, slot, holder, &page);
		if (holder)
			pagecache_release(holder);
		/* With a page even when marking its holder failed: then it is ours to release. */
		holder = IS_ERR(page) ? NULL : page;
		if (holder)
			slot = (u32 *)page_to_va(holder) + slots[i];
	}
	if (!err)
		err = fill_slot(inode, slot, holder, block);
	if (holder)
		pagecache_release(holder);
	return err;
}

/* ---- truncation ---- */

/* Frees consecutive blocks of slots [0, nr); slots are cleared as their blocks go (EXT2-2). */
static int free_data_slots(struct inode *inode, u32 *slots, u32 nr)
{
	for (u32 i = 0; i < nr;) {
		u32 block = load_slot(&slots[i]), run = 1;
		int err;

		if (block == 0) {
			i++;
			continue;
		}
		while (i + run < nr && load_slot(&slots[i + run]) == block + run)
			run++;
		err = ext2_blocks_free(ext2_of(inode), block, run, false);
		if (err)
			return err;
		for (u32 end = i + run; i < end; i++)
			store_slot(&slots[i], 0);
		inode->ext2.nr_sectors -= MIN(inode->ext2.nr_sectors, run * (u32)EXT2_SECTORS);
		inode->dirty = true;
	}
	return 0;
}

static u64 span_of(u32 level)
{
	u64 span = 1;

	while (level-- > 0)
		span *= EXT2_PER_BLOCK;
	return span;
}

static int free_tree(struct inode *inode, u32 *slot, u32 level, u64 first);

/* The slots of an indirect block of `level` from page `first` (counted from the block's own first) on. */
static int free_indirect_slots(struct inode *inode, u32 *slots, u32 level, u64 first)
{
	u64 span = span_of(level - 1);
	int err = 0;

	if (level == 1)
		return free_data_slots(inode, slots + first, (u32)(EXT2_PER_BLOCK - first));
	for (u32 i = (u32)(first / span); i < EXT2_PER_BLOCK && !err; i++) {
		u64 start = i * span;

		if (load_slot(&slots[i]))
			err = free_tree(inode, &slots[i], level - 1, first > start ? first - start : 0);
	}
	return err;
}

/* What hangs on *slot (level >= 1) from page `first` on; with first == 0 the indirect block, too. Recursion: 3 deep. */
static int free_tree(struct inode *inode, u32 *slot, u32 level, u64 first)
{
	struct ext2 *fs = ext2_of(inode);
	u32 block = load_slot(slot);
	struct page *page;
	int err = check_block(inode, block), err2;

	if (err || !block)
		return err;
	page = ext2_block_page(fs, block);
	if (IS_ERR(page))
		return PTR_ERR(page);
	err = free_indirect_slots(inode, page_to_va(page), level, first);
	if (!err && first == 0) {
		err = ext2_blocks_free(fs, block, 1, true);
		if (!err) {
			pagecache_release(page);
			store_slot(slot, 0);
			inode->ext2.nr_sectors -= MIN(inode->ext2.nr_sectors, (u32)EXT2_SECTORS);
			inode->dirty = true;
			return 0;
		}
	}
	/* The block stays, and some of its slots may be clear even after an error. */
	err2 = pagecache_mark_dirty(&fs->blocks, page, block);
	pagecache_release(page);
	return err ? err : err2;
}

int ext2_map_truncate(struct inode *inode, u64 first)
{
	u64 start = EXT2_NR_DIRECT;
	int err = 0;

	if (first < EXT2_NR_DIRECT)
		err = free_data_slots(inode, inode->ext2.blocks + first, (u32)(EXT2_NR_DIRECT - first));
	for (u32 level = 1; level < DEPTH_MAX && !err; level++) {
		u64 span = span_of(level);

		if (first < start + span)
			err = free_tree(inode, &inode->ext2.blocks[EXT2_NR_DIRECT + level - 1], level,
					first > start ? first - start : 0);
		start += span;
	}
	if (first == 0 && !err)
		inode->ext2.goal = 0;
	return err;
}

int ext2_trim_finish(struct inode *inode)
{
	int err;

	if (!inode->ext2.needs_trim)
		return 0;
	err = ext2_map_truncate(inode, (inode->size + BLOCK_BYTES - 1) / BLOCK_BYTES);
	if (!err)
		inode->ext2.needs_trim = false;
	return err;
}

void ext2_trim(struct inode *inode)
{
	u32 first = (u32)((inode->size + BLOCK_BYTES - 1) / BLOCK_BYTES);

	vma_set_unmap(&inode->mapping.users, first);
	pagecache_truncate(&inode->mapping, first);
	inode->ext2.needs_trim = true;
	inode->dirty = true;
	(void)ext2_trim_finish(inode);
}
