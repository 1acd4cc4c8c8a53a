/* SPDX-License-Identifier: MIT */
/*
 * ext2 on damaged images: whatever stands on the disk, every call returns, with an error or without one, nothing is
 * lost in memory, and nothing panics. A case is a good image with some of its words replaced; the seed names them.
 *
 *     HOST_CASES=N build/host/test_ext2_damage    more cases than the usual ones
 */
#include "../../kernel/ext2/ext2_priv.h"
#include <host/host_fs.h>
#include <stdio.h>
#include <stdlib.h>

#define NR_BLOCKS 320U
#define NR_INODES 48U
#define CALLS_MAX 400 /* of one case: trees with loops have no end */

static struct host_disk disk;
static u8 *good;
static u8 buffer[20000];
static u32 nr_calls;

static void make(const char *path, u32 mode, u32 size_bytes, u64 offset)
{
	struct inode *inode;
	struct file *file;

	if ((mode & S_IFMT) != S_IFREG) {
		assert_int_equal(path_create(NULL, path, &(struct inode_spec){.mode = mode, .device = 0x100},
					     true, &inode),
				 0);
		inode_put(inode);
		return;
	}
	assert_int_equal(file_open(NULL, path, O_RDWR | O_CREAT, 0644, &file), 0);
	for (u32 done = 0; done < size_bytes; done += 4000) {
		file_seek(file, (s64)(offset + done), SEEK_SET);
		assert_int_equal(file_write(file, (uaddr_t)buffer, 4000), 4000);
	}
	file_close(file);
}

/* Files with one, two and three levels of indirect blocks, directories of two blocks, long names, links. */
static void make_good_image(void)
{
	char path[300];

	host_disk_make(&disk, NR_BLOCKS, "-O none,filetype,large_file -N 48 -I 128", NULL);
	assert_int_equal(fs_mount_root(&ext2_type, &disk.device), 0);
	make("/a", S_IFDIR | 0755, 0, 0);
	make("/a/b", S_IFDIR | 0755, 0, 0);
	make("/a/b/c", S_IFDIR | 0755, 0, 0);
	make("/small", S_IFREG | 0644, 4000, 0);
	make("/a/single", S_IFREG | 0644, 80000, 0);
	make("/a/double", S_IFREG | 0644, 20000, (12 + 1024 + 3) * BLOCK_BYTES);
	make("/a/b/triple", S_IFREG | 0644, 4000, (12UL + 1024 + 1024 * 1024 + 5) * BLOCK_BYTES);
	make("/device", S_IFCHR | 0644, 0, 0);
	for (u32 i = 0; i < 20; i++) {
		int length = snprintf(path, sizeof(path), "/a/b/c/%u-", i);

		memset(path + length, 'x', 230);
		path[length + 230] = 0;
		make(path, S_IFREG | 0644, i % 3 ? 0 : 4000, 0);
	}
	assert_int_equal(path_link(NULL, "/small", "/a/linked"), 0);
	assert_int_equal(fs_unmount_root(), 0);
	host_disk_check(&disk, "the good image");
	good = malloc(NR_BLOCKS * BLOCK_BYTES);
	memcpy(good, disk.bytes, NR_BLOCKS * BLOCK_BYTES);
}

/* ---- damage ---- */

static const struct ext2_disk_group *group(void)
{
	return (const struct ext2_disk_group *)(good + BLOCK_BYTES);
}

static u32 nasty_word(void)
{
	static const u32 words[] = {0,    1,         2,          3,          11,         12,         47,
				    48,   49,        0x7fff,     0x8000,     0xffff,     0x10000,    319,
				    320,  321,       0x7fffffff, 0x80000000, 0xffffffff, 0xfffff000, 4096,
				    4095, 0x1000000, 8,          264,        0x41c0,     0x81a4};

	if (host_random_below(4) == 0)
		return (u32)host_random();
	if (host_random_below(4) == 0)
		return (u32)host_random_below(NR_BLOCKS);
	return words[host_random_below(ARRAY_SIZE(words))];
}

static void damage_at(u64 offset, u32 width)
{
	u32 word = nasty_word();

	memcpy(disk.bytes + offset, &word, width);
}

