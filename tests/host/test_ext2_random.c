/* SPDX-License-Identifier: MIT */
/*
 * ext2 on real images against a model of the tree: random operations through paths and open files, failing
 * allocations, a full disk. The judges are the model, the auditor, e2fsck -fn, and debugfs, which reads the same contents.
 */
#include "../../kernel/ext2/ext2_priv.h"
#include <host/ext2_model.h>
#include <kernel/errno.h>
#include <kernel/pagecache.h>
#include <stdio.h>
#include <stdlib.h>

static struct host_disk disk;
static u32 memory_percent; /* of operations in which an allocation fails */
static u64 size_limit;     /* of a file */

/* ---- operations ---- */

static u32 random_node(u32 type)
{
	for (u32 tries = 0; tries < 50; tries++) {
		u32 i = (u32)host_random_below(NR_NODES);

		if (nodes[i].type == type && nodes[i].links)
			return i;
	}
	return type == S_IFDIR ? ROOT : 0;
}

/* Few short names, so that operations meet; sometimes long ones. */
static void random_name(char *name)
{
	u32 length = host_random_below(10) ? 1 : 1 + (u32)host_random_below(255);

	for (u32 i = 0; i < length; i++)
		name[i] = (char)('a' + host_random_below(length == 1 ? 14 : 26));
	name[length] = 0;
}

/* Where files of this size begin to need the next level of indirect blocks, and around it. */
static u64 random_offset(const struct model_node *node)
{
	static const u64 edges[] = {12, 12 + 1024, 12 + 1024 + 1024UL * 1024};

	switch (host_random_below(8)) {
	case 0:
		return edges[host_random_below(ARRAY_SIZE(edges))] * PAGE_SIZE -
		       host_random_below(3 * PAGE_SIZE);
	case 1:
	case 2:
		return node->size;
	case 3:
		return host_random_below(node->size + 1);
	default:
		return host_random_below(80000);
	}
}

static void begin_op(const char *what, const char *path, u64 a, u64 b)
{
	snprintf(last_op, sizeof(last_op), "%s %s %lu %lu", what, path, (unsigned long)a, (unsigned long)b);
	if (getenv("HOST_OPS"))
		fprintf(stderr, "%s\n", last_op);
	if (host_random_below(100) < memory_percent)
		host_fail_nth(1 + host_random_below(12));
}

/* True when the operation must be as if it had not been: no memory, no room. */
static bool end_op(s64 result)
{
	bool failed = host_failed;

	host_fail_nth(0);
	if (result == -ENOSPC)
		return true;
	if (result == -ENOMEM && !failed)
		FAIL("-ENOMEM, but no allocation failed");
	return result == -ENOMEM;
}

static void expect(s64 result, s64 wanted)
{
	if (result != wanted)
		FAIL("result %ld, must be %ld", (long)result, (long)wanted);
}

static void random_place(u32 *dir, char *name, char *path)
{
	*dir = random_node(S_IFDIR);
	random_name(name);
	path_of(*dir, path);
	strcat(path, "/");
	strcat(path, name);
}

static void op_create(void)
{
	char name[256], path[4096];
	u32 dir, flags = O_RDWR | O_CREAT | (host_random_below(4) ? 0 : O_EXCL) |
			 (host_random_below(8) ? 0 : O_TRUNC);
	struct model_name *existing;
	struct file *file;
	u32 slot = (u32)host_random_below(NR_OPEN), number;
	int err;

	if (opened[slot].file)
		return;
	random_place(&dir, name, path);
	if (strlen(path) >= PATH_MAX)
		return;
	existing = model_find(dir, name);
	begin_op("open", path, flags, 0);
	err = file_open(NULL, path, flags, 0644, &file);
	if (end_op(err)) {
		/* The file itself may have been made before truncation or opening failed; it is not. */
		return;
	}
	if (existing && (flags & O_EXCL)) {
		expect(err, -EEXIST);
		return;
	}
	if (existing && nodes[existing->node].type == S_IFDIR) {
		expect(err, -EISDIR);
		return;
	}
	if (existing && nodes[existing->node].type == S_IFCHR) {
		expect(err, -ENXIO);
		return;
	}
	expect(err, 0);
	number = existing ? existing->node : model_new(S_IFREG);
	assert_true(number);
	if (!existing)
		model_add(dir, name, number);
	else if (flags & O_TRUNC)
		model_truncate(&nodes[number], 0);
	nodes[number].nr_opened++;
	opened[slot] = (struct model_file){file, number, false};
}

