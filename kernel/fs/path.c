/*
 * Path walk and what changes names.
 *
 * A walk holds one inode locked at a time and one more counted, so it needs no order. Those who lock two inodes
 * (link, unlink) hold tree_lock as well: parent before child is an order only if the tree is one, and on a damaged
 * disk it may not be.
 */
#include "fs_priv.h"

static struct sleeplock tree_lock;

void path_init(void)
{
	sleeplock_init(&tree_lock, "tree");
}

/* ---- components ---- */

static const char *skip_slashes(const char *path)
{
	while (*path == '/')
		path++;
	return path;
}

static u32 component_bytes(const char *path)
{
	u32 length = 0;

	while (path[length] && path[length] != '/')
		length++;
	return length;
}

static bool is_last(const char *after)
{
	return *skip_slashes(after) == 0;
}

static struct inode *walk_start(struct inode *cwd, const char *path)
{
	return *path == '/' || !cwd ? fs_root() : inode_dup(cwd);
}

/* dir locked. */
static int lookup_locked(struct inode *dir, const char *name, u32 name_bytes, struct inode **result)
{
	if (!inode_is(dir, S_IFDIR) || !dir->ops->lookup)
		return -ENOTDIR;
	return dir->ops->lookup(dir, name, name_bytes, result);
}

/* From dir, whose count is taken over, one component down (or up). */
static int walk_step(struct inode *dir, const char *name, u32 name_bytes, struct inode **result)
{
	struct inode *child;
	int err;

	if (name_bytes > NAME_MAX) {
		inode_put(dir);
		return -ENAMETOOLONG;
	}
	/* The way up from a mounted root begins at the directory it covers. */
	while (name_is(name, name_bytes, "..") && dir == dir->sb->root && dir->sb->covered) {
		struct inode *covered = inode_dup(dir->sb->covered);

		inode_put(dir);
		dir = covered;
	}
	err = inode_lock(dir);
	if (!err) {
		if (name_is(name, name_bytes, ".")) {
			child = inode_dup(dir);
			err = inode_is(dir, S_IFDIR) ? 0 : -ENOTDIR;
			if (err)
				inode_put(child);
		} else {
			err = lookup_locked(dir, name, name_bytes, &child);
		}
		inode_unlock(dir);
	}
	inode_put(dir);
	if (!err)
		*result = mount_cross(child);
	return err;
}

/* A counted inode that must be a directory; takes over the count on failure. */
static int require_directory(struct inode *inode)
{
	int err = inode_lock(inode);

	if (!err) {
		err = inode_is(inode, S_IFDIR) ? 0 : -ENOTDIR;
		inode_unlock(inode);
	}
	if (err)
		inode_put(inode);
	return err;
}

static int check_length(const char *path)
{
	if (*path == 0)
		return -ENOENT;
	return strnlen(path, PATH_MAX) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int path_lookup(struct inode *cwd, const char *path, struct inode **result)
{
	struct inode *inode;
	int err = check_length(path);
	bool slash_behind = false;

	if (err)
		return err;
	inode = walk_start(cwd, path);
	for (path = skip_slashes(path); *path; path = skip_slashes(path)) {
		u32 length = component_bytes(path);

		err = walk_step(inode, path, length, &inode);
		if (err)
			return err;
		path += length;
		slash_behind = *path == '/';
	}
	if (slash_behind) {
		err = require_directory(inode);
		if (err)
			return err;
	}
	*result = inode;
	return 0;
}

int path_parent(struct inode *cwd, const char *path, struct inode **parent, const char **name,
		u32 *name_bytes)
{
	struct inode *inode;
	int err = check_length(path);

	if (err)
		return err;
	inode = walk_start(cwd, path);
	for (path = skip_slashes(path);;) {
		u32 length = component_bytes(path);

		if (is_last(path + length)) {
			if (length > NAME_MAX) {
				inode_put(inode);
				return -ENAMETOOLONG;
			}
			*name = path;
			*name_bytes = length;
			break;
		}
		err = walk_step(inode, path, length, &inode);
		if (err)
			return err;
		path = skip_slashes(path + length);
	}
	err = require_directory(inode);
	if (!err)
		*parent = inode;
	return err;
}

/* ---- names come and go ---- */

/* parent locked. */
static int create_locked(struct inode *parent, const char *name, u32 name_bytes, u32 mode, u32 device,
			 bool exclusive, struct inode **result)
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
	return parent->ops->create(parent, name, name_bytes, mode, device, result);
}

int path_create(struct inode *cwd, const char *path, u32 mode, u32 device, bool exclusive,
		struct inode **result)
{
	struct inode *parent;
	const char *name;
	u32 name_bytes;
	int err = path_parent(cwd, path, &parent, &name, &name_bytes);

	if (err)
		return err;
	if (name_bytes == 0 || name_is_dots(name, name_bytes)) {
		inode_put(parent);
		return exclusive ? -EEXIST : path_lookup(cwd, path, result);
	}
	if (name[name_bytes] == '/' && (mode & S_IFMT) != S_IFDIR) {
		inode_put(parent);
		return -EISDIR;
	}
	err = inode_lock(parent);
	if (!err) {
		err = create_locked(parent, name, name_bytes, mode, device, exclusive, result);
		inode_unlock(parent);
	}
	inode_put(parent);
	if (!err)
		*result = mount_cross(*result);
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

static int link_target(struct inode *cwd, struct inode *target, const char *new_path)
{
	struct inode *parent;
	const char *name;
	u32 name_bytes;
	int err = path_parent(cwd, new_path, &parent, &name, &name_bytes);

	if (err)
		return err;
	if (name_bytes == 0 || name_is_dots(name, name_bytes)) {
		err = -EEXIST;
	} else if (parent->sb != target->sb) {
		err = -EXDEV;
	} else {
		sleeplock_acquire(&tree_lock);
		err = inode_lock(parent);
		if (!err) {
			err = link_locked(parent, name, name_bytes, target);
			inode_unlock(parent);
		}
		sleeplock_release(&tree_lock);
	}
	inode_put(parent);
	return err;
}

int path_link(struct inode *cwd, const char *old_path, const char *new_path)
{
	struct inode *target;
	int err = path_lookup(cwd, old_path, &target);

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

int path_unlink(struct inode *cwd, const char *path, bool directory)
{
	struct inode *parent;
	const char *name;
	u32 name_bytes;
	int err = path_parent(cwd, path, &parent, &name, &name_bytes);

	if (err)
		return err;
	if (name_bytes == 0)
		err = directory ? -EBUSY : -EISDIR;
	else if (name_is_dots(name, name_bytes))
		err = !directory ? -EISDIR : name_bytes == 1 ? -EINVAL : -ENOTEMPTY;
	else
		err = unlink_from(parent, name, name_bytes, directory);
	inode_put(parent);
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
