/*
 * Symbolic links: making them, and following one when a file is opened.
 *
 * A link is followed where it is the last name of a path that is opened, up to LINKS_MAX in a row; a relative target
 * begins at the directory that the link is in. In the middle of a path a link is a thing that is no directory.
 * What removes, makes or links a name means the link itself.
 *
 * Locks: none is held between two steps; each link is locked while its target is copied out.
 */
#include "fs_priv.h"

#define LINKS_MAX 10

static int target_read(struct inode *link, char *target)
{
	int length = inode_lock(link);

	if (length)
		return length;
	length = link->ops->readlink ? link->ops->readlink(link, target, PATH_MAX) : -EINVAL;
	inode_unlock(link);
	if (length >= 0)
		target[length] = 0;
	return length < 0 ? length : 0;
}

/* 1: it is a link, 0: it is none. */
static int is_link(struct inode *inode)
{
	int result = inode_lock(inode);

	if (result)
		return result;
	result = inode_is(inode, S_IFLNK);
	inode_unlock(inode);
	return result;
}

static int find_once(struct inode *cwd, const char *path, u32 flags, u32 mode, struct inode **result)
{
	if (flags & O_CREAT)
		return path_create(cwd, path, S_IFREG | (mode & 07777), 0, flags & O_EXCL, result);
	return path_lookup(cwd, path, result);
}

/* One step: from the inode found at `path` to what its target names. Takes over both counts and gives two new ones. */
static int follow_one(struct inode **at, const char *path, char *target, u32 flags, u32 mode,
		      struct inode **inode)
{
	struct inode *dir;
	const char *name;
	u32 name_bytes;
	int err = path_parent(*at, path, &dir, &name, &name_bytes);

	if (!err) {
		inode_put(*at);
		*at = dir;
		err = target_read(*inode, target); /* may overwrite path */
	}
	inode_put(*inode);
	return err ? err : find_once(*at, target, flags, mode, inode);
}

/* target: a page. */
static int follow(struct inode *cwd, const char *path, char *target, u32 flags, u32 mode,
		  struct inode **result)
{
	struct inode *at = cwd ? inode_dup(cwd) : fs_root();
	int err = 1;

	for (u32 i = 0; err == 1 && i < LINKS_MAX; i++) {
		err = follow_one(&at, path, target, flags, mode, result);
		path = target;
		if (!err) {
			err = is_link(*result);
			if (err < 0)
				inode_put(*result);
		}
	}
	if (err == 1) {
		inode_put(*result);
		err = -ELOOP;
	}
	inode_put(at);
	return err;
}

int path_open(struct inode *cwd, const char *path, u32 flags, u32 mode, struct inode **result)
{
	struct holder holder = HOLDER(trace_current_pid(), 0);
	struct page *page;
	int err = find_once(cwd, path, flags, mode, result);

	if (err || flags & O_NOFOLLOW)
		return err;
	err = is_link(*result);
	if (err < 0)
		inode_put(*result);
	if (err <= 0)
		return err;
	page = page_alloc(0, PK_KERNEL, REF_OWNER, holder);
	if (!page) {
		inode_put(*result);
		return -ENOMEM;
	}
	err = follow(cwd, path, page_to_va(page), flags, mode, result);
	page_put(page, REF_OWNER, holder);
	return err;
}

int path_symlink(struct inode *cwd, const char *target, const char *path)
{
	struct inode *inode;
	int err = path_create(cwd, path, S_IFLNK | 0777, 0, true, &inode);

	if (err)
		return err;
	err = inode_lock(inode);
	if (!err) {
		err =
		    inode->ops->set_link ? inode->ops->set_link(inode, target, (u32)strlen(target)) : -EINVAL;
		inode_unlock(inode);
	}
	inode_put(inode);
	if (err)
		path_unlink(cwd, path, false); /* without a target it is of no use */
	return err;
}