static struct model_file *random_open(void)
{
	for (u32 tries = 0; tries < 10; tries++) {
		struct model_file *open = &opened[host_random_below(NR_OPEN)];

		if (open->file)
			return open;
	}
	return NULL;
}

static void op_write(void)
{
	struct model_file *open = random_open();
	struct model_node *node;
	u64 offset;
	size_t length = host_random_below(3) ? 1 + host_random_below(9000) : 1 + host_random_below(30000);
	size_t faulting = host_random_below(20) ? length : host_random_below(length);
	ssize_t written;

	if (!open)
		return;
	node = &nodes[open->node];
	offset = random_offset(node);
	if (node->nr_pages + length / PAGE_SIZE + 3 >= PAGES_MAX)
		return;
	random_bytes(buffer, length);
	assert_int_equal(file_seek(open->file, (s64)offset, SEEK_SET), offset);
	begin_op("write to node", "", open->node, offset);
	host_fault_at = faulting < length ? (uaddr_t)buffer + faulting : 0;
	written = file_write(open->file, (uaddr_t)buffer, length);
	host_fault_at = 0;
	if (written > 0)
		model_write(node, offset, buffer, (size_t)written);
	if (end_op(written) || (written > 0 && written < (ssize_t)length))
		return;
	if (faulting < length && written == -EFAULT)
		return;
	if (offset >= size_limit)
		expect(written, -EFBIG);
	else
		expect(written, (s64)length);
}

static void op_truncate(void)
{
	struct model_file *open = random_open();
	u64 size;
	int err;

	if (!open)
		return;
	size = host_random_below(3) ? random_offset(&nodes[open->node]) : 0;
	begin_op("truncate node", "", open->node, size);
	err = file_truncate(open->file, size);
	if (end_op(err))
		return;
	expect(err, size > size_limit ? -EFBIG : 0);
	if (!err)
		model_truncate(&nodes[open->node], size);
}

static void op_close(void)
{
	struct model_file *open = random_open();

	if (!open)
		return;
	begin_op("close node", "", open->node, 0);
	file_close(open->file);
	end_op(0);
	open->file = NULL;
	nodes[open->node].nr_opened--;
	model_release(open->node);
}

static void op_mkdir(void)
{
	char name[256], path[4096];
	struct inode *inode;
	u32 dir, number;
	int err;

	random_place(&dir, name, path);
	if (strlen(path) >= PATH_MAX - 200)
		return;
	begin_op("mkdir", path, 0, 0);
	err = path_create(NULL, path, &(struct inode_spec){.mode = S_IFDIR | 0755}, true, &inode);
	if (err == 0)
		inode_put(inode);
	if (end_op(err))
		return;
	expect(err, model_find(dir, name) ? -EEXIST : 0);
	if (err)
		return;
	number = model_new(S_IFDIR);
	assert_true(number);
	model_add(dir, name, number);
}

static void op_mknod(void)
{
	char name[256], path[4096];
	struct inode *inode;
	u32 dir, number;
	int err;

	random_place(&dir, name, path);
	if (strlen(path) >= PATH_MAX)
		return;
	begin_op("mknod", path, 0, 0);
	err = path_create(NULL, path, &(struct inode_spec){.mode = S_IFCHR | 0600, .device = 0x0700}, true,
			  &inode);
	if (err == 0)
		inode_put(inode);
	if (end_op(err))
		return;
	expect(err, model_find(dir, name) ? -EEXIST : 0);
	if (err)
		return;
	number = model_new(S_IFCHR);
	assert_true(number);
	model_add(dir, name, number);
}

