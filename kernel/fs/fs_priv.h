/* SPDX-License-Identifier: MIT */
/* Shared by the files of fs above the page cache. */
#ifndef KERNEL_FS_PRIV_H
#define KERNEL_FS_PRIV_H

#include <kernel/errno.h>
#include <kernel/fs.h>
#include <kernel/lib.h>
#include <kernel/slab.h>
#include <kernel/waitqueue.h>

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

/* ---- icache.c ---- */

void icache_init(void);
/* As inode_get, but -EAGAIN where that would wait for the number's former inode to leave core. */
struct inode *inode_get_nowait(struct superblock *sb, u32 number, int *err);
void icache_wait_gone(const struct superblock *sb, u32 number); /* returns when it has left */
int icache_write_dirty(void); /* stores every changed inode; the first error */
/* Tries again to free inodes without links, where that failed. */
void icache_free_left_over(void);
/* Writes and drops all unused inodes of sb. */
void icache_drop(struct superblock *sb);
/* In-core inodes of sb without links, which their last user or a later sync frees on disk. */
u32 icache_nr_deleted(const struct superblock *sb);
/* In-core inodes of sb that somebody uses. */
u32 icache_nr_used(const struct superblock *sb);
void icache_claims(struct claims *claims);

/* ---- path.c ---- */

void path_init(void);

/* ---- mount.c ---- */

/* Counted; the root of what is mounted on inode, or inode itself. Takes over the count given. */
struct inode *mount_cross(struct inode *inode);

/* ---- file.c, pipe.c ---- */

void file_init(void);
struct file *file_alloc(enum file_type type, u32 flags); /* count 1, or NULL */
void pipe_init(void);
ssize_t pipe_read(struct pipe *pipe, uaddr_t dst, size_t size_bytes);
ssize_t pipe_write(struct pipe *pipe, uaddr_t src, size_t size_bytes);
void pipe_close_end(struct pipe *pipe, bool read_end);

/* ---- ext2_super.c ---- */

struct superblock *ext2_mount(struct block_device *device, int *err); /* NULL: why stands on the console */
void ext2_unmount(struct superblock *sb);                             /* no inode of it is in core */
void ext2_claims(struct claims *claims);

#endif
