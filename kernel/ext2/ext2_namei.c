/* SPDX-License-Identifier: MIT */
/*
 * ext2: names and the inodes behind them.
 *
 * What can fail is done before what cannot be undone. A creation makes the inode whole first (a directory's block, a
 * link's target) and enters the name last, all under the parent's lock; until then no other process can find the inode.
 * So a failure takes back the inode alone, by its number: the links go to 0 and the last put frees it. Undone by its name,
 * it could be another process's file that goes, if the name was free for a moment.
 */
#include "ext2_priv.h"

static int ext2_lookup(struct inode *dir, const char *name, u32 name_bytes, struct inode **result)
{
	u32 number;
	int err = dir->links == 0 ? -ENOENT : ext2_dir_find(dir, name, name_bytes, &number);

	if (err)
		return err;
	*result = inode_get(dir->sb, number, &err);
	return err;
}

/* The new inode with all that belongs to it but its name. Locked. After an error it has no links. */
static int begin_inode(struct inode *dir, struct inode *inode, const struct inode_spec *spec)
{
	int err = 0;

	/* Somebody may have come by the number through a stale entry, and read what the disk had: that one stays. */
	if (inode->valid)
		return ext2_damaged(ext2_of(dir), "inode %u had a name before it was made", inode->number);
	ext2_inode_begin(inode, spec->mode, spec->device);
	if (inode_is(inode, S_IFDIR)) {
		err = ext2_dir_begin(inode, dir->number);
		inode->links = 2;
	} else if (inode_is(inode, S_IFLNK)) {
		err = ext2_link_begin(inode, spec->target, (u32)strlen(spec->target));
	}
	if (err)
		inode->links = 0;
	return err;
}

static int ext2_create(struct inode *dir, const char *name, u32 name_bytes, const struct inode_spec *spec,
		       struct inode **result)
{
	u32 type = spec->mode & S_IFMT;
	bool directory = type == S_IFDIR;
	struct inode *inode;
	int err;

	if (!directory && type != S_IFREG && type != S_IFCHR && type != S_IFLNK)
		return -EINVAL;
	if (spec->device > UINT16_MAX)
		return -EINVAL;
	if (directory && dir->links >= EXT2_LINK_MAX)
		return -EMLINK;
	err = ext2_inode_alloc(dir, directory, &inode);
	if (err)
		return err;
	sleeplock_acquire(&inode->lock);
	err = begin_inode(dir, inode, spec);
	if (!err) {
		err = ext2_dir_add(dir, name, name_bytes, inode->number, spec->mode);
		if (err)
			inode->links = 0;
	}
	sleeplock_release(&inode->lock);
	if (err) {
		inode_put(inode);
		return err;
	}
	dir->links = (u16)(dir->links + directory);
	*result = inode;
	return 0;
}

static int ext2_link(struct inode *dir, const char *name, u32 name_bytes, struct inode *target)
{
	int err;

	if (target->links >= EXT2_LINK_MAX)
		return -EMLINK;
	err = ext2_dir_add(dir, name, name_bytes, target->number, target->mode);
	if (err)
		return err;
	target->links++;
	ext2_inode_changed(target);
	return 0;
}

static int ext2_unlink(struct inode *dir, const char *name, u32 name_bytes, struct inode *target)
{
	bool directory = inode_is(target, S_IFDIR);
	int err;

	if (directory) {
		int empty = ext2_dir_is_empty(target);

		if (empty <= 0)
			return empty ? empty : -ENOTEMPTY;
	}
	err = ext2_dir_remove(dir, name, name_bytes, target->number);
	if (err)
		return err;
	if (directory) {
		target->links = 0;
		if (dir->links > 2)
			dir->links--;
	} else {
		target->links--;
	}
	ext2_inode_changed(target);
	return 0;
}

static int ext2_readdir(struct inode *dir, u64 *position, dir_emit_fn emit, void *arg)
{
	return ext2_dir_read(dir, position, emit, arg);
}

const struct inode_ops ext2_dir_ops = {
    .lookup = ext2_lookup,
    .create = ext2_create,
    .link = ext2_link,
    .unlink = ext2_unlink,
    .readdir = ext2_readdir,
    .fsync = ext2_fsync,
    .evict = ext2_evict,
};
