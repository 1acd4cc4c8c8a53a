/* SPDX-License-Identifier: MIT */
/* Shared by the files of fs above the page cache. */
#ifndef KERNEL_FS_PRIV_H
#define KERNEL_FS_PRIV_H

#include <kernel/errno.h>
#include <kernel/fs_driver.h>
#include <kernel/lib.h>
#include <kernel/slab.h>
#include <kernel/waitqueue.h>

/* ---- icache.c ---- */

void icache_init(void);
/* Tries again to free inodes without links, where that failed. */
void icache_free_left_over(void);
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
struct file *file_alloc(enum file_type type, u32 flags); /* with a reference CALL, or NULL */
struct holder file_holder(const struct file *file);      /* in whose name a file holds its inode or pipe */
void pipe_init(void);
ssize_t pipe_read(struct pipe *pipe, uaddr_t dst, size_t size_bytes);
ssize_t pipe_write(struct pipe *pipe, uaddr_t src, size_t size_bytes);
void pipe_close_end(struct pipe *pipe, const struct file *end);
void pipe_claim(struct claims *claims, struct pipe *pipe, const struct file *end);

#endif
