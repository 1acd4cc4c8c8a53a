/* SPDX-License-Identifier: MIT */
/*
 * ext2 on real images, case by case: names, refusals, the state on the disk, failures of every single allocation, and
 * failing transfers. What random operations find is in test_ext2_random.c.
 */
#include <host/ext2_model.h>
#include <kernel/errno.h>
#include <kernel/pagecache.h>
#include <stdio.h>
#include <stdlib.h>

static struct host_disk disk;

/* ---- every allocation of some operations fails once ---- */

static int scenario_create(void)
{
	struct file *file;
	int err = file_open(NULL, "/d/new", O_RDWR | O_CREAT, 0644, &file);

	if (err)
		return err;
	err = (int)file_write(file, (uaddr_t)buffer, 60000);
	file_close(file);
	return err < 0 ? err : err < 60000 ? -ENOMEM : 0;
}

static int scenario_mkdir(void)
{
	struct inode *inode;
	int err = path_create(NULL, "/d/sub", &(struct inode_spec){.mode = S_IFDIR | 0755}, true, &inode);

	if (!err)
		inode_put(inode);
	return err;
}

static int scenario_unlink(void)
{
	return path_unlink(NULL, "/d/big", false);
}
static int scenario_rmdir(void)
{
	return path_unlink(NULL, "/d/empty", true);
}
static int scenario_link(void)
{
	return path_link(NULL, "/d/big", "/big2");
}
static int scenario_sync(void)
{
	int err = scenario_create();

	return err ? err : fs_sync();
}

static int scenario_truncate(void)
{
	struct file *file;
	int err = file_open(NULL, "/d/big", O_RDWR, 0, &file);

	if (err)
		return err;
	err = file_truncate(file, 5000);
	file_close(file);
	return err;
}

/* What was cut off must not come back, also when freeing it failed. */
static int regrow(bool by_writing)
{
	struct file *file;
	int err = file_open(NULL, "/d/big", O_RDWR, 0, &file);

	if (err)
		return err;
	err = file_truncate(file, 5000);
	if (!err && by_writing) {
		file_seek(file, 119999, SEEK_SET);
		err = (int)file_write(file, (uaddr_t) "", 1);
		err = err < 0 ? err : 0;
	} else if (!err) {
		err = file_truncate(file, 120000);
	}
	file_seek(file, 5000, SEEK_SET);
	for (ssize_t bytes = 1; !err && bytes > 0;) {
		bytes = file_read(file, (uaddr_t)buffer2, 5000);
		err = bytes < 0 ? (int)bytes : 0;
		for (ssize_t i = 0; i < bytes; i++)
			if (buffer2[i])
				err = -EIO;
	}
	file_close(file);
	return err;
}

static int scenario_regrow(void)
{
	return regrow(false);
}
static int scenario_rewrite(void)
{
	return regrow(true);
}

static int scenario_sparse(void)
{
	struct file *file;
	int err = file_open(NULL, "/d/big", O_RDWR, 0, &file);

	if (err)
		return err;
	file_seek(file, (12 + 1024 + 7) * (s64)PAGE_SIZE, SEEK_SET);
	err = (int)file_write(file, (uaddr_t)buffer, 100);
	file_close(file);
	return err < 0 ? err : 0;
}

static void prepare_sweep(void)
{
	struct inode *inode;
	struct file *file;

	host_disk_make(&disk, 300, "-O none,filetype -N 32", NULL);
	assert_int_equal(fs_mount_root(&ext2_type, &disk.device), 0);
	assert_int_equal(path_create(NULL, "/d", &(struct inode_spec){.mode = S_IFDIR | 0755}, true, &inode),
			 0);
	inode_put(inode);
	assert_int_equal(
	    path_create(NULL, "/d/empty", &(struct inode_spec){.mode = S_IFDIR | 0755}, true, &inode), 0);
	inode_put(inode);
	assert_int_equal(file_open(NULL, "/d/big", O_RDWR | O_CREAT, 0644, &file), 0);
	for (u32 i = 0; i < 3; i++)
		assert_int_equal(file_write(file, (uaddr_t)buffer, 40000), 40000);
	file_close(file);
	assert_int_equal(fs_unmount_root(), 0);
}

