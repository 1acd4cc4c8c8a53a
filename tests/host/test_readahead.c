/* SPDX-License-Identifier: MIT */
/*
 * Read-ahead: how many requests a reader costs, what is left when a request is refused, fails or has no memory, and what
 * happens to a file whose pages are under way.
 */
#include <host/host_fs.h>
#include <kernel/errno.h>
#include <kernel/pagecache.h>

enum { NR_PAGES = 64, BYTES = NR_PAGES * 4096 - 1000 };

static struct host_disk disk;
static u8 contents[NR_PAGES * 4096], got[NR_PAGES * 4096];
static struct pagecache_totals before;

static struct file *open_cold(u32 flags)
{
	struct file *file;

	fs_drop_caches();
	assert_int_equal(file_open(NULL, "/f", (int)flags, 0, &file), 0);
	disk.nr_reads = disk.nr_started = 0;
	pagecache_totals(&before);
	return file;
}

static u64 nr_ahead(void)
{
	struct pagecache_totals now;

	pagecache_totals(&now);
	return now.nr_ahead - before.nr_ahead;
}

static u64 nr_used(void)
{
	struct pagecache_totals now;

	pagecache_totals(&now);
	return now.nr_ahead_used - before.nr_ahead_used;
}

static int begin(void **state)
{
	struct file *file;

	memset(&disk, 0, sizeof(disk));
	host_disk_make(&disk, 400, "-O none,filetype -N 64", NULL);
	assert_int_equal(fs_mount_root(&ext2_type, &disk.device), 0);
	for (u32 i = 0; i < BYTES; i++)
		contents[i] = (u8)(i * 7 + i / 4096);
	assert_int_equal(file_open(NULL, "/f", O_RDWR | O_CREAT, 0644, &file), 0);
	assert_int_equal(file_write(file, (uaddr_t)contents, BYTES), BYTES);
	file_close(file);
	return 0;
}

static int end(void **state)
{
	host_on_sleep = NULL;
	host_fs_unmount(&disk, "the end");
	host_disk_free(&disk);
	return 0;
}

/* To the end, in pieces; all must be right. */
static void read_all(struct file *file, size_t piece)
{
	size_t done = 0;
	ssize_t bytes;

	memset(got, 0, sizeof(got));
	while ((bytes = file_read(file, (uaddr_t)got + done, piece)) > 0)
		done += (size_t)bytes;
	assert_int_equal(bytes, 0);
	assert_int_equal(done, BYTES);
	assert_memory_equal(got, contents, BYTES);
}

/* ---- what it costs ---- */

static void test_sequential(void **state)
{
	static const size_t pieces[] = {4096, 512, 1000, 10000, 65536, BYTES};

	for (u32 i = 0; i < ARRAY_SIZE(pieces); i++) {
		struct file *file = open_cold(O_RDONLY);

		read_all(file, pieces[i]);
		/* One window of 4, one of 8, then 16 at a time; blocks are not consecutive around the indirect one. */
		assert_in_range(disk.nr_started, 5, 8);
		assert_in_range(disk.nr_reads, 0, 1); /* the indirect block */
		assert_int_equal(nr_ahead(), NR_PAGES);
		assert_int_equal(nr_used(), NR_PAGES);
		host_audit(&file, 1);
		file_seek(file, 0, SEEK_SET);
		read_all(file, pieces[i]);
		assert_int_equal(nr_ahead(), NR_PAGES);
		file_close(file);
	}
}

static void test_scattered(void **state)
{
	struct file *file = open_cold(O_RDONLY);

	for (u32 i = 0; i < 20; i++) {
		u32 page = (i * 17 + 5) % NR_PAGES;

		file_seek(file, page * 4096, SEEK_SET);
		assert_int_equal(file_read(file, (uaddr_t)got, 100), 100);
		assert_memory_equal(got, contents + page * 4096, 100);
	}
	assert_int_equal(nr_ahead(), 0);
	assert_int_equal(disk.nr_started, 0);
	file_close(file);
}

static void test_holes(void **state)
{
	struct file *file;

	assert_int_equal(file_open(NULL, "/sparse", O_RDWR | O_CREAT, 0644, &file), 0);
	for (u32 page = 0; page < NR_PAGES; page += page % 8 == 3 ? 5 : 1) {
		file_seek(file, page * 4096, SEEK_SET);
		assert_int_equal(file_write(file, (uaddr_t)contents + page * 4096, 4096), 4096);
	}
	file_close(file);
	fs_drop_caches();
	assert_int_equal(file_open(NULL, "/sparse", O_RDONLY, 0, &file), 0);
	for (u32 page = 0; page < NR_PAGES - 4; page++) {
		static const u8 zeros[4096];

		assert_int_equal(file_read(file, (uaddr_t)got, 4096), 4096);
		assert_memory_equal(got, page % 8 < 4 ? contents + page * 4096 : zeros, 4096);
	}
	file_close(file);
	assert_int_equal(path_unlink(NULL, "/sparse", false), 0);
}

