/* SPDX-License-Identifier: MIT */
/*
 * Mounted file systems: the list of superblocks, the root, mount points, sync.
 *
 * MOUNT-1  a mounted superblock counts its root and the directory it covers (MOUNT); covered->mounted points back.
 * File systems are mounted at boot, by one task; afterwards the list only shrinks in fs_unmount_root.
 */
#include "fs_priv.h"

static struct list superblocks = LIST_INIT(superblocks);
static struct superblock *root_sb;
static const struct fs_type *root_type; /* the root's, of the last one mounted */

void fs_init(void)
{
	icache_init();
	path_init();
	file_init();
	pipe_init();
}

static void add_superblock(struct superblock *sb)
{
	sb->device_id = list_empty(&superblocks)
			    ? 1
			    : LIST_ENTRY(superblocks.prev, struct superblock, link)->device_id + 1;
	list_push_back(&superblocks, &sb->link);
}

int fs_mount_root(const struct fs_type *type, struct block_device *device)
{
	int err = -ENODEV;

	if (!device) {
		kprintf("fs: there is no block device for the root file system\n");
		return err;
	}
	KASSERT(!root_sb);
	root_type = type;
	root_sb = type->mount(device, &err);
	if (!root_sb)
		return err;
	add_superblock(root_sb);
	return 0;
}

int fs_mount(struct superblock *sb, const char *path)
{
	struct inode *dir;
	int err = path_lookup(NULL, path, &dir);

	if (err) {
		kprintf("fs: cannot mount %s on %s: error %d\n", sb->type, path, err);
		inode_put_ref(sb->root, REF_MOUNT, ROOT_HOLDER);
		return err;
	}
	err = inode_lock(dir);
	if (!err) {
		err = !inode_is(dir, S_IFDIR) ? -ENOTDIR : dir->sb->root == dir ? -EBUSY : 0;
		inode_unlock(dir);
	}
	if (err) {
		kprintf("fs: cannot mount %s on %s: error %d\n", sb->type, path, err);
		inode_put(dir);
		inode_put_ref(sb->root, REF_MOUNT, ROOT_HOLDER);
		return err;
	}
	inode_pass(dir, REF_MOUNT, COVERED_HOLDER);
	sb->covered = dir;
	dir->mounted = sb;
	add_superblock(sb);
	return 0;
}

struct inode *fs_root(void)
{
	return inode_dup(root_sb->root);
}

struct inode *mount_cross(struct inode *inode)
{
	while (inode->mounted) {
		struct inode *root = inode_dup(inode->mounted->root);

		inode_put(inode);
		inode = root;
	}
	return inode;
}

int fs_sync(void)
{
	int first_err;

	icache_free_left_over();
	first_err = icache_write_dirty();

	LIST_FOR_EACH (pos, &superblocks) {
		struct superblock *sb = LIST_ENTRY(pos, struct superblock, link);
		int err = sb->sync ? sb->sync(sb) : 0;

		if (err && !first_err)
			first_err = err;
	}
	return first_err;
}

int fs_unmount_root(void)
{
	int err;

	if (!root_sb)
		return -EINVAL;
	if (superblocks.next->next != &superblocks || icache_nr_used(root_sb) > 1)
		return -EBUSY;
	err = fs_sync();
	inode_put_ref(root_sb->root, REF_MOUNT, ROOT_HOLDER);
	icache_drop(root_sb);
	list_remove(&root_sb->link);
	root_type->unmount(root_sb);
	root_sb = NULL;
	return err;
}

/* The counts that MOUNT-1 speaks of. */
static void unmount(struct superblock *sb)
{
	list_remove(&sb->link);
	if (sb->covered) {
		sb->covered->mounted = NULL;
		inode_put_ref(sb->covered, REF_MOUNT, COVERED_HOLDER);
		sb->covered = NULL;
	}
	inode_put_ref(sb->root, REF_MOUNT, ROOT_HOLDER);
}

void fs_unmount_all(void)
{
	writeback_wait();
	readahead_wait();
	if (fs_sync())
		kprintf("fs: not everything could be written back\n");
	while (!list_empty(&superblocks)) {
		struct superblock *last = LIST_ENTRY(superblocks.prev, struct superblock, link);

		unmount(last);
		icache_drop(last);
	}
	if (root_sb)
		root_type->unmount(root_sb);
	root_sb = NULL;
}

u32 fs_drop_caches(void)
{
	u32 before = page_nr_free(), after;

	fs_sync();
	readahead_wait();
	upcall_shrink_inodes();
	pagecache_shrink(~0U);
	kmem_cache_shrink_all();
	after = page_nr_free();
	return after > before ? after - before : 0;
}

void fs_claims(struct claims *claims)
{
	LIST_FOR_EACH (pos, &superblocks) {
		const struct superblock *sb = LIST_ENTRY(pos, struct superblock, link);

		inode_claim(claims, sb->root, REF_MOUNT, ROOT_HOLDER);
		if (sb->covered)
			inode_claim(claims, sb->covered, REF_MOUNT, COVERED_HOLDER);
	}
	icache_claims(claims);
	if (root_type)
		root_type->claims(claims);
}