/* EXT2-2, ICACHE-4: a failure leaves both sides as they were. */
static void test_fail_sweep(void **state)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} scenarios[] = {{"create", scenario_create}, {"mkdir", scenario_mkdir},
			 {"unlink", scenario_unlink}, {"rmdir", scenario_rmdir},
			 {"link", scenario_link},     {"sync", scenario_sync},
			 {"sparse", scenario_sparse}, {"truncate", scenario_truncate},
			 {"regrow", scenario_regrow}, {"rewrite", scenario_rewrite}};
	u8 *saved;
	u32 total = 0;

	prepare_sweep();
	saved = malloc(300 * BLOCK_BYTES);
	memcpy(saved, disk.bytes, 300 * BLOCK_BYTES);
	for (u32 s = 0; s < ARRAY_SIZE(scenarios); s++) {
		for (u64 n = 1;; n++) {
			bool failed;
			int err;

			snprintf(last_op, sizeof(last_op), "%s, allocation %lu fails", scenarios[s].name,
				 (unsigned long)n);
			memcpy(disk.bytes, saved, 300 * BLOCK_BYTES);
			assert_int_equal(fs_mount_root(&ext2_type, &disk.device), 0);
			host_fail_nth(n);
			err = scenarios[s].run();
			failed = host_failed;
			host_fail_nth(0);
			if (err && err != -ENOMEM)
				FAIL("error %d", err);
			if (!failed && err)
				FAIL("error %d though nothing failed", err);
			host_audit(NULL, 0);
			host_fs_unmount(&disk, last_op);
			total += failed;
			if (!failed)
				break;
		}
	}
	print_message("           %u allocations failed\n", total);
	free(saved);
	host_disk_free(&disk);
}

/* Page 20 of /d/big, behind an indirect block that is not in memory, is changed if it could be marked dirty. */
static int dirty_mapped_page(u64 n, bool *failed)
{
	struct file *file;
	struct page *page;
	int err;

	assert_int_equal(file_open(NULL, "/d/big", O_RDWR, 0, &file), 0);
	page = pagecache_get(&file->inode->mapping, 20, PAGECACHE_READ);
	assert_false(IS_ERR(page));
	pagecache_shrink(~0U);
	host_fail_nth(n);
	err = file->inode->ops->mark_dirty(file->inode, 20, page);
	*failed = host_failed;
	host_fail_nth(0);
	if (!err)
		memset(page_to_va(page), 0xd1, PAGE_SIZE);
	pagecache_release(page);
	file_close(file);
	return err;
}

/* A store through a mapping is refused for want of memory, or it reaches the disk. */
static void test_mapped_page_refused(void **state)
{
	bool failed = true;
	u32 nr_refused = 0;

	prepare_sweep();
	for (u64 n = 1; failed; n++) {
		long size_bytes;
		u8 *contents;
		bool changed;
		int err;

		assert_int_equal(fs_mount_root(&ext2_type, &disk.device), 0);
		err = dirty_mapped_page(n, &failed);
		assert_int_equal(err, failed ? -ENOMEM : 0);
		nr_refused += failed;
		host_audit(NULL, 0);
		host_fs_unmount(&disk, "mark_dirty");
		contents = host_disk_dump(&disk, "/d/big", &size_bytes);
		changed = contents[20 * PAGE_SIZE] == 0xd1 && contents[21 * PAGE_SIZE - 1] == 0xd1;
		assert_true(size_bytes == 120000 && changed == !failed);
		free(contents);
	}
	assert_true(nr_refused >= 2); /* the indirect block's page, and the record */
	host_disk_free(&disk);
}

/* ---- transfers fail ---- */

