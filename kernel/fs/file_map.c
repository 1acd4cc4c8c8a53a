/*
 * Files in address spaces: what a page fault, a split and the end of a mapping mean for the file behind a VMA.
 *
 * A file VMA holds one count of its struct file, so the file stays open, and its inode in core, as long as a
 * mapping of it exists.
 *
 * FMAP-1  a page fault takes no inode's lock: the faulting task may hold one (read into a mapping of another file),
 *         and two tasks may do so crosswise. So the blocks of a range that can be written through a mapping are
 *         allocated when it is mapped (file_map_prepare), and a fault only looks them up.
 * FMAP-2  a page that a shared mapping may have changed is marked dirty when it becomes writable and when its leaf
 *         goes; between, the PTE reference keeps it from being evicted.
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
	page_get(page, REF_PTE, holder);
	pagecache_release(page);
	return page;
}

/* A page without a block lies beyond what truncation left of the file: its contents go nowhere, as they should. */
static void map_dirty(struct vma *vma, u32 index, struct page *page)
{
	struct inode *inode = inode_of(vma);
	int err = inode->ops->mark_dirty(inode, index, page);

	if (err)
		kprintf("inode %u: page %u, written through a mapping, is lost: error %d\n", inode->number,
			index, err);
}

static void map_open(struct vma *vma)
{
	file_dup(vma->file);
}
static void map_close(struct vma *vma)
{
	file_close(vma->file);
}
static void map_claims(struct vma *vma, struct claims *claims)
{
	file_claim(claims, vma->file);
}

static const struct vma_ops file_vma_ops = {
    .fault = map_fault,
    .dirty = map_dirty,
    .open = map_open,
    .close = map_close,
    .claims = map_claims,
};

/* 0 if the file may be mapped like this; the blocks of a range that can be written are there then. */
static int file_map_prepare(struct file *file, u32 vma_flags, u64 offset, u64 size_bytes)
{
	struct inode *inode = file->inode;
	bool writes = (vma_flags & VMA_SHARED) && (vma_flags & VMA_WRITE);
	int err;

	if (file->type != FILE_INODE || !inode_is(inode, S_IFREG) || !inode->ops->mark_dirty)
		return -ENODEV;
	if ((file->flags & O_ACCMODE) == O_WRONLY || (writes && (file->flags & O_ACCMODE) != O_RDWR))
		return -EACCES;
	if (!writes)
		return 0;
	err = inode_lock(inode);
	if (err)
		return err;
	if (offset < inode->size)
		err = inode->ops->fill_holes(inode, offset, MIN(size_bytes, inode->size - offset));
	inode_unlock(inode);
	return err;
}

s64 file_map(struct mm *mm, struct file *file, uaddr_t ua, u64 size_bytes, u32 vma_flags, u64 offset)
{
	int err;

	if (offset % PAGE_SIZE || offset / PAGE_SIZE + size_bytes / PAGE_SIZE > UINT32_MAX)
		return -EINVAL;
	err = file_map_prepare(file, vma_flags, offset, size_bytes);
	if (!err)
		err = mm_map(mm, ua, ua + size_bytes, vma_flags, &file_vma_ops, file,
			     (u32)(offset / PAGE_SIZE));
	return err ? err : (s64)ua;
}
