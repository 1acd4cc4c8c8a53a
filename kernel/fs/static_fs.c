/* SPDX-License-Identifier: MIT */
/*
 * In-memory file systems from a static table of nodes (procfs' fixed part, devfs). Nodes and superblock are static
 * data; only inodes in use are allocated, and they hold no pages.
 */
#include "fs_priv.h"

static const struct static_node *node_find(const struct static_fs *fs, u32 number)
{
	for (u32 i = 0; i < fs->nr_nodes; i++)
		if (fs->nodes[i].number == number)
			return &fs->nodes[i];
	return NULL;
}

static int static_read_inode(struct inode *inode)
{
	const struct static_node *node = node_find(inode->sb->private, inode->number);

	if (!node)
		return -ENOENT;
	inode->mode = node->mode;
	inode->links = 1;
	inode->device = node->device;
	inode->ops = node->ops ? node->ops : &static_dir_ops;
	inode->private = node->private;
	return 0;
}

static int static_lookup(struct inode *dir, const char *name, u32 name_bytes, struct inode **result)
{
	const struct static_fs *fs = dir->sb->private;
	int err;

	for (u32 i = 0; i < fs->nr_nodes; i++) {
		const struct static_node *node = &fs->nodes[i];
		u32 number = node->number;

		if (name_is(name, name_bytes, "..")) {
			if (number != dir->number)
				continue;
			number = node->parent;
		} else if (node->parent != dir->number || number == 1 ||
			   !name_is(name, name_bytes, node->name)) {
			continue;
		}
		*result = inode_get(dir->sb, number, &err);
		return err;
	}
	return -ENOENT;
}

static int static_readdir(struct inode *dir, u64 *position, dir_emit_fn emit, void *arg)
{
	const struct static_fs *fs = dir->sb->private;
	const struct static_node *self = node_find(fs, dir->number);

	/* Positions 0 and 1 are the dots; node i is i + 2. */
	for (; *position < fs->nr_nodes + 2; (*position)++) {
		u64 i = (*position)++;
		bool taken = true;

		if (i == 0)
			taken = emit(arg, ".", 1, dir->number, DT_DIR);
		else if (i == 1)
			taken = emit(arg, "..", 2, self->parent, DT_DIR);
		else if (fs->nodes[i - 2].parent == dir->number && fs->nodes[i - 2].number != 1)
			taken = emit(arg, fs->nodes[i - 2].name, (u32)strlen(fs->nodes[i - 2].name),
				     fs->nodes[i - 2].number, dirent_type(fs->nodes[i - 2].mode));
		(*position)--;
		if (!taken)
			break;
	}
	return 0;
}

const struct inode_ops static_dir_ops = {.lookup = static_lookup, .readdir = static_readdir};

static void static_statfs(struct superblock *sb, struct statfs *out)
{
	out->f_bsize = BLOCK_BYTES;
	out->f_files = ((const struct static_fs *)sb->private)->nr_nodes;
}

struct superblock *static_fs_init(struct static_fs *fs, const char *type, const struct static_node *nodes,
				  u32 nr_nodes)
{
	int err;

	fs->nodes = nodes;
	fs->nr_nodes = nr_nodes;
	fs->sb = (struct superblock){
	    .type = type, .read_inode = static_read_inode, .statfs = static_statfs, .private = fs};
	list_init(&fs->sb.link);
	fs->sb.root = inode_get(&fs->sb, 1, &err);
	if (!fs->sb.root)
		return NULL;
	inode_pass(fs->sb.root, REF_MOUNT, ROOT_HOLDER);
	return &fs->sb;
}

/* ---- devfs ---- */

/* Opening a device needs no operation of the inode: file.c goes by the device number. */
static const struct inode_ops node_ops;

static const struct static_node devfs_nodes[] = {
    {"", S_IFDIR | 0755, 1, 1, &static_dir_ops, 0, NULL},
    {"console", S_IFCHR | 0666, 2, 1, &node_ops, DEV_MAJOR_CONSOLE << 8, NULL},
    {"null", S_IFCHR | 0666, 3, 1, &node_ops, DEV_MAJOR_NULL << 8, NULL},
    {"zero", S_IFCHR | 0666, 4, 1, &node_ops, DEV_MAJOR_ZERO << 8, NULL},
    {"statistics", S_IFCHR | 0444, 5, 1, &node_ops, DEV_MAJOR_STATISTICS << 8, NULL},
};
static struct static_fs devfs;

struct superblock *devfs_create(void)
{
	return static_fs_init(&devfs, "devfs", devfs_nodes, ARRAY_SIZE(devfs_nodes));
}
