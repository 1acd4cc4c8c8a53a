/* SPDX-License-Identifier: MIT */
/*
 * The page cache and ext2 with real threads on real harts' locks: writers and readers of shared files, with write-back,
 * reclaim, truncation, creation and removal going on beside them; little memory, so that reclaim is busy, too.
 * A file's contents are known under its own host lock, as they are under an inode's lock.
 */
#include "../../kernel/cache/pagecache_priv.h"
#include <host/host_fs.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define NR_THREADS 4
#define NR_FILES 3
#define NR_PAGES 24
#define FREE_PAGES 70

struct shared_file {
	struct mapping mapping;
	pthread_mutex_t lock;
	u64 cached[NR_PAGES],
	    disk[NR_PAGES]; /* versions; disk under its own rules: one transfer of a page at a time */
};

static struct shared_file files[NR_FILES];
static u64 last_version;

/* Each thread has a sequence of its own; which thread does what first is the host's business. */
static __thread u64 random_state;

static u64 below(u64 limit)
{
	random_state = random_state * 6364136223846793005UL + 1442695040888963407UL;
	return (random_state >> 33) % limit;
}

static u32 index_of(u32 i)
{
	return i < 12 ? i : 4000 + 100 * i;
}
static u32 page_of(u32 index)
{
	return index < 12 ? index : (index - 4000) / 100;
}

static int read_page(struct mapping *mapping, u32 index, void *kernel_va)
{
	struct shared_file *file = CONTAINER_OF(mapping, struct shared_file, mapping);
	u64 version = __atomic_load_n(&file->disk[page_of(index)], __ATOMIC_ACQUIRE);

	if (below(3) == 0)
		sched_yield();
	for (u32 i = 0; i < PAGE_SIZE / 8; i++)
		((u64 *)kernel_va)[i] = version;
	return below(50) ? 0 : -EIO;
}

static int write_page(struct mapping *mapping, u32 index, u32 block, const void *kernel_va)
{
	struct shared_file *file = CONTAINER_OF(mapping, struct shared_file, mapping);
	u64 version = __atomic_load_n((const u64 *)kernel_va, __ATOMIC_ACQUIRE);

	if (below(3) == 0)
		sched_yield();
	if (below(50) == 0)
		return -EIO;
	__atomic_store_n(&file->disk[page_of(index)], version, __ATOMIC_RELEASE);
	return 0;
}

static const struct mapping_ops ops = {.read_page = read_page, .write_page = write_page};

static void use_page(struct shared_file *file)
{
	u32 i = (u32)below(NR_PAGES);
	struct page *page = pagecache_get(&file->mapping, index_of(i), PAGECACHE_READ);
	u64 *words;

	if (IS_ERR(page))
		return;
	words = page_to_va(page);
	if (words[0] != file->cached[i] || words[511] != file->cached[i])
		panic("page %u: version %lu and %lu, must be %lu", i, words[0], words[511], file->cached[i]);
	if (below(2)) {
		u64 version = __atomic_add_fetch(&last_version, 1, __ATOMIC_RELAXED);

		for (u32 k = 0; k < PAGE_SIZE / 8; k++)
			__atomic_store_n(&words[k], version, __ATOMIC_RELAXED);
		/* A failed write-through leaves a clean page that is newer than the disk: what was before is gone. */
		if (pagecache_mark_dirty(&file->mapping, page, i) == 0) {
			file->cached[i] = version;
		} else {
			pagecache_release(page);
			pagecache_forget(&file->mapping, index_of(i));
			file->cached[i] = file->disk[i];
			return;
		}
	}
	pagecache_release(page);
}

static void drop_pages(struct shared_file *file)
{
	u32 first = (u32)below(NR_PAGES);

	pagecache_truncate(&file->mapping, index_of(first));
	for (u32 i = first; i < NR_PAGES; i++)
		file->cached[i] = file->disk[i];
}