/* Behind the end of the file the disk has junk, which must not appear when the file grows. */
static void test_tail(void **state)
{
	static const u8 zeros[1000];
	struct file *file = open_cold(O_RDWR);

	for (u64 block = 0; block < disk.device.nr_blocks; block++)
		if (!memcmp(disk.bytes + block * 4096, contents + (NR_PAGES - 1) * 4096, 3096))
			memset(disk.bytes + block * 4096 + 3096, 0xee, 1000);
	read_all(file, 4096);
	assert_int_equal(nr_ahead(), NR_PAGES);
	assert_int_equal(file_truncate(file, NR_PAGES * 4096), 0);
	file_seek(file, BYTES, SEEK_SET);
	assert_int_equal(file_read(file, (uaddr_t)got, 2000), 1000);
	assert_memory_equal(got, zeros, 1000);
	file_close(file);
}

/* ---- when it cannot be done ---- */

/* AHEAD-2: the reader sees no error of what was not asked for. */
static void test_failing_request(void **state)
{
	for (u64 n = 1; n <= 4; n++) {
		struct file *file = open_cold(O_RDONLY);

		/* The n-th request fails: its pages are read again, one by one, and nothing is left of it. */
		disk.fail_at = n;
		read_all(file, 4096);
		assert_int_equal(disk.fail_at, 0);
		assert_in_range(disk.nr_reads, 1,
				BLOCK_READ_MAX + 2); /* the indirect block, again if it was that */
		assert_int_equal(nr_ahead(), nr_used());
		host_audit(&file, 1);
		file_close(file);
	}
	/* All fail: now the reader is told. */
	struct file *file = open_cold(O_RDONLY);
	disk.failing = true;
	assert_int_equal(file_read(file, (uaddr_t)got, 4096), -EIO);
	assert_int_equal(nr_ahead(), 0);
	host_audit(&file, 1);
	disk.failing = false;
	read_all(file, 4096);
	file_close(file);
}

static void test_allocations_refused(void **state)
{
	u32 nr_refused = 0, nr_harmless = 0;

	for (u64 n = 1;; n++) {
		struct file *file = open_cold(O_RDONLY);
		ssize_t bytes;
		bool failed;

		host_fail_nth(n);
		bytes = file_read(file, (uaddr_t)got, BYTES);
		failed = host_failed;
		host_fail_nth(0);
		assert_true(bytes == BYTES || (failed && (bytes > 0 || bytes == -ENOMEM)));
		if (bytes > 0)
			assert_memory_equal(got, contents, (size_t)bytes);
		nr_refused += failed;
		nr_harmless += failed && bytes == BYTES;
		host_audit(&file, 1);
		file_seek(file, 0, SEEK_SET);
		read_all(file, 8192);
		file_close(file);
		if (!failed)
			break;
	}
	assert_true(nr_refused > NR_PAGES);
	assert_int_equal(nr_harmless, nr_refused); /* who asks for himself is never the first to be refused */
}

/* AHEAD-3: nothing is freed for it. */
static void test_without_memory(void **state)
{
	struct page *taken[4096];
	u32 nr = 0;
	struct file *file = open_cold(O_RDONLY);

	while (page_nr_free() > nr_pages / 16)
		taken[nr++] = page_alloc(0, PK_DEBUG, REF_OWNER, HOLDER(1, 0), 0);
	read_all(file, 4096);
	assert_int_equal(nr_ahead(), 0);
	assert_int_equal(disk.nr_started, 0);
	while (nr)
		page_put(taken[--nr], REF_OWNER, HOLDER(1, 0));
	file_close(file);
}

/* ---- while it is under way ---- */

static u32 nr_sleeps;

static bool let_go(void)
{
	nr_sleeps++;
	host_disk_let_go(&disk);
	return true;
}

static struct file *read_first_held(void)
{
	struct file *file = open_cold(O_RDWR);

	disk.holds_reads = true;
	host_on_sleep = let_go;
	nr_sleeps = 0;
	for (u32 i = 0; i < 3; i++) /* the second request is begun at page 2, and not waited for */
		assert_int_equal(file_read(file, (uaddr_t)got, 4096), 4096);
	assert_int_equal(nr_sleeps, 1);
	assert_in_range(disk.nr_held, 1, 2); /* consecutive or not */
	assert_int_equal(nr_ahead(), 4);
	host_audit(&file, 1);
	return file;
}

