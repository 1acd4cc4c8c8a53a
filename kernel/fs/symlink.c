/* SPDX-License-Identifier: MIT */
/*
 * Symbolic links: making them, and opening files through them. How a walk follows one is in walk.c.
 *
 * open follows a link at the end of its path unless it is told not to; where it creates, it creates what the last link
 * names.
 */
#include "walk_priv.h"

/* O_CREAT: each link at the end is one more path to go, with its last name to be made. */
static int open_create(struct walk *walk, u32 flags, u32 mode, struct inode **result)
{
	const struct inode_spec spec = {.mode = S_IFREG | (mode & 07777)};

	for (;;) {
		int err = walk_parent(walk), link;

		if (!err)
			err = walk_create(walk, &spec, flags & O_EXCL, result);
		if (err || flags & O_NOFOLLOW)
			return err;
		link = inode_is_link(*result);
		if (link == 0)
			return 0;
		err = link < 0 ? link : walk_link(walk, *result, walk->path + walk->name_bytes);
		inode_put(*result);
		if (err)
			return err;
	}
}

int path_open(struct inode *cwd, const char *path, u32 flags, u32 mode, struct inode **result)
{
	struct walk walk;
	int err = walk_begin(&walk, cwd, path);

	if (err)
		return err;
	if (flags & O_CREAT) {
		err = open_create(&walk, flags, mode, result);
	} else {
		err = walk_all(&walk, !(flags & O_NOFOLLOW));
		if (!err) {
			*result = walk.at;
			walk.at = NULL;
		}
	}
	walk_end(&walk);
	return err;
}

int path_symlink(struct inode *cwd, const char *target, const char *path)
{
	const struct inode_spec spec = {.mode = S_IFLNK | 0777, .target = target};
	struct inode *inode;
	int err = path_create(cwd, path, &spec, true, &inode);

	if (!err)
		inode_put(inode);
	return err;
}
