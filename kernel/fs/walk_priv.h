/* SPDX-License-Identifier: MIT */
/* The walk along a path (walk.c), for path.c and symlink.c. */
#ifndef KERNEL_FS_WALK_PRIV_H
#define KERNEL_FS_WALK_PRIV_H

#include "fs_priv.h"

struct walk {
	struct inode *at; /* counted */
	const char *path; /* what is left, from `at` on; in the caller's string or in page */
	u32 name_bytes;   /* after walk_parent: of the last name, which is what is left */
	struct page *page;
	u32 nr_links;
};

/* -ENOENT for an empty path, -ENAMETOOLONG; then there is nothing to end. */
int walk_begin(struct walk *walk, struct inode *cwd, const char *path);
/* Gives back what the walk holds; `at` too, unless the caller took it and set NULL. */
void walk_end(struct walk *walk);
/* To what the path names: walk->at. follow: through a link at its end, too; one with a slash behind it is in the middle. */
int walk_all(struct walk *walk, bool follow);
/* To the directory of the last name; "" is the root's. The name may have slashes behind it. */
int walk_parent(struct walk *walk);
/* Goes on with what the link says, and `rest` behind it (a part of walk->path). link: counted by the caller. */
int walk_link(struct walk *walk, struct inode *link, const char *rest);

/*
 * path.c: the inode of the last name, to which walk_parent has come; made if it is not there. Counted. `exclusive`: it must
 * not be there.
 */
int walk_create(struct walk *walk, const struct inode_spec *spec, bool exclusive, struct inode **result);

/* 1: it is a symbolic link, 0: it is none; or an error. */
int inode_is_link(struct inode *inode);
/* dir locked. */
int lookup_locked(struct inode *dir, const char *name, u32 name_bytes, struct inode **result);

const char *skip_slashes(const char *path);
u32 component_bytes(const char *path);

#endif
