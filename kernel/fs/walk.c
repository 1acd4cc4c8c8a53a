/* SPDX-License-Identifier: MIT */
/*
 * The walk along a path, from component to component and through symbolic links.
 *
 * WALK-1  a walk holds one counted inode, `at`, where `path` goes on; none is locked between two steps.
 * WALK-2  a link on the way is replaced by its target: what is left of the path then is the target and what came behind
 *         the link, in a page of the walk's own, which a path without links does not need. A relative target goes on
 *         from the directory that the link is in.
 * WALK-3  a path leads through LINKS_MAX links at most, so every walk ends.
 *
 * Callers: path.c and symlink.c, one walk for each path: walk_begin, then walk_parent or walk_all, then walk_end.
 */
#include "walk_priv.h"

#define LINKS_MAX 10

STATIC_ASSERT(2 * PATH_MAX <= PAGE_SIZE, "the old path is copied from while the new one is made");

const char *skip_slashes(const char *path)
{
	while (*path == '/')
		path++;
	return path;
}

u32 component_bytes(const char *path)
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

static struct holder page_holder(void)
{
	return HOLDER(trace_current_pid(), 0);
}

int walk_begin(struct walk *walk, struct inode *cwd, const char *path)
{
	if (*path == 0)
		return -ENOENT;
	if (strnlen(path, PATH_MAX) >= PATH_MAX)
		return -ENAMETOOLONG;
	*walk = (struct walk){.path = skip_slashes(path)};
	walk->at = *path == '/' || !cwd ? fs_root() : inode_dup(cwd);
	return 0;
}

void walk_end(struct walk *walk)
{
	if (walk->at)
		inode_put(walk->at);
	if (walk->page)
		page_put(walk->page, REF_OWNER, page_holder());
}

int lookup_locked(struct inode *dir, const char *name, u32 name_bytes, struct inode **result)
{
	if (!inode_is(dir, S_IFDIR) || !dir->ops->lookup)
		return -ENOTDIR;
	return dir->ops->lookup(dir, name, name_bytes, result);
}

/* The way up from a mounted root begins at the directory it covers. */
static void leave_mounts(struct walk *walk)
{
	while (walk->at == walk->at->sb->root && walk->at->sb->covered) {
		struct inode *covered = inode_dup(walk->at->sb->covered);

		inode_put(walk->at);
		walk->at = covered;
	}
}

/* What the name in `at` means, counted. */
static int step(struct walk *walk, const char *name, u32 name_bytes, struct inode **result)
{
	struct inode *dir, *child = NULL;
	int err;

	if (name_bytes > NAME_MAX)
		return -ENAMETOOLONG;
	if (name_is(name, name_bytes, ".."))
		leave_mounts(walk);
	dir = walk->at;
	err = inode_lock(dir);
	if (err)
		return err;
	if (!name_is(name, name_bytes, "."))
		err = lookup_locked(dir, name, name_bytes, &child);
	else if (inode_is(dir, S_IFDIR))
		child = inode_dup(dir);
	else
		err = -ENOTDIR;
	inode_unlock(dir);
	if (!err)
		*result = mount_cross(child);
	return err;
}

static int target_read(struct inode *link, char *target)
{
	int length = inode_lock(link);

	if (length)
		return length;
	length = link->ops->readlink ? link->ops->readlink(link, target, PATH_MAX) : -EINVAL;
	inode_unlock(link);
	if (length >= 0)
		target[length] = 0;
	return length;
}

int inode_is_link(struct inode *inode)
{
	int result = inode_lock(inode);

	if (result)
		return result;
	result = inode_is(inode, S_IFLNK);
	inode_unlock(inode);
	return result;
}

int walk_link(struct walk *walk, struct inode *link, const char *rest)
{
	size_t rest_bytes = strlen(rest);
	char *halves, *path;
	int length;

	if (walk->nr_links++ == LINKS_MAX)
		return -ELOOP;
	if (!walk->page) {
		walk->page = page_alloc(0, PK_KERNEL, REF_OWNER, page_holder(), 0);
		if (!walk->page)
			return -ENOMEM;
	}
	halves = page_to_va(walk->page);
	path = halves + walk->nr_links % 2 * PATH_MAX;
	length = target_read(link, path);
	if (length < 0)
		return length;
	if (length == 0)
		return -ENOENT;
	if ((size_t)length + rest_bytes >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(path + length, rest, rest_bytes + 1);
	if (*path == '/') {
		inode_put(walk->at);
		walk->at = fs_root();
	}
	walk->path = skip_slashes(path);
	return 0;
}

/* One component further, which is name_bytes long. follow: if it is a link, to the begin of its target. */
static int advance(struct walk *walk, u32 name_bytes, bool follow)
{
	const char *behind = walk->path + name_bytes;
	struct inode *child;
	int err = step(walk, walk->path, name_bytes, &child), link = 0;

	if (err)
		return err;
	if (follow)
		link = inode_is_link(child);
	if (link) {
		err = link < 0 ? link : walk_link(walk, child, behind);
		inode_put(child);
		return err;
	}
	inode_put(walk->at);
	walk->at = child;
	walk->path = skip_slashes(behind);
	return 0;
}

static int require_directory(struct inode *inode)
{
	int err = inode_lock(inode);

	if (!err) {
		err = inode_is(inode, S_IFDIR) ? 0 : -ENOTDIR;
		inode_unlock(inode);
	}
	return err;
}

int walk_all(struct walk *walk, bool follow)
{
	bool slash_behind = false;

	while (*walk->path) {
		u32 length = component_bytes(walk->path);
		int err;

		slash_behind = walk->path[length] == '/';
		err = advance(walk, length, follow || slash_behind);
		if (err)
			return err;
	}
	return slash_behind ? require_directory(walk->at) : 0;
}

int walk_parent(struct walk *walk)
{
	for (;;) {
		u32 length = component_bytes(walk->path);
		int err;

		if (is_last(walk->path + length)) {
			walk->name_bytes = length;
			return length > NAME_MAX ? -ENAMETOOLONG : require_directory(walk->at);
		}
		err = advance(walk, length, true);
		if (err)
			return err;
	}
}