static void test_io_errors(void **state)
{
	host_random_start();
	for (u32 round = 0; round < 20; round++) {
		model_reset();
		host_disk_make(&disk, 300, "-O none,filetype -N 32", NULL);
		assert_int_equal(fs_mount_root(&ext2_type, &disk.device), 0);
		for (u32 i = 0; i < 60; i++) {
			char path[20];
			struct inode *inode;
			struct file *file;

			disk.fail_at = host_random_below(3) ? 0 : 1 + host_random_below(10);
			snprintf(path, sizeof(path), "/%c", (char)('a' + host_random_below(6)));
			switch (host_random_below(5)) {
			case 0:
				path_unlink(NULL, path, false);
				path_unlink(NULL, path, true);
				break;
			case 1:
				if (path_create(NULL, path, &(struct inode_spec){.mode = S_IFDIR | 0755},
						true, &inode) == 0)
					inode_put(inode);
				break;
			case 2:
				fs_drop_caches();
				break;
			default:
				if (file_open(NULL, path, O_RDWR | O_CREAT, 0644, &file) == 0) {
					file_write(file, (uaddr_t)buffer, 20000);
					file_seek(file, 0, SEEK_SET);
					file_read(file, (uaddr_t)buffer2, 20000);
					file_close(file);
				}
			}
			disk.fail_at = 0;
		}
		fs_sync();
		host_audit(NULL, 0);
		fs_unmount_root();
		host_audit(NULL, 0);
		assert_int_equal(host_pages_of_kind(PK_PAGECACHE), 0);
		host_disk_free(&disk);
	}
}

/* ---- names and paths ---- */

static int lookup(const char *path)
{
	struct inode *inode;
	int err = path_lookup(NULL, path, &inode);

	if (!err)
		inode_put(inode);
	return err;
}

static int make(const char *path, u32 mode)
{
	struct inode *inode;
	int err = path_create(NULL, path, &(struct inode_spec){.mode = mode}, true, &inode);

	if (!err)
		inode_put(inode);
	return err;
}

static int open_close(const char *path, u32 flags)
{
	struct file *file;
	int err = file_open(NULL, path, flags, 0644, &file);

	if (!err)
		file_close(file);
	return err;
}

