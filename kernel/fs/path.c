/* SPDX-License-Identifier: MIT */
/*
 * What is done by name: lookup, creation, link, unlink. The way to a name is in walk.c.
 *
 * Symbolic links on the way are followed, wherever they are. A link that is the last name is followed by lookup; what
 * makes, removes or links a name means the link itself.
 *
 * A walk holds one inode locked at a time, so it needs no order. Those who lock two inodes
 * (link, unlink) hold tree_lock as well: parent before child is an order only if the tree is one, and on a damaged
 * disk it may not be.
 */
#include "walk_priv.h"

static struct sleeplock tree_lock;

void path_init(void)
{
	sleeplock_init(&tree_lock, "tree");
}

/* follow: through a link that is the last name. */
static int lookup(struct inode *cwd, const char *path, bool follow, struct inode **result)
{
	struct walk walk;
	int err = walk_begin(&walk, cwd, path);

	if (err)
		return err;
	err = walk_all(&walk, follow);
	if (!err) {
		*result = walk.at;
		walk.at = NULL;
	}
	walk_end(&walk);
	return err;
}

int path_lookup(struct inode *cwd, const char *path, struct inode **result)
{
	return lookup(cwd, path, true, result);
}

/* ---- names come and go ---- */

/* parent locked. */
static int create_locked(struct inode *parent, const char *name, u32 name_bytes,
			 const struct inode_spec *spec, bool exclusive, struct inode **result)
{
	int err = lookup_locked(parent, name, name_bytes, result);

	if (err == 0 && exclusive) {
		inode_put(*result);
		return -EEXIST;
	}
	if (err != -ENOENT)
		return err;
	if (!parent->ops->create)
		return -EINVAL;
	if (parent->links == 0)
		return -ENOENT;
	return parent->ops->create(parent, name, name_bytes, spec, result);
}

int walk_create(struct walk *walk, const struct inode_spec *spec, bool exclusive, struct inode **result)
{
	struct inode *parent = walk->at;
	const char *name = walk->path;
	int err;

	if (walk->name_bytes == 0 || name_is_dots(name, walk->name_bytes)) {
		if (exclusive)
			return -EEXIST;
		err = walk_all(walk, true);
		if (!err)
			*result = inode_dup(walk->at);
		return err;
	}
	if (name[walk->name_bytes] == '/' && (spec->mode & S_IFMT) != S_IFDIR)
		return -EISDIR;
	err = inode_lock(parent);
	if (err)
		return err;
	err = create_locked(parent, name, walk->name_bytes, spec, exclusive, result);
	inode_unlock(parent);
	if (!err)
		*result = mount_cross(*result);
	return err;
}

int path_create(struct inode *cwd, const char *path, const struct inode_spec *spec, bool exclusive,
		struct inode **result)
{
	struct walk walk;
	int err = walk_begin(&walk, cwd, path);

	if (err)
		return err;
	err = walk_parent(&walk);
	if (!err)
		err = walk_create(&walk, spec, exclusive, result);
	walk_end(&walk);
	return err;
}

/* parent and tree_lock held. */
static int link_locked(struct inode *parent, const char *name, u32 name_bytes, struct inode *target)
{
	struct inode *existing;
	int err = lookup_locked(parent, name, name_bytes, &existing);

	if (err == 0) {
		inode_put(existing);
		return -EEXIST;
	}
	if (err != -ENOENT || name[name_bytes] == '/')
		return err;
	if (!parent->ops->link)
		return -EINVAL;
	if (parent == target)
		return -EUCLEAN;
	err = inode_lock(target);
	if (err)
		return err;
	if (inode_is(target, S_IFDIR))
		err = -EPERM;
	else if (target->links == 0 || parent->links == 0)
		err = -ENOENT;
	else
		err = parent->ops->link(parent, name, name_bytes, target);
	inode_unlock(target);
	return err;
}

/* The walk has come to the new name's directory. */
static int link_at(struct walk *walk, struct inode *target)
{
	int err;

	if (walk->name_bytes == 0 || name_is_dots(walk->path, walk->name_bytes))
		return -EEXIST;
	if (walk->at->sb != target->sb)
		return -EXDEV;
	sleeplock_acquire(&tree_lock);
	err = inode_lock(walk->at);
	if (!err) {
		err = link_locked(walk->at, walk->path, walk->name_bytes, target);
		inode_unlock(walk->at);
	}
	sleeplock_release(&tree_lock);
	return err;
}

static int link_target(struct inode *cwd, struct inode *target, const char *new_path)
{
	struct walk walk;
	int err = walk_begin(&walk, cwd, new_path);

	if (err)
		return err;
	err = walk_parent(&walk);
	if (!err)
		err = link_at(&walk, target);
	walk_end(&walk);
	return err;
}

int path_link(struct inode *cwd, const char *old_path, const char *new_path)
{
	struct inode *target;
	int err = lookup(cwd, old_path, false, &target);

	if (err)
		return err;
	err = inode_lock(target);
	if (!err) {
		err = inode_is(target, S_IFDIR) ? -EPERM : 0;
		inode_unlock(target);
	}
	if (!err)
		err = link_target(cwd, target, new_path);
	inode_put(target);
	return err;
}

/* parent and tree_lock held; target counted. */
static int unlink_locked(struct inode *parent, const char *name, u32 name_bytes, struct inode *target,
			 bool directory)
{
	int err;

	if (target == parent)
		return -EUCLEAN;
	if (target->mounted || target == target->sb->root)
		return -EBUSY;
	if (!parent->ops->unlink)
		return -EINVAL;
	err = inode_lock(target);
	if (err)
		return err;
	if (directory != inode_is(target, S_IFDIR))
		err = directory ? -ENOTDIR : -EISDIR;
	else if (!directory && name[name_bytes] == '/')
		err = -ENOTDIR;
	else
		err = parent->ops->unlink(parent, name, name_bytes, target);
	inode_unlock(target);
	return err;
}

static int unlink_from(struct inode *parent, const char *name, u32 name_bytes, bool directory)
{
	struct inode *target = NULL;
	int err;

	sleeplock_acquire(&tree_lock);
	err = inode_lock(parent);
	if (!err) {
		err = lookup_locked(parent, name, name_bytes, &target);
		if (!err)
			err = unlink_locked(parent, name, name_bytes, target, directory);
		inode_unlock(parent);
	}
	sleeplock_release(&tree_lock);
	/* Frees the file if this was its last name; needs the parent no more. */
	if (target)
		inode_put(target);
	return err;
}

/* The walk has come to the name's directory. */
static int unlink_at(const struct walk *walk, bool directory)
{
	if (walk->name_bytes == 0)
		return directory ? -EBUSY : -EISDIR;
	if (name_is_dots(walk->path, walk->name_bytes))
		return !directory ? -EISDIR : walk->name_bytes == 1 ? -EINVAL : -ENOTEMPTY;
	return unlink_from(walk->at, walk->path, walk->name_bytes, directory);
}

int path_unlink(struct inode *cwd, const char *path, bool directory)
{
	struct walk walk;
	int err = walk_begin(&walk, cwd, path);

	if (err)
		return err;
	err = walk_parent(&walk);
	if (!err)
		err = unlink_at(&walk, directory);
	walk_end(&walk);
	return err;
}

int path_statfs(struct inode *cwd, const char *path, struct statfs *out)
{
	struct inode *inode;
	int err = path_lookup(cwd, path, &inode);

	if (err)
		return err;
	memset(out, 0, sizeof(*out));
	if (inode->sb->statfs)
		inode->sb->statfs(inode->sb, out);
	inode_put(inode);
	return 0;
}
