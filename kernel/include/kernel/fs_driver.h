/* SPDX-License-Identifier: MIT */
/*
 * What a file system on a disk needs of fs, besides fs.h: its type, by which the root is mounted, and in-core inodes as their
 * file system sees them. Programs' system calls need none of it.
 */
#ifndef KERNEL_FS_DRIVER_H
#define KERNEL_FS_DRIVER_H

#include <kernel/errno.h>
#include <kernel/fs.h>
#include <kernel/lib.h>
#include <kernel/slab.h>
#include <kernel/waitqueue.h>

/* A kind of file system, of which one can be mounted at a time. */
struct fs_type {
	struct superblock *(*mount)(struct block_device *device,
				    int *err);  /* NULL: why stands on the console */
	void (*unmount)(struct superblock *sb); /* no inode of it is in core */
	void (*claims)(struct claims *claims);
};

static inline bool inode_is(const struct inode *inode, u32 type)
{
	return (inode->mode & S_IFMT) == type;
}
static inline bool name_is(const char *name, u32 name_bytes, const char *text)
{
	return strlen(text) == name_bytes && memcmp(name, text, name_bytes) == 0;
}
static inline bool name_is_dots(const char *name, u32 name_bytes)
{
	return name_is(name, name_bytes, ".") || name_is(name, name_bytes, "..");
}
u8 dirent_type(u32 mode); /* DT_* of S_IF* */

/* ---- inodes in core ---- */

/* As inode_get, but -EAGAIN where that would wait for the number's former inode to leave core. */
struct inode *inode_get_nowait(struct superblock *sb, u32 number, int *err);
void icache_wait_gone(const struct superblock *sb, u32 number); /* returns when it has left */
int icache_write_dirty(void); /* stores every changed inode; the first error */
/* Writes and drops all unused inodes of sb. */
void icache_drop(struct superblock *sb);
/* In-core inodes of sb without links, which their last user or a later sync frees on disk. */
u32 icache_nr_deleted(const struct superblock *sb);

#endif