static void *cache_thread(void *arg)
{
	host_hart = (u32)(u64)arg;
	random_state = host_seed() + host_hart;
	for (u32 step = 0; step < 20000; step++) {
		struct shared_file *file = &files[below(NR_FILES)];

		switch (below(12)) {
		case 0:
			pagecache_sync(&file->mapping);
			break;
		case 1:
			pagecache_sync_all();
			break;
		case 2:
			pagecache_shrink((u32)below(10));
			break;
		case 3:
			pagecache_reclaim((u32)below(10));
			break;
		default:
			pthread_mutex_lock(&file->lock);
			if (below(40) == 0)
				drop_pages(file);
			else
				use_page(file);
			pthread_mutex_unlock(&file->lock);
		}
	}
	return NULL;
}

static void run_threads(void *(*body)(void *))
{
	pthread_t threads[NR_THREADS];

	for (u64 i = 0; i < NR_THREADS; i++) {
		host_hart = (u32)i;
		harts[i].current = host_task();
		assert_int_equal(pthread_create(&threads[i], NULL, body, (void *)i), 0);
	}
	for (u32 i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	host_hart = 0;
}

static struct page *taken[4000];
static u32 nr_taken;

static void take_memory(u32 left)
{
	for (nr_taken = 0; page_nr_free() > left; nr_taken++) {
		assert_true(nr_taken < ARRAY_SIZE(taken));
		taken[nr_taken] = page_alloc(0, PK_KERNEL, REF_OWNER, HOLDER(1, 0), 0);
		assert_non_null(taken[nr_taken]);
	}
}

static void give_memory_back(void)
{
	while (nr_taken)
		page_put(taken[--nr_taken], REF_OWNER, HOLDER(1, 0));
}

static void test_pagecache(void **state)
{
	for (u32 f = 0; f < NR_FILES; f++) {
		memset(&files[f], 0, sizeof(files[f]));
		pthread_mutex_init(&files[f].lock, NULL);
		mapping_init(&files[f].mapping, (u16)(f + 5), &ops);
		host_mappings[f] = &files[f].mapping;
	}
	take_memory(FREE_PAGES);
	run_threads(cache_thread);
	give_memory_back();
	for (u32 f = 0; f < NR_FILES; f++) {
		assert_sound(mapping_check(&files[f].mapping));
		while (files[f].mapping.nr_dirty)
			pagecache_sync(&files[f].mapping);
		for (u32 i = 0; i < NR_PAGES; i++)
			assert_int_equal(files[f].disk[i], files[f].cached[i]);
		pagecache_truncate(&files[f].mapping, 0);
		mapping_destroy(&files[f].mapping);
	}
	host_audit(NULL, 0);
	assert_int_equal(host_pages_of_kind(PK_PAGECACHE), 0);
}

/* ---- ext2: threads that share a few names and have files of their own ---- */

static struct host_disk disk;

static void shared_names(void)
{
	char path[20], other[20];
	struct inode *inode;
	struct file *file;
	static __thread u8 bytes[9000];

	snprintf(path, sizeof(path), "/%c%s", (char)('a' + below(3)), below(2) ? "/x" : "");
	snprintf(other, sizeof(other), "/%c", (char)('a' + below(5)));
	switch (below(9)) {
	case 0:
		path_unlink(NULL, path, false);
		break;
	case 1:
		path_unlink(NULL, path, true);
		break;
	case 2:
		path_link(NULL, path, other);
		break;
	case 3:
		if (path_create(NULL, path, &(struct inode_spec){.mode = S_IFDIR | 0755}, true, &inode) == 0)
			inode_put(inode);
		break;
	case 4:
		fs_sync();
		break;
	case 5:
		fs_drop_caches();
		break;
	default:
		if (file_open(NULL, path, O_RDWR | O_CREAT | (below(4) ? 0 : O_TRUNC), 0644, &file))
			return;
		file_seek(file, (s64)below(60000), SEEK_SET);
		file_write(file, (uaddr_t)bytes, below(sizeof(bytes)));
		file_seek(file, 0, SEEK_SET);
		file_read(file, (uaddr_t)bytes, sizeof(bytes));
		file_close(file);
	}
}

/* What a thread wrote to a file of its own it reads back. */
static void own_file(void)
{
	static __thread u8 out[20000], in[20000];
	char path[20];
	struct file *file;
	ssize_t written, got;

	snprintf(path, sizeof(path), "/own%u", host_hart);
	if (file_open(NULL, path, O_RDWR | O_CREAT | O_TRUNC, 0644, &file))
		return;
	memset(out, (int)below(256), sizeof(out));
	written = file_write(file, (uaddr_t)out, 1 + below(sizeof(out)));
	file_seek(file, 0, SEEK_SET);
	got = file_read(file, (uaddr_t)in, sizeof(in));
	if (got >= 0 && got != MAX(written, 0))
		panic("%s: wrote %ld, read %ld", path, (long)written, (long)got);
	if (got > 0 && memcmp(in, out, (size_t)got))
		panic("%s: other contents", path);
	file_close(file);
	if (below(3) == 0)
		path_unlink(NULL, path, false);
}

static void *ext2_thread(void *arg)
{
	host_hart = (u32)(u64)arg;
	random_state = host_seed() * 31 + host_hart;
	for (u32 step = 0; step < 2000; step++) {
		if (below(3))
			shared_names();
		else
			own_file();
	}
	return NULL;
}

/* ICACHE-3, ICACHE-5: . */
static void test_ext2(void **state)
{
	host_disk_make(&disk, 200, "-O none,filetype -N 32", NULL);
	assert_int_equal(fs_mount_root(&ext2_type, &disk.device), 0);
	take_memory(FREE_PAGES);
	run_threads(ext2_thread);
	give_memory_back();
	host_audit(NULL, 0);
	host_fs_unmount(&disk, "threads");
	host_disk_free(&disk);
}

/*
 * A symbolic link that cannot be made, as the disk is full, and a file of that name that another thread makes: what fails
 * must not take the file with it, nor may anybody ever see a link without a target.
 */
static u32 nr_links_failed;

static void make_link(void)
{
	static char target[100];

	memset(target, 't', sizeof(target) - 1); /* too long for the inode: needs a block */
	if (path_symlink(NULL, target, "/name") == -ENOSPC)
		__atomic_add_fetch(&nr_links_failed, 1, __ATOMIC_RELAXED);
}

static void own_name(void)
{
	struct inode *inode;
	struct file *file;

	path_unlink(NULL, "/name", false);
	for (u32 i = 0; i < 4; i++)
		sched_yield();
	if (file_open(NULL, "/name", O_RDWR | O_CREAT | O_EXCL, 0644, &file))
		return;
	for (u32 i = 0; i < 4; i++) {
		sched_yield();
		if (path_lookup(NULL, "/name", &inode))
			panic("a file's name went with a link that was not made");
		if (inode != file->inode)
			panic("a file's name leads elsewhere");
		inode_put(inode);
	}
	file_close(file);
}

static void *link_thread(void *arg)
{
	host_hart = (u32)(u64)arg;
	random_state = host_seed() * 17 + host_hart;
	for (u32 step = 0; step < 6000; step++) {
		if (host_hart == 0)
			own_name();
		else
			make_link();
	}
	return NULL;
}

static void test_failing_links(void **state)
{
	static u8 page[PAGE_SIZE];
	struct file *file;

	host_disk_make(&disk, 64, "-O none,filetype -N 32", NULL);
	assert_int_equal(fs_mount_root(&ext2_type, &disk.device), 0);
	assert_int_equal(file_open(NULL, "/full", O_RDWR | O_CREAT, 0644, &file), 0);
	while (file_write(file, (uaddr_t)page, sizeof(page)) == sizeof(page))
		;
	file_close(file);
	nr_links_failed = 0;
	run_threads(link_thread);
	assert_true(nr_links_failed > 0);
	host_audit(NULL, 0);
	host_fs_unmount(&disk, "failing links");
	host_disk_free(&disk);
}

static int boot(void **state)
{
	host_fs_boot(8UL << 20, NR_THREADS);
	host_relax_ticks = 0; /* waiting for a lock takes the time that the host takes */
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_pagecache), cmocka_unit_test(test_ext2),
					   cmocka_unit_test(test_failing_links)};

	return cmocka_run_group_tests(tests, boot, NULL);
}