/* WALK-1, WALK-2, WALK-3: through links, to their end. */
static void test_paths(void **state)
{
	char long_path[PATH_MAX + 10], name[300];

	host_disk_make(&disk, 300, "-O none,filetype -N 64", NULL);
	assert_int_equal(fs_mount_root(&ext2_type, &disk.device), 0);
	assert_int_equal(make("/d", S_IFDIR | 0755), 0);
	assert_int_equal(make("//d///e/", S_IFDIR | 0755), 0);
	assert_int_equal(make("/d/f", S_IFREG | 0644), 0);
	assert_int_equal(make("/d/g/", S_IFREG | 0644), -EISDIR);
	assert_int_equal(make("/", S_IFDIR | 0755), -EEXIST);
	assert_int_equal(make("/d/.", S_IFDIR | 0755), -EEXIST);
	assert_int_equal(make("/d/..", S_IFDIR | 0755), -EEXIST);
	assert_int_equal(make("/x/y", S_IFREG | 0644), -ENOENT);
	assert_int_equal(make("/d/f/y", S_IFREG | 0644), -ENOTDIR);
	assert_int_equal(make("/d/fifo", S_IFIFO | 0644), -EINVAL);

	assert_int_equal(lookup(""), -ENOENT);
	assert_int_equal(lookup("/"), 0);
	assert_int_equal(lookup("/////"), 0);
	assert_int_equal(lookup("/../../.."), 0);
	assert_int_equal(lookup("/d/../d/./e/../f"), 0);
	assert_int_equal(lookup("d/f"), 0);
	assert_int_equal(lookup("/d/f/"), -ENOTDIR);
	assert_int_equal(lookup("/d/f/."), -ENOTDIR);
	assert_int_equal(lookup("/d/f/.."), -ENOTDIR);
	assert_int_equal(lookup("/d/e/"), 0);
	assert_int_equal(lookup("/d/h/.."), -ENOENT);

	memset(name, 'n', sizeof(name));
	memcpy(name, "/d/", 3);
	name[3 + 255] = 0;
	assert_int_equal(make(name, S_IFREG | 0644), 0);
	assert_int_equal(lookup(name), 0);
	assert_int_equal(path_unlink(NULL, name, false), 0);
	name[3 + 255] = 'n';
	name[3 + 256] = 0;
	assert_int_equal(lookup(name), -ENAMETOOLONG);
	assert_int_equal(make(name, S_IFREG | 0644), -ENAMETOOLONG);
	memset(long_path, '/', sizeof(long_path));
	long_path[PATH_MAX - 1] = 0;
	assert_int_equal(lookup(long_path), 0);
	long_path[PATH_MAX - 1] = '/';
	long_path[PATH_MAX] = 0;
	assert_int_equal(lookup(long_path), -ENAMETOOLONG);

	assert_int_equal(path_unlink(NULL, "/d", true), -ENOTEMPTY);
	assert_int_equal(path_unlink(NULL, "/d", false), -EISDIR);
	assert_int_equal(path_unlink(NULL, "/d/f", true), -ENOTDIR);
	assert_int_equal(path_unlink(NULL, "/d/f/", false), -ENOTDIR);
	assert_int_equal(path_unlink(NULL, "/", true), -EBUSY);
	assert_int_equal(path_unlink(NULL, "/d/.", true), -EINVAL);
	assert_int_equal(path_unlink(NULL, "/d/e/..", true), -ENOTEMPTY);
	assert_int_equal(path_unlink(NULL, "/d/e/", true), 0);
	assert_int_equal(path_link(NULL, "/d", "/d2"), -EPERM);
	assert_int_equal(path_link(NULL, "/d/f", "/d/f"), -EEXIST);
	assert_int_equal(path_link(NULL, "/d/f", "/d"), -EEXIST);
	assert_int_equal(path_link(NULL, "/d/f", "/d/"), -EEXIST);
	assert_int_equal(path_link(NULL, "/d/f", "/d/f2/"), -ENOENT);
	assert_int_equal(path_link(NULL, "/d/none", "/d/f3"), -ENOENT);

	assert_int_equal(open_close("/d", O_RDONLY), 0);
	assert_int_equal(open_close("/d", O_RDONLY | O_DIRECTORY), 0);
	assert_int_equal(open_close("/d", O_RDWR), -EISDIR);
	assert_int_equal(open_close("/d", O_RDONLY | O_CREAT), -EISDIR);
	assert_int_equal(open_close("/d/f", O_RDONLY | O_DIRECTORY), -ENOTDIR);
	assert_int_equal(open_close("/d/f", O_RDWR | O_CREAT | O_EXCL), -EEXIST);
	assert_int_equal(open_close("/d/f", O_ACCMODE), -EINVAL);
	assert_int_equal(open_close("/d/none", O_RDWR), -ENOENT);
	host_fs_unmount(&disk, "after paths");
	host_disk_free(&disk);
}

