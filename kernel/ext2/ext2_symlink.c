/* SPDX-License-Identifier: MIT */
/*
 * ext2: the targets of symbolic links. One of up to 59 bytes stands in the inode, in the place of its block numbers; a
 * longer one is the link's contents.
 */
#include "ext2_priv.h"

#define SHORT_MAX (sizeof(((struct inode *)0)->ext2.blocks) - 1)

static bool stands_in_inode(const struct inode *inode)
{
	return inode->ext2.nr_sectors <= (inode->ext2.file_acl ? EXT2_SECTORS : 0);
}

/* Its length; not terminated. */
static int ext2_readlink(struct inode *inode, char *target, u32 room_bytes)
{
	if (inode->size >= room_bytes)
		return -ENAMETOOLONG;
	if (!stands_in_inode(inode))
		return (int)inode_read_cached(inode, 0, (u64)target, inode->size, false, NULL);
	if (inode->size > SHORT_MAX)
		return ext2_damaged(ext2_of(inode), "link %u has %lu bytes and no block", inode->number,
				    inode->size);
	memcpy(target, inode->ext2.blocks, inode->size);
	return (int)inode->size;
}

int ext2_link_begin(struct inode *inode, const char *target, u32 length_bytes)
{
	ssize_t written;

	if (length_bytes > SHORT_MAX) {
		written = ext2_file_ops.write(inode, 0, (u64)target, length_bytes, false);
		return written == (ssize_t)length_bytes ? 0 : written < 0 ? (int)written : -ENOSPC;
	}
	memcpy(inode->ext2.blocks, target, length_bytes);
	inode->size = length_bytes;
	ext2_inode_changed(inode);
	return 0;
}

const struct inode_ops ext2_link_ops = {
    .readlink = ext2_readlink,
    .fsync = ext2_fsync,
    .evict = ext2_evict,
};