static void test_reader_goes_on(void **state)
{
	struct file *file = read_first_held();

	assert_int_equal(file_read(file, (uaddr_t)got, 4096), 4096);
	assert_int_equal(nr_sleeps, 1);
	assert_int_equal(file_read(file, (uaddr_t)got, 4096), 4096); /* the first page under way */
	assert_int_equal(nr_sleeps, 2);
	assert_memory_equal(got, contents + 4 * 4096, 4096);
	disk.holds_reads = false;
	file_seek(file, 0, SEEK_SET);
	read_all(file, 4096);
	file_close(file);
}

/* 4 pages, then 8 (up to the indirect block): not more than he is known to want. */
static void test_window_grows(void **state)
{
	struct file *file = read_first_held();
	u32 nr_pages_held = 0;

	for (u32 i = 0; i < disk.nr_held; i++)
		nr_pages_held += disk.held[i]->nr;
	assert_int_equal(nr_pages_held, 8);
	host_disk_let_go(&disk);
	disk.holds_reads = false;
	file_close(file);
}

static int (*plain_transfer)(struct block_device *device, u64 block, u32 nr, void *kernel_va, bool write);

static int transfer_while_memory_is_short(struct block_device *device, u64 block, u32 nr, void *kernel_va,
					  bool write)
{
	pagecache_reclaim(nr_pages);
	return plain_transfer(device, block, nr, kernel_va, write);
}

/* A request waits for its last block to be found, and somebody else makes memory free meanwhile. (AHEAD-4) */
static void test_reclaim_before_it_is_begun(void **state)
{
	struct file *file = open_cold(O_RDONLY);

	plain_transfer = disk.device.transfer;
	disk.device.transfer = transfer_while_memory_is_short;
	assert_int_equal(file_read(file, (uaddr_t)got, 16 * 4096), 16 * 4096);
	assert_memory_equal(got, contents, 16 * 4096);
	disk.device.transfer = plain_transfer;
	assert_int_equal(disk.nr_reads, 1); /* the indirect block */
	assert_true(nr_ahead() >= 16);
	file_close(file);
}

/* AHEAD-1: the pages stay until the request has ended. */
static void test_cut_under_way(void **state)
{
	struct file *file = read_first_held();

	assert_int_equal(file_truncate(file, 6 * 4096), 0);
	assert_int_equal(nr_sleeps, 2);
	assert_int_equal(disk.nr_held, 0);
	disk.holds_reads = false;
	host_audit(&file, 1);
	file_close(file);
}

static void test_dropped_under_way(void **state)
{
	struct file *file = read_first_held();

	file_close(file);
	assert_true(pagecache_shrink(~0U) > 0);
	assert_true(disk.nr_held > 0); /* those under way are not to be had yet */
	fs_drop_caches();
	assert_int_equal(disk.nr_held, 0);
	disk.holds_reads = false;
}

static void test_failing_under_way(void **state)
{
	struct file *file = read_first_held();

	disk.failing = true;
	host_disk_let_go(&disk);
	disk.failing = disk.holds_reads = false;
	host_audit(&file, 1);
	file_seek(file, 0, SEEK_SET);
	read_all(file, 4096);
	file_close(file);
}

static void test_busy(void **state)
{
	struct file *file = open_cold(O_RDONLY);

	/* The device has no room: the reader reads for himself. */
	disk.holds_reads = true;
	disk.nr_held = ARRAY_SIZE(disk.held);
	read_all(file, 4096);
	assert_int_equal(nr_ahead(), 0);
	assert_true(disk.nr_reads >= NR_PAGES);
	disk.nr_held = 0;
	disk.holds_reads = false;
	host_audit(&file, 1);
	file_close(file);
}

#define AHEAD_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static int boot(void **state)
{
	host_fs_boot(8UL << 20, 1);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    AHEAD_TEST(test_sequential),
	    AHEAD_TEST(test_scattered),
	    AHEAD_TEST(test_holes),
	    AHEAD_TEST(test_tail),
	    AHEAD_TEST(test_failing_request),
	    AHEAD_TEST(test_allocations_refused),
	    AHEAD_TEST(test_without_memory),
	    AHEAD_TEST(test_reader_goes_on),
	    AHEAD_TEST(test_window_grows),
	    AHEAD_TEST(test_reclaim_before_it_is_begun),
	    AHEAD_TEST(test_cut_under_way),
	    AHEAD_TEST(test_dropped_under_way),
	    AHEAD_TEST(test_failing_under_way),
	    AHEAD_TEST(test_busy),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
