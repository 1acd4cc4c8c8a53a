/* SPDX-License-Identifier: MIT */
/*
 * ext2: contents of files. Reading is inode_read_cached; writing goes page by page, and allocates a page's block when
 * the page is written to, so that write-back has nothing left to decide.
 */
#include "ext2_priv.h"
#include <kernel/arch.h>

#define THROTTLE_PAGES 8 /* how often a long write looks at the number of dirty pages */

static struct inode *inode_of(struct mapping *mapping)
{
	return CONTAINER_OF(mapping, struct inode, mapping);
}

/* Takes no lock of the inode: called with it held, without it, and in page faults of whoever holds another's. */
static int read_page(struct mapping *mapping, u32 index, void *kernel_va)
{
	struct inode *inode = inode_of(mapping);
	struct block_device *device = ext2_of(inode)->device;
	u64 size = __atomic_load_n(&inode->size, __ATOMIC_RELAXED), start = (u64)index * PAGE_SIZE;
	u32 block;
	int err;

	/* The page is in the tree already, where truncation waits for it before it frees a block: see FMAP-3. */
	if (start >= size)
		return -EFAULT;
	err = ext2_map(inode, index, &block);
	if (err)
		return err;
	if (!block && inode_is(inode, S_IFDIR))
		return ext2_damaged(ext2_of(inode), "directory %u has a hole at block %u", inode->number,
				    index);
	if (!block) {
		memset(kernel_va, 0, PAGE_SIZE);
		return 0;
	}
	err = device->transfer(device, block, 1, kernel_va, false);
	/* What the disk has behind the end of the file must not appear when the file grows. */
	if (!err && start + PAGE_SIZE > size)
		memset((u8 *)kernel_va + (size - start), 0, PAGE_SIZE - (size - start));
	return err;
}

static int write_page(struct mapping *mapping, u32 index, u32 block, const void *kernel_va)
{
	struct block_device *device = ext2_of(inode_of(mapping))->device;

	return device->transfer(device, block, 1, (void *)kernel_va, true);
}

static struct block_device *locate(struct mapping *mapping, u32 index, u32 *block, u32 *valid_bytes)
{
	struct inode *inode = inode_of(mapping);
	struct block_device *device = ext2_of(inode)->device;
	u64 start = (u64)index * PAGE_SIZE;

	if (!device->start_read || start >= inode->size || ext2_map(inode, index, block) || !*block)
		return NULL;
	*valid_bytes = (u32)MIN(inode->size - start, PAGE_SIZE);
	return device;
}

const struct mapping_ops ext2_mapping_ops = {
    .read_page = read_page, .write_page = write_page, .locate = locate};

/* ---- write: a page ---- */

static int copy_in(void *dst, u64 buffer, size_t size_bytes, bool user)
{
	if (user)
		return copy_from_user(dst, buffer, size_bytes);
	memcpy(dst, (const void *)buffer, size_bytes);
	return 0;
}

/* The page to write to. *discard: it has nothing of what its block holds, and must go if it is not filled. */
static struct page *page_for_write(struct inode *inode, u32 index, u32 block, bool whole, bool *discard)
{
	struct page *page = pagecache_get(&inode->mapping, index, PAGECACHE_CACHED);

	*discard = false;
	if (!IS_ERR(page) || PTR_ERR(page) != -ENOENT)
		return page;
	*discard = whole && block;
	return pagecache_get(&inode->mapping, index, whole || !block ? PAGECACHE_OVERWRITE : PAGECACHE_READ);
}

/* Behind the last page there are no blocks, so a file that grows need not look. */
static int map_for_write(struct inode *inode, u32 index, u32 *block)
{
	*block = 0;
	return (u64)index * PAGE_SIZE < inode->size ? ext2_map(inode, index, block) : 0;
}

/* Part of one page. The page comes before its block: if there is no block for it, it is still a correct hole. */
static int write_part(struct inode *inode, u64 offset, u64 buffer, size_t part, bool user)
{
	u32 index = (u32)(offset / PAGE_SIZE), block;
	bool discard, was_hole;
	struct page *page;
	int err = map_for_write(inode, index, &block), err2 = 0;

	if (err)
		return err;
	page = page_for_write(inode, index, block, part == PAGE_SIZE, &discard);
	if (IS_ERR(page))
		return PTR_ERR(page);
	was_hole = !block;
	if (was_hole)
		err = ext2_map_alloc(inode, index, &block);
	if (!err) {
		err = copy_in((u8 *)page_to_va(page) + offset % PAGE_SIZE, buffer, part, user);
		/* After a failed copy, too: a new block must not show what its former owner left in it. */
		if (!err || was_hole || !discard)
			err2 = pagecache_mark_dirty(&inode->mapping, page, block);
	}
	pagecache_release(page);
	if (err && discard)
		pagecache_forget(&inode->mapping, index);
	return err ? err : err2;
}

static u64 size_limit(const struct ext2 *fs)
{
	return fs->has_large_file ? EXT2_MAX_BLOCKS * BLOCK_BYTES : EXT2_SMALL_FILE_MAX;
}

/* ---- for shared mappings ---- */