/* A block that was metadata and is now a file's: what the cache still had to write of it must be forgotten. */
static void test_block_changes_sides(void **state)
{
	struct file *file;
	u64 size = 0;
	ssize_t bytes;

	host_disk_make(&disk, 100, "-O none,filetype -N 16", NULL);
	assert_int_equal(fs_mount_root(&ext2_type, &disk.device), 0);
	assert_int_equal(file_open(NULL, "/a", O_RDWR | O_CREAT, 0644, &file), 0);
	assert_int_equal(file_write(file, (uaddr_t)buffer, 60000), 60000);
	file_close(file);
	assert_int_equal(path_unlink(NULL, "/a", false), 0);
	/* One block more or less, so that the indirect block does not become one again. */
	assert_int_equal(file_open(NULL, "/c", O_RDWR | O_CREAT, 0644, &file), 0);
	assert_int_equal(file_write(file, (uaddr_t)buffer, 100), 100);
	file_close(file);
	assert_int_equal(file_open(NULL, "/b", O_RDWR | O_CREAT, 0644, &file), 0);
	while ((bytes = file_write(file, (uaddr_t)buffer, 40960)) > 0)
		size += (u64)bytes;
	assert_int_equal(bytes, -ENOSPC);
	assert_int_equal(file_sync(file), 0);
	fs_drop_caches();
	file_seek(file, 0, SEEK_SET);
	for (u64 at = 0; at < size; at += (u64)bytes) {
		bytes = file_read(file, (uaddr_t)buffer2, 40960);
		assert_true(bytes > 0);
		assert_memory_equal(buffer, buffer2, (size_t)bytes);
	}
	file_close(file);
	host_fs_unmount(&disk, "a full disk");
	host_disk_free(&disk);
}

/* A directory that was removed, but is somebody's current one. */
static void test_removed_directory(void **state)
{
	struct inode *cwd, *inode;

	host_disk_make(&disk, 300, "-O none,filetype -N 64", NULL);
	assert_int_equal(fs_mount_root(&ext2_type, &disk.device), 0);
	assert_int_equal(make("/d", S_IFDIR | 0755), 0);
	assert_int_equal(path_lookup(NULL, "/d", &cwd), 0);
	assert_int_equal(path_unlink(NULL, "/d", true), 0);
	assert_int_equal(path_create(cwd, "x", &(struct inode_spec){.mode = S_IFREG | 0644}, true, &inode),
			 -ENOENT);
	assert_int_equal(path_lookup(cwd, "..", &inode), -ENOENT);
	assert_int_equal(path_lookup(cwd, ".", &inode), 0);
	inode_put(inode);
	inode_put(cwd);
	host_fs_unmount(&disk, "after removing a current directory");
	host_disk_free(&disk);
}

/* ---- what mount refuses, and what state it leaves ---- */

static void test_refusals(void **state)
{
	static const struct {
		const char *options, *why;
	} refused[] = {
	    {"-O none,filetype -b 1024", "4096 bytes"},
	    {"-O extent,filetype", "incompatible features"},
	    {"-O none,filetype,uninit_bg", "forbid writing"},
	    {"-O none,filetype,metadata_csum", "forbid writing"},
	    {"-O none,filetype,has_journal -J size=4", "journal"},
	    {"-O none,filetype -N 70000", "65535 inodes"},
	};

	for (u32 i = 0; i < ARRAY_SIZE(refused); i++) {
		host_disk_make(&disk, 8192, refused[i].options, NULL);
		host_log_clear();
		assert_true(fs_mount_root(&ext2_type, &disk.device) < 0);
		if (!strstr(host_log, refused[i].why))
			fail_msg("%s: no word of \"%s\" in: %s", refused[i].options, refused[i].why,
				 host_log);
		host_audit(NULL, 0);
		host_disk_free(&disk);
	}
	host_disk_make(&disk, 300, "-O none", NULL);
	memset(disk.bytes, 0, 300 * BLOCK_BYTES);
	assert_true(fs_mount_root(&ext2_type, &disk.device) < 0);
	host_disk_free(&disk);
}

static u16 state_on_disk(void)
{
	return *(u16 *)(disk.bytes + 1024 + 58);
}

static void test_clean_state(void **state)
{
	host_disk_make(&disk, 300, "-O none,filetype -N 64", NULL);
	assert_int_equal(state_on_disk(), 1);
	assert_int_equal(fs_mount_root(&ext2_type, &disk.device), 0);
	assert_int_equal(state_on_disk(), 0);
	assert_int_equal(make("/a", S_IFREG | 0644), 0);
	assert_int_equal(fs_sync(), 0);
	assert_int_equal(state_on_disk(), 1);
	host_disk_check(&disk, "synced, still mounted");
	assert_int_equal(make("/b", S_IFREG | 0644), 0);
	assert_int_equal(state_on_disk(), 0);
	host_fs_unmount(&disk, "unmounted");
	assert_int_equal(state_on_disk(), 1);
	host_disk_free(&disk);
}