static void op_link(void)
{
	char name[256], path[4096], old_path[4096];
	u32 dir, node = random_node(S_IFREG);
	int err;

	if (!node)
		return;
	path_of(node, old_path);
	random_place(&dir, name, path);
	if (strlen(path) >= PATH_MAX)
		return;
	begin_op("link", path, node, 0);
	err = path_link(NULL, old_path, path);
	if (end_op(err))
		return;
	expect(err, model_find(dir, name) ? -EEXIST : 0);
	if (err)
		return;
	model_add(dir, name, node);
	nodes[node].links++;
}

static bool is_empty(u32 dir)
{
	for (u32 i = 0; i < nr_names; i++)
		if (names[i].dir == dir)
			return false;
	return true;
}

static void op_unlink(void)
{
	char path[4096];
	u32 i, number;
	struct model_node *node;
	bool directory;
	int err;

	if (!nr_names)
		return;
	i = (u32)host_random_below(nr_names);
	number = names[i].node;
	node = &nodes[number];
	directory = host_random_below(10) ? node->type == S_IFDIR : host_random_below(2);
	path_of(names[i].dir, path);
	strcat(path, "/");
	strcat(path, names[i].name);
	begin_op(directory ? "rmdir" : "unlink", path, number, 0);
	err = path_unlink(NULL, path, directory);
	if (end_op(err))
		return;
	if (directory != (node->type == S_IFDIR)) {
		expect(err, directory ? -ENOTDIR : -EISDIR);
		return;
	}
	if (directory && !is_empty(number)) {
		expect(err, -ENOTEMPTY);
		return;
	}
	expect(err, 0);
	if (directory)
		nodes[names[i].dir].links--;
	names[i] = names[--nr_names];
	node->links -= directory ? 2 : 1;
	model_release(number);
}

static void op_lookup(void)
{
	char name[256], path[4096];
	struct inode *inode;
	u32 dir;
	int err;

	random_place(&dir, name, path);
	if (strlen(path) >= PATH_MAX - 10)
		return;
	if (host_random_below(3) == 0)
		strcat(path, host_random_below(2) ? "/." : "/..");
	begin_op("lookup", path, 0, 0);
	err = path_lookup(NULL, path, &inode);
	if (err == 0)
		inode_put(inode);
	if (end_op(err))
		return;
	if (!model_find(dir, name))
		expect(err, -ENOENT);
	else if (strrchr(path, '/')[1] == '.')
		expect(err, nodes[model_find(dir, name)->node].type == S_IFDIR ? 0 : -ENOTDIR);
	else
		expect(err, 0);
}

static void op_caches(void)
{
	struct model_file *open = random_open();

	switch (host_random_below(5)) {
	case 4:
		if (!open)
			return;
		begin_op("fsync node", "", open->node, 0);
		end_op(file_sync(open->file));
		break;
	case 0:
		begin_op("sync", "", 0, 0);
		end_op(fs_sync());
		break;
	case 1:
		pagecache_shrink((u32)host_random_below(200));
		break;
	case 2:
		upcall_shrink_inodes();
		break;
	default:
		fs_drop_caches();
	}
}

static void random_op(void)
{
	static void (*const ops[])(void) = {op_create, op_create, op_create, op_write,    op_write,
					    op_write,  op_write,  op_write,  op_close,    op_close,
					    op_mkdir,  op_mknod,  op_link,   op_truncate, op_unlink,
					    op_unlink, op_lookup, op_caches};

	u32 used = 0;

	for (u32 i = 0; i < NR_NODES; i++)
		used += nodes[i].type != 0;
	if (nr_names < NR_NAMES - 5 && used < NR_NODES - NR_OPEN - 1)
		ops[host_random_below(ARRAY_SIZE(ops))]();
	else
		op_unlink();
}

/* ---- runs ---- */

static void audit(void)
{
	struct file *files[NR_OPEN];

	for (u32 i = 0; i < NR_OPEN; i++)
		files[i] = opened[i].file;
	host_audit(files, NR_OPEN);
}

static void close_all(void)
{
	for (u32 i = 0; i < NR_OPEN; i++) {
		if (!opened[i].file)
			continue;
		file_close(opened[i].file);
		opened[i].file = NULL;
		nodes[opened[i].node].nr_opened--;
		model_release(opened[i].node);
	}
}