static int fill_hole(struct inode *inode, u32 index)
{
	struct page *page;
	bool discard;
	u32 block;
	int err = ext2_map(inode, index, &block);

	if (err || block)
		return err;
	page = page_for_write(inode, index, block, false, &discard);
	if (IS_ERR(page))
		return PTR_ERR(page);
	err = ext2_map_alloc(inode, index, &block);
	if (!err)
		err = pagecache_mark_dirty(&inode->mapping, page, block);
	pagecache_release(page);
	return err;
}

static int ext2_fill_holes(struct inode *inode, u64 offset, u64 size_bytes)
{
	u32 first = (u32)(offset / PAGE_SIZE), last = (u32)((offset + size_bytes - 1) / PAGE_SIZE);
	int err = 0;

	for (u32 index = first; !err && size_bytes && index <= last; index++) {
		err = fill_hole(inode, index);
		if (index % THROTTLE_PAGES == 0)
			writeback_throttle();
	}
	ext2_inode_changed(inode);
	return err;
}

/* The file is about to grow from its size to `end`, without contents: what a mapping may write of that needs blocks. */
static int fill_mapped(struct inode *inode, u64 end)
{
	u64 start = PAGE_ALIGN_UP(inode->size);
	int err;

	end = MIN(end, vma_set_writable_end(&inode->mapping.users) * PAGE_SIZE);
	if (start >= end)
		return 0;
	err = ext2_fill_holes(inode, start, end - start);
	if (err)
		ext2_trim(inode);
	return err;
}

/* Takes no inode's lock: see file_map.c. */
static int ext2_mark_dirty(struct inode *inode, u32 index, struct page *page)
{
	u32 block;
	int err = ext2_map(inode, index, &block);

	/* Without a block it lies beyond what truncation left: its leaf goes now, and its contents nowhere. */
	if (err || !block)
		return err;
	ext2_touch(ext2_of(inode));
	return pagecache_try_mark_dirty(&inode->mapping, page, block);
}

/* ---- write ---- */

static ssize_t ext2_file_write(struct inode *inode, u64 offset, u64 buffer, size_t size_bytes, bool user)
{
	u64 limit = size_limit(ext2_of(inode));
	size_t done = 0;
	int err;

	if (size_bytes == 0)
		return 0;
	if (offset >= limit)
		return -EFBIG;
	err = ext2_trim_finish(inode);
	if (!err && offset > inode->size)
		err = fill_mapped(inode, offset);
	size_bytes = MIN(size_bytes, limit - offset);
	while (done < size_bytes && !err) {
		u64 at = offset + done;
		size_t part = MIN(PAGE_SIZE - at % PAGE_SIZE, size_bytes - done);

		err = write_part(inode, at, buffer + done, part, user);
		if (err)
			break;
		done += part;
		if (at + part > inode->size)
			__atomic_store_n(&inode->size, at + part, __ATOMIC_RELAXED);
		if (at / PAGE_SIZE % THROTTLE_PAGES == 0)
			writeback_throttle();
		err = sched_checkpoint();
	}
	ext2_inode_changed(inode);
	if (err && offset + done >= inode->size)
		ext2_trim(inode);
	return done ? (ssize_t)done : err;
}

/* ---- truncate ---- */

/* Zeroes the last page from the new end on, so that growing again shows zeros. */
static int clear_tail(struct inode *inode, u64 size)
{
	u32 index = (u32)(size / PAGE_SIZE), block;
	size_t valid = size % PAGE_SIZE;
	struct page *page;
	int err = ext2_map(inode, index, &block);

	if (err || valid == 0 || !block)
		return err;
	page = pagecache_get(&inode->mapping, index, PAGECACHE_READ);
	if (IS_ERR(page))
		return PTR_ERR(page);
	memset((u8 *)page_to_va(page) + valid, 0, PAGE_SIZE - valid);
	err = pagecache_mark_dirty(&inode->mapping, page, block);
	pagecache_release(page);
	return err;
}

static int ext2_truncate(struct inode *inode, u64 size_bytes)
{
	int err;

	if (size_bytes > size_limit(ext2_of(inode)))
		return -EFBIG;
	err = ext2_trim_finish(inode);
	if (!err)
		err =
		    size_bytes < inode->size ? clear_tail(inode, size_bytes) : fill_mapped(inode, size_bytes);
	if (err)
		return err;
	if (size_bytes < inode->size) {
		__atomic_store_n(&inode->size, size_bytes, __ATOMIC_RELAXED);
		ext2_inode_changed(inode);
		ext2_trim(inode);
	} else {
		__atomic_store_n(&inode->size, size_bytes, __ATOMIC_RELAXED);
		ext2_inode_changed(inode);
	}
	return 0;
}

const struct inode_ops ext2_file_ops = {
    .read = inode_read_cached,
    .write = ext2_file_write,
    .truncate = ext2_truncate,
    .fill_holes = ext2_fill_holes,
    .mark_dirty = ext2_mark_dirty,
    .fsync = ext2_fsync,
    .evict = ext2_evict,
};

/* Devices and pipes: only their inode is ours. */
const struct inode_ops ext2_special_ops = {.fsync = ext2_fsync, .evict = ext2_evict};