/* An image that mke2fs filled is read as it was. */
static void test_contents(void **state)
{
	char path[256], contents[128];
	struct file *file;
	FILE *out;

	snprintf(contents, sizeof(contents), "%s/contents", host_folder());
	snprintf(path, sizeof(path), "mkdir -p %s/sub", contents);
	assert_int_equal(system(path), 0);
	snprintf(path, sizeof(path), "%s/sub/file", contents);
	out = fopen(path, "wb");
	random_bytes(buffer, 60000);
	assert_int_equal(fwrite(buffer, 1, 60000, out), 60000);
	fclose(out);
	host_disk_make(&disk, 300, "-N 64", contents);
	assert_int_equal(fs_mount_root(&ext2_type, &disk.device), 0);
	assert_int_equal(file_open(NULL, "/sub/file", O_RDONLY, 0, &file), 0);
	assert_int_equal(file_read(file, (uaddr_t)buffer2, sizeof(buffer2)), 60000);
	assert_memory_equal(buffer, buffer2, 60000);
	file_close(file);
	host_fs_unmount(&disk, "after reading");
	host_disk_free(&disk);
}

/* At the machine's end nothing stays in core but what somebody lost, and the audit without programs names it. */
static void test_unmount_all(void **state)
{
	const struct audit_result *result;
	struct inode *leaked;

	host_disk_make(&disk, 300, "-O none,filetype -N 64", NULL);
	assert_int_equal(fs_mount_root(&ext2_type, &disk.device), 0);
	assert_int_equal(make("/dev", S_IFDIR | 0755), 0);
	assert_int_equal(fs_mount(devfs_create(), "/dev"), 0);
	assert_int_equal(make("/a", S_IFREG | 0644), 0);
	assert_int_equal(path_lookup(NULL, "/a", &leaked), 0); /* and never put */
	audit_lock();
	result = audit_run_locked(0);
	assert_int_equal(result->nr_findings, 1);
	assert_int_equal(result->findings[0].verdict,
			 VERDICT_OVER); /* the file has a name: the table keeps it */
	assert_ptr_equal((void *)result->findings[0].object, leaked);
	assert_int_equal(result->findings[0].count, 1);
	assert_int_equal(result->findings[0].claims, 0);
	audit_unlock();
	fs_unmount_all();
	audit_lock();
	result = audit_run_locked(AUDIT_END);
	assert_int_equal(result->nr_findings, 1);
	assert_int_equal(result->findings[0].verdict, VERDICT_OBJ);
	assert_string_equal(result->findings[0].cache_name, "inode");
	assert_ptr_equal((void *)result->findings[0].object, leaked);
	audit_unlock();
	assert_int_equal(state_on_disk(), 1);
	host_disk_check(&disk, "unmounted although an inode is used");
	inode_put(leaked);
	assert_int_equal(host_pages_of_kind(PK_PAGECACHE), 0);
	assert_int_equal(host_pages_of_kind(PK_SLAB), 0);
	host_disk_free(&disk);
}

static int boot(void **state)
{
	host_fs_boot(16UL << 20, 1);
	random_bytes(buffer, sizeof(buffer));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_contents),          cmocka_unit_test(test_paths),
	    cmocka_unit_test(test_removed_directory), cmocka_unit_test(test_block_changes_sides),
	    cmocka_unit_test(test_refusals),          cmocka_unit_test(test_clean_state),
	    cmocka_unit_test(test_fail_sweep),        cmocka_unit_test(test_mapped_page_refused),
	    cmocka_unit_test(test_io_errors),         cmocka_unit_test(test_unmount_all),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