static void compare_with_debugfs(void)
{
	u32 done = 0;
	char path[4096];

	for (u32 i = 0; i < nr_names && done < 5; i++) {
		struct model_node *node = &nodes[names[i].node];
		long size;
		u8 *bytes;

		if (node->type != S_IFREG || node->size > 1000000)
			continue;
		path_of(names[i].node, path);
		if (strlen(path) > 500)
			continue;
		bytes = host_disk_dump(&disk, path, &size);
		assert_int_equal(size, node->size);
		for (u64 at = 0; at < node->size; at += PAGE_SIZE) {
			size_t part = MIN(PAGE_SIZE, node->size - at);

			model_read(node, at, buffer, part);
			assert_memory_equal(bytes + at, buffer, part);
		}
		free(bytes);
		done++;
	}
}

/* On the disk as mke2fs made it with these options. */
static void run_on_disk(const char *options, u32 nr_ops, u32 percent)
{
	model_reset();
	assert_int_equal(fs_mount_root(&ext2_type, &disk.device), 0);
	memory_percent = percent;
	size_limit = strstr(options, "large_file") ? UINT64_MAX : 0x7fffffff;
	for (u32 i = 1; i <= nr_ops; i++) {
		random_op();
		if (i % 250 == 0) {
			audit();
			compare_tree();
		}
		if (i % (nr_ops / 2) == 0) {
			close_all();
			compare_tree();
			host_fs_unmount(&disk, "after random operations");
			assert_int_equal(fs_mount_root(&ext2_type, &disk.device), 0);
			compare_tree();
		}
	}
	compare_with_debugfs();
	assert_int_equal(fs_unmount_root(), 0);
	model_reset();
	host_disk_free(&disk);
}

static void run_random(u32 nr_blocks, const char *options, u32 nr_ops, u32 percent)
{
	host_disk_make(&disk, nr_blocks, options, NULL);
	run_on_disk(options, nr_ops, percent);
}

/*
 * Revision 0, the format's original, which has neither features nor the fields behind rev_level. No option asks every
 * version of mke2fs for it (1.47.2 took -r 0 away), so it is made of a revision 1 without features.
 */
static void make_revision_0(u32 nr_blocks, const char *options)
{
	struct ext2_disk_super *super;

	host_disk_make(&disk, nr_blocks, options, NULL);
	super = (struct ext2_disk_super *)(disk.bytes + EXT2_SUPER_OFFSET);
	assert_int_equal(super->magic, EXT2_MAGIC);
	assert_int_equal(super->rev_level, 1);
	assert_int_equal(super->feature_compat | super->feature_incompat | super->feature_ro_compat, 0);
	super->rev_level = 0;
	super->first_ino = 0;
	super->inode_size = 0;
	assert_true(host_disk_is_clean(&disk));
}

/* EXT2-1: the model and e2fsck count what is in use. */
static void test_random(void **state)
{
	host_random_start();
	run_random(2048, "-O none,filetype -N 128 -I 128", 3000, 0);
}

/* Several groups, revision 1 defaults, indexed directories allowed. */
static void test_random_groups(void **state)
{
	host_random_start();
	run_random(3000, "-O none,filetype,sparse_super,large_file,dir_index -g 256 -N 500 -I 256", 3000, 0);
}

static void test_random_old(void **state)
{
	host_random_start();
	make_revision_0(2048, "-O none -N 100 -I 128");
	run_on_disk("-O none -N 100 -I 128", 2000, 0);
}

static void test_random_full(void **state)
{
	host_random_start();
	run_random(160, "-O none,filetype -N 64", 3000, 0);
}

static void test_random_memory(void **state)
{
	host_random_start();
	run_random(2048, "-O none,filetype -N 128", 3000, 30);
	run_random(160, "-O none,filetype -N 64", 3000, 30);
}

static int boot(void **state)
{
	host_fs_boot(16UL << 20, 1);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random),        cmocka_unit_test(test_random_groups),
	    cmocka_unit_test(test_random_old),    cmocka_unit_test(test_random_full),
	    cmocka_unit_test(test_random_memory),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