static struct ext2_disk_inode *inode_at(u32 number)
{
	return (struct ext2_disk_inode *)(disk.bytes + (u64)group()->inode_table * BLOCK_BYTES) +
	       (number - 1);
}

static u32 random_inode(void)
{
	return host_random_below(3) ? 11 + (u32)host_random_below(12) : 1 + (u32)host_random_below(NR_INODES);
}

static void damage_super(void)
{
	static const u8 offsets[] = {0, 4, 12, 16, 20, 24, 32, 36, 40, 56, 58, 76, 84, 88, 92, 96, 100};

	damage_at(1024 + offsets[host_random_below(ARRAY_SIZE(offsets))], host_random_below(2) ? 2 : 4);
}

static void damage_group(void)
{
	damage_at(BLOCK_BYTES + 2 * host_random_below(10), host_random_below(2) ? 2 : 4);
}

static void damage_bitmap(void)
{
	u32 block = host_random_below(2) ? group()->block_bitmap : group()->inode_bitmap;

	if (host_random_below(4) == 0)
		memset(disk.bytes + (u64)block * BLOCK_BYTES, host_random_below(2) ? 0 : 0xff, BLOCK_BYTES);
	else
		damage_at((u64)block * BLOCK_BYTES + host_random_below(48), 4);
}

static void damage_inode(void)
{
	u8 *inode = (u8 *)inode_at(random_inode());
	u32 field =
	    host_random_below(2) ? 40 + 4 * (u32)host_random_below(15) : 2 * (u32)host_random_below(64);

	damage_at((u64)(inode - disk.bytes) + field, field >= 40 || host_random_below(2) ? 4 : 2);
}

/* A word in a block that an inode points to: directory entries, indirect blocks. */
static void damage_contents(void)
{
	for (u32 tries = 0; tries < 20; tries++) {
		const struct ext2_disk_inode *inode = inode_at(random_inode());
		u32 block = inode->block[host_random_below(3) ? 0 : host_random_below(15)];
		u64 offset;

		if (block == 0 || block >= NR_BLOCKS)
			continue;
		/* Directory entries are near the beginning, or wherever. */
		offset = host_random_below(2) ? 2 * host_random_below(40) : 2 * host_random_below(2046);
		damage_at((u64)block * BLOCK_BYTES + offset, host_random_below(2) ? 2 : 4);
		return;
	}
}

/* A block of pointers that points to itself, or to the tree's other parts. */
static void damage_loop(void)
{
	struct ext2_disk_inode *inode = inode_at(random_inode());
	u32 level = 12 + (u32)host_random_below(3);
	u32 block = inode->block[level];

	if (block == 0 || block >= NR_BLOCKS) {
		block = host_random_below(2) ? inode->block[0] : (u32)host_random_below(NR_BLOCKS);
		inode->block[level] = block;
	}
	if (block && block < NR_BLOCKS)
		for (u32 i = 0; i < EXT2_PER_BLOCK; i += 1 + (u32)host_random_below(3))
			memcpy(disk.bytes + (u64)block * BLOCK_BYTES + 4 * i, &block, 4);
	inode->size = nasty_word();
}

static void damage(void)
{
	static void (*const kinds[])(void) = {damage_super,    damage_group,    damage_bitmap,
					      damage_inode,    damage_inode,    damage_inode,
					      damage_contents, damage_contents, damage_loop};

	for (u64 n = 1 + host_random_below(6); n > 0; n--)
		kinds[host_random_below(ARRAY_SIZE(kinds))]();
}

/* ---- use ---- */

#define NR_FOUND 64
static char found[NR_FOUND][300];
static u32 nr_found;

static void list_directory(const char *path)
{
	static u8 records[4096];
	struct file *file;
	ssize_t bytes;

	if (file_open(NULL, path, O_RDONLY, 0, &file))
		return;
	for (u32 i = 0; i < 40 && (bytes = file_getdents(file, (uaddr_t)records, sizeof(records))) > 0; i++) {
		for (ssize_t at = 0; at < bytes;) {
			struct dirent *entry = (struct dirent *)(records + at);

			at += entry->d_reclen;
			assert_true(entry->d_reclen >= 24 && at <= bytes);
			if (nr_found < NR_FOUND && strlen(path) + strlen(entry->d_name) < 290)
				snprintf(found[nr_found++], 300, "%.30s/%.255s", path, entry->d_name);
		}
	}
	file_close(file);
}

