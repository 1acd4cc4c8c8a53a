/* SPDX-License-Identifier: MIT */
/*
 * Mapped files on a real image: what a sync has put on the disk by the time it returns, and what is left of a mapping when
 * its file is cut. Races are in mmaptest; here each step is looked at.
 */
#include <host/host_fs.h>
#include <host/host_mm.h>
#include <kernel/pagecache.h>
#include <stdlib.h>

enum { NR_PAGES = 8, AT = 0x40000, FILE_BYTES = NR_PAGES * 4096 };

static struct host_disk disk;
static struct mm *mm;
static struct file *file;

static int begin(void **state)
{
	static const u8 zeros[FILE_BYTES];

	memset(&disk, 0, sizeof(disk));
	host_disk_make(&disk, 300, "-O none,filetype -N 32", NULL);
	assert_int_equal(fs_mount_root(&ext2_type, &disk.device), 0);
	assert_int_equal(file_open(NULL, "/f", O_RDWR | O_CREAT, 0644, &file), 0);
	assert_int_equal(file_write(file, (uaddr_t)zeros, FILE_BYTES), FILE_BYTES);
	assert_int_equal(fs_sync(), 0); /* its name, too */
	mm = mm_make(1);
	assert_int_equal(file_map(mm, file, AT, FILE_BYTES, VMA_READ | VMA_WRITE | VMA_SHARED, 0), AT);
	return 0;
}

static int end(void **state)
{
	mm_destroy(mm);
	file_close(file);
	host_fs_unmount(&disk, "the end");
	host_disk_free(&disk);
	return 0;
}

/* The first word of a page, as it stands on the disk now. */
static u64 on_disk(u32 page)
{
	long size_bytes;
	u8 *bytes = host_disk_dump(&disk, "/f", &size_bytes);
	u64 word = 0;

	assert_true(size_bytes > page * 4096);
	memcpy(&word, bytes + page * 4096, 8);
	free(bytes);
	return word;
}

static u64 nr_written(void)
{
	struct pagecache_totals totals;

	pagecache_totals(&totals);
	return totals.nr_written;
}

/* FMAP-2, PC-6: . */
static void test_every_sync_sees_every_store(void **state)
{
	for (u64 i = 1; i < 6; i++) {
		u64 written;

		assert_int_equal(user_store(mm, AT + 3 * 4096, i), 0);
		assert_int_equal(i % 2 ? file_sync(file) : fs_sync(), 0);
		assert_int_equal(on_disk(3), i);
		written = nr_written();
		assert_int_equal(file_sync(file), 0);
		assert_int_equal(nr_written(), written); /* nothing was stored, no page is written */
	}
	/* A child that was forked with a leaf it may write, and stores after the sync. */
	assert_int_equal(user_store(mm, AT, 10), 0);
	struct mm *child = mm_fork(mm, 2, false);
	assert_int_equal(file_sync(file), 0);
	assert_int_equal(user_store(child, AT, 11), 0);
	assert_int_equal(file_sync(file), 0);
	assert_int_equal(on_disk(0), 11);
	mm_destroy(child);
	assert_sound(mm_check(mm));
}

static void test_accessed(void **state)
{
	assert_false(mm_take_accessed(mm, AT));
	assert_int_equal(user_store(mm, AT, 1), 0);
	assert_true(mm_take_accessed(mm, AT));
	assert_false(mm_take_accessed(mm, AT));
	assert_int_equal(mm_fault(mm, AT, false, false),
			 0); /* as a hart does that does not set A by itself */
	assert_true(mm_take_accessed(mm, AT));
	assert_false(mm_take_accessed(mm, AT - 4096));
	assert_false(mm_take_accessed(mm, -4096UL));
	assert_int_equal(user_store(mm, AT + 4096, 1), 0);
	assert_int_equal(file_truncate(file, 0), 0);
	assert_false(mm_take_accessed(mm, AT + 4096));
}

/* A page whose writing failed is dirty still, and a store meanwhile is not lost either. */
static void test_failing_write(void **state)
{
	assert_int_equal(user_store(mm, AT + 4096, 5), 0);
	disk.failing = true;
	assert_int_equal(file_sync(file), -EIO);
	disk.failing = false;
	assert_int_equal(user_store(mm, AT + 4096 + 8, 6), 0);
	assert_int_equal(file_sync(file), 0);
	assert_int_equal(on_disk(1), 5);
}

static void test_store_refused(void **state)
{
	bool failed = true;
	u32 nr_refused = 0;

	for (u64 n = 1; failed; n++) {
		int err;

		assert_int_equal(user_load(mm, AT), n - 1);
		assert_int_equal(file_sync(file), 0);
		kmem_cache_shrink_all();
		host_fail_nth(n);
		err = user_store(mm, AT, n);
		failed = host_failed;
		host_fail_nth(0);
		assert_true(err == 0 || (failed && err == -ENOMEM));
		nr_refused += err != 0;
		assert_int_equal(user_load(mm, AT), err ? n - 1 : n);
		if (err)
			assert_int_equal(user_store(mm, AT, n), 0);
		assert_int_equal(file_sync(file), 0);
		assert_int_equal(on_disk(0), n);
	}
	assert_true(nr_refused >= 1);
}

/* FMAP-3: nothing beyond the end stays mapped. */
static void test_cut(void **state)
{
	u64 resident;

	for (u32 i = 0; i < NR_PAGES; i++)
		assert_int_equal(user_store(mm, AT + i * 4096, i + 1), 0);
	resident = mm->nr_resident;
	assert_int_equal(file_truncate(file, 3 * 4096 + 100), 0);
	assert_int_equal(mm->nr_resident, resident - 4);
	assert_int_equal(user_store(mm, AT + 4 * 4096, 1), -EFAULT);
	assert_int_equal(user_load(mm, AT + 3 * 4096), 4);
	assert_sound(mm_check(mm));
	/* Longer again, by truncation and by writing behind a gap: zeros, which can be stored to and are kept. */
	assert_int_equal(file_truncate(file, 5 * 4096), 0);
	file_seek(file, 7 * 4096, SEEK_SET);
	assert_int_equal(file_write(file, (uaddr_t) "x", 1), 1);
	for (u32 i = 4; i < 7; i++) {
		assert_int_equal(user_load(mm, AT + i * 4096), 0);
		assert_int_equal(user_store(mm, AT + i * 4096, 20 + i), 0);
	}
	assert_int_equal(file_sync(file), 0);
	for (u32 i = 4; i < 7; i++)
		assert_int_equal(on_disk(i), 20 + i);
	/* What no mapping can write needs no blocks. */
	assert_int_equal(file_truncate(file, 64 << 20), 0);
	assert_int_equal(file_truncate(file, 100), 0);
}

/* A page beyond the end is not read, and not kept. */
static void test_beyond_the_end(void **state)
{
	struct page *page = pagecache_get(&file->inode->mapping, NR_PAGES, PAGECACHE_READ);

	assert_int_equal(PTR_ERR(page), -EFAULT);
	page = pagecache_get(&file->inode->mapping, NR_PAGES, PAGECACHE_CACHED);
	assert_int_equal(PTR_ERR(page), -ENOENT);
}

#define MAPPED_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static int boot(void **state)
{
	host_fs_boot(8UL << 20, 1);
	addrspace_init();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    MAPPED_TEST(test_every_sync_sees_every_store),
	    MAPPED_TEST(test_accessed),
	    MAPPED_TEST(test_failing_write),
	    MAPPED_TEST(test_store_refused),
	    MAPPED_TEST(test_cut),
	    MAPPED_TEST(test_beyond_the_end),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
