/* SPDX-License-Identifier: MIT */
/*
 * Files in address spaces: what a page fault, a split and the end of a mapping mean for the file behind a VMA.
 *
 * A file VMA holds one count of its struct file, so the file stays open, and its inode in core, as long as a
 * mapping of it exists.
 *
 * FMAP-1  a page fault takes no inode's lock: the faulting task may hold one (read into a mapping of another file),
 *         and two tasks may do so crosswise. So the blocks of a range that can be written through a mapping are
 *         allocated when it is mapped, and when the file grows under it (fill_holes); a fault only looks them up.
 * FMAP-2  a page with a leaf that can be written is dirty, or its marker is on the way: it is marked when the leaf becomes
 *         writable, and write-back makes its leaves read-only before it stores the page. So every sync sees every store.
 * FMAP-3  no leaf maps what lies beyond the end of the file. Truncation sets the size, unmaps, drops the cached pages, and
 *         frees the blocks, in this order; a fault looks again at the size, and whether the page is still cached, under the
 *         lock that unmapping takes. A page that was not cached is read only if the size, looked at after it was put into
 *         the tree, allows it: dropping waits for pages that are being read.
 */
#include "fs_priv.h"
#include <kernel/arch.h>

static struct inode *inode_of(const struct vma *vma)
{
	return ((struct file *)vma->file)->inode;
}

static struct page *map_fault(struct vma *vma, u32 index, struct holder holder, int *err)
{
	struct inode *inode = inode_of(vma);
	u64 size = __atomic_load_n(&inode->size, __ATOMIC_RELAXED);
	struct page *page;

	if ((u64)index * PAGE_SIZE >= size) {
		*err = -EFAULT;
		return NULL;
	}
	page = pagecache_get(&inode->mapping, index, PAGECACHE_READ);
	if (IS_ERR(page)) {
		*err = PTR_ERR(page);
		return NULL;
	}
	if (!page_try_get(page, REF_PTE, holder)) {
		*err = -ENOMEM;
		pagecache_release(page);
		return NULL;
	}
	pagecache_release(page);
	return page;
}

static bool map_current(struct vma *vma, u32 index, const struct page *page)
{
	u64 size = __atomic_load_n(&inode_of(vma)->size, __ATOMIC_RELAXED);

	return (u64)index * PAGE_SIZE < size &&
	       (__atomic_load_n(&page->state, __ATOMIC_RELAXED) & PAGE_UPTODATE);
}

static int map_dirty(struct vma *vma, u32 index, struct page *page)
{
	struct inode *inode = inode_of(vma);

	return inode->ops->mark_dirty(inode, index, page);
}

static void map_open(struct vma *vma)
{
	file_get_ref(vma->file, REF_VMA, vma_holder(vma));
}
static void map_close(struct vma *vma)
{
	file_put_ref(vma->file, REF_VMA, vma_holder(vma));
}
static void map_claims(struct vma *vma, struct claims *claims)
{
	file_claim(claims, vma->file, REF_VMA, vma_holder(vma));
}

static struct vma_set *map_set(struct vma *vma)
{
	return &inode_of(vma)->mapping.users;
}

static const struct vma_ops file_vma_ops = {
    .fault = map_fault,
    .current = map_current,
    .dirty = map_dirty,
    .open = map_open,
    .close = map_close,
    .set = map_set,
    .claims = map_claims,
};

static bool writes_file(u32 vma_flags)
{
	return (vma_flags & VMA_SHARED) && (vma_flags & VMA_WRITE);
}

int file_may_map(const struct file *file, u64 size_bytes, u32 vma_flags, u64 offset)
{
	const struct inode *inode = file->inode;

	if (offset % PAGE_SIZE || offset / PAGE_SIZE + size_bytes / PAGE_SIZE > UINT32_MAX)
		return -EINVAL;
	if (file->type != FILE_INODE || !inode_is(inode, S_IFREG) || !inode->ops->mark_dirty)
		return -ENODEV;
	if ((file->flags & O_ACCMODE) == O_WRONLY ||
	    (writes_file(vma_flags) && (file->flags & O_ACCMODE) != O_RDWR))
		return -EACCES;
	return 0;
}

/* FMAP-1 for a new mapping, which is in its set already: the file may change its size at any time before and after. */
static int fill_holes(struct inode *inode, u64 offset, u64 size_bytes)
{
	int err = inode_lock(inode);

	if (err)
		return err;
	if (offset < inode->size)
		err = inode->ops->fill_holes(inode, offset, MIN(size_bytes, inode->size - offset));
	inode_unlock(inode);
	return err;
}

s64 file_map(struct mm *mm, struct file *file, uaddr_t ua, u64 size_bytes, u32 vma_flags, u64 offset)
{
	int err = mm_map(mm, ua, ua + size_bytes, vma_flags, &file_vma_ops, file, (u32)(offset / PAGE_SIZE));

	if (err)
		return err;
	if (writes_file(vma_flags))
		err = fill_holes(file->inode, offset, size_bytes);
	if (err)
		mm_unmap(mm, ua, ua + size_bytes); /* one VMA, whole: needs no memory */
	return err ? err : (s64)ua;
}