static void use_file(const char *path)
{
	struct file *file;
	struct stat st;
	u32 flags = host_random_below(2) ? O_RDWR : O_RDONLY;

	if (file_open(NULL, path, flags | (host_random_below(8) ? 0 : O_TRUNC), 0, &file))
		return;
	if (file_stat(file, &st) == 0) {
		file_read(file, (uaddr_t)buffer, sizeof(buffer));
		file_seek(file, (s64)(host_random() % (st.st_size + 1)), SEEK_SET);
		file_read(file, (uaddr_t)buffer, sizeof(buffer));
		file_seek(file, (s64)(host_random() % (st.st_size + 1)), SEEK_SET);
		file_write(file, (uaddr_t)buffer, sizeof(buffer));
		if (host_random_below(3) == 0)
			file_truncate(file, host_random() % (st.st_size + 1));
		if (host_random_below(5) == 0)
			file_sync(file);
	}
	file_close(file);
}

static void use_names(const char *path)
{
	struct inode *inode;
	char other[400];

	snprintf(other, sizeof(other), "%s/new%u", path, (u32)host_random_below(10));
	switch (host_random_below(6)) {
	case 0:
		path_unlink(NULL, path, false);
		break;
	case 1:
		path_unlink(NULL, path, true);
		break;
	case 2:
		path_link(NULL, path, "/linked");
		break;
	case 3:
		if (path_create(NULL, other, &(struct inode_spec){.mode = S_IFDIR | 0755}, true, &inode) == 0)
			inode_put(inode);
		break;
	case 4:
		if (path_create(NULL, other, &(struct inode_spec){.mode = S_IFREG | 0644}, true, &inode) == 0)
			inode_put(inode);
		break;
	default:
		if (path_lookup(NULL, path, &inode) == 0)
			inode_put(inode);
	}
}

static void use_everything(void)
{
	nr_found = 0;
	list_directory("");
	list_directory("/");
	for (u32 i = 0; i < nr_found && nr_calls < CALLS_MAX; i++, nr_calls += 3) {
		list_directory(found[i]);
		use_file(found[i]);
		use_names(found[i]);
	}
	if (host_random_below(2))
		fs_drop_caches();
	/* What is there is removed: this is what reads bitmaps and indirect blocks to their end. */
	for (u32 i = 0; i < nr_found && nr_calls < CALLS_MAX; i++, nr_calls++) {
		path_unlink(NULL, found[i], false);
		path_unlink(NULL, found[i], true);
	}
}

static void run_case(u64 number, u32 *nr_mounted)
{
	memcpy(disk.bytes, good, NR_BLOCKS * BLOCK_BYTES);
	damage();
	host_log_clear();
	nr_calls = 0;
	if (fs_mount_root(&ext2_type, &disk.device) == 0) {
		++*nr_mounted;
		use_everything();
		fs_sync();
		host_audit(NULL, 0);
		if (fs_unmount_root() == -EBUSY)
			fail_msg("case %lu cannot be unmounted", (unsigned long)number);
	}
	host_audit(NULL, 0);
	assert_int_equal(host_pages_of_kind(PK_PAGECACHE), 0);
	assert_int_equal(host_pages_of_kind(PK_SLAB), 0);
}

/* DIR-1, EXT2-3: damage ends in an error. */
static void test_damaged_images(void **state)
{
	const char *wanted = getenv("HOST_CASES");
	u64 nr_cases = wanted ? strtoull(wanted, NULL, 0) : 400;
	u32 nr_mounted = 0;

	host_random_start();
	make_good_image();
	for (u64 i = 0; i < nr_cases; i++)
		run_case(i, &nr_mounted);
	print_message("           %lu cases, %u mounted\n", (unsigned long)nr_cases, nr_mounted);
	assert_true(nr_mounted > nr_cases / 4);
	free(good);
	host_disk_free(&disk);
}

static int boot(void **state)
{
	host_fs_boot(16UL << 20, 1);
	memset(buffer, 'd', sizeof(buffer));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_damaged_images)};

	return cmocka_run_group_tests(tests, boot, NULL);
}
