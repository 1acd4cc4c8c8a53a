/* SPDX-License-Identifier: MIT */
/* Reading a file through its page cache: one copy, from the cached page straight to its destination. */
#include "fs_priv.h"

static int copy_out(u64 buffer, const void *src, size_t size_bytes, bool user)
{
	if (user)
		return copy_to_user(buffer, src, size_bytes);
	memcpy((void *)buffer, src, size_bytes);
	return 0;
}

ssize_t inode_read_cached(struct inode *inode, u64 offset, u64 buffer, size_t size_bytes, bool user,
			  struct readahead *ahead)
{
	size_t done = 0;
	int err = 0;

	if (offset >= inode->size)
		return 0;
	size_bytes = MIN(size_bytes, inode->size - offset);
	while (done < size_bytes && !err) {
		u64 at = offset + done;
		size_t in_page = at % PAGE_SIZE;
		size_t part = MIN(PAGE_SIZE - in_page, size_bytes - done);
		u32 index = (u32)(at / PAGE_SIZE), last = (u32)((offset + size_bytes - 1) / PAGE_SIZE);
		struct page *page;

		if (ahead && inode->mapping.ops->locate)
			readahead_advance(ahead, &inode->mapping, index, last);
		page = pagecache_get(&inode->mapping, index, PAGECACHE_READ);
		if (IS_ERR(page)) {
			err = PTR_ERR(page);
			break;
		}
		err = copy_out(buffer + done, (u8 *)page_to_va(page) + in_page, part, user);
		pagecache_release(page);
		if (!err) {
			done += part;
			err = sched_checkpoint();
		}
	}
	return done ? (ssize_t)done : err;
}
