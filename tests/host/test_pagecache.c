/* SPDX-License-Identifier: MIT */
/*
 * The page cache against a model: for every page of three files, what its contents must be and whether they are dirty.
 * Allocations and transfers fail at random; and while a page is being transferred, other things happen to the cache,
 * from inside the transfer. Invariants after every step, the auditor every now and then.
 */
#include "../../kernel/cache/pagecache_priv.h"
#include <host/host_fs.h>
#include <stdlib.h>

#define NR_FILES 3
#define NR_INDEXES 40
#define ANY UINT64_MAX /* a failed write-through: old or new */

/* Sparse indexes, so that the trees get high. */
static u32 index_of(u32 i)
{
	return i < 10 ? i : i < 20 ? 50 + i : i < 30 ? 4080 + i : 300000 + 70 * i;
}

struct model_page {
	u64 disk;   /* version on the device */
	u64 cached; /* version that a read must show */
	bool dirty;
};

struct model_file {
	struct mapping mapping;
	struct model_page pages[NR_INDEXES];
	u32 block_base;
};

static struct model_file files[NR_FILES];
static u64 last_version;
static u32 fail_percent;
static u32 depth;                    /* transfers that are going on */
static struct mapping *busy_mapping; /* of the outer transfer: nobody may wait for its page */
static u32 busy_index;
static bool may_reenter;

static struct model_file *file_of(struct mapping *mapping)
{
	return CONTAINER_OF(mapping, struct model_file, mapping);
}

static u32 slot_of(u32 index)
{
	for (u32 i = 0; i < NR_INDEXES; i++)
		if (index_of(i) == index)
			return i;
	fail_msg("index %u", index);
	return 0;
}

static void fill(u64 *words, u64 version)
{
	for (u32 i = 0; i < PAGE_SIZE / 8; i++)
		words[i] = version;
}

static bool transfer_fails(void)
{
	return host_random_below(100) < fail_percent;
}
static void something_else(void);

static void reenter(struct mapping *mapping, u32 index)
{
	struct mapping *outer_mapping = busy_mapping;
	u32 outer_index = busy_index;

	if (!may_reenter || depth >= 1)
		return;
	depth++;
	busy_mapping = mapping;
	busy_index = index;
	for (u64 n = host_random_below(3); n > 0; n--)
		something_else();
	busy_mapping = outer_mapping;
	busy_index = outer_index;
	depth--;
}

static int read_page(struct mapping *mapping, u32 index, void *kernel_va)
{
	struct model_page *page = &file_of(mapping)->pages[slot_of(index)];

	assert_int_equal(this_hart()->irq_off_depth, 0);
	assert_true(((struct page *)radix_lookup(&mapping->tree, index))->state & PAGE_LOCKED);
	reenter(mapping, index);
	if (transfer_fails())
		return -EIO;
	fill(kernel_va, page->disk);
	return 0;
}

static int write_page(struct mapping *mapping, u32 index, u32 block, const void *kernel_va)
{
	struct model_file *file = file_of(mapping);
	struct model_page *page = &file->pages[slot_of(index)];
	u64 version = *(const u64 *)kernel_va;

	assert_int_equal(this_hart()->irq_off_depth, 0);
	assert_int_equal(block, file->block_base + slot_of(index));
	assert_true(((struct page *)radix_lookup(&mapping->tree, index))->state & PAGE_WRITEBACK);
	if (page->cached != ANY)
		assert_int_equal(version, page->cached);
	/* From here on a new change makes it dirty anew; the model is told before, as the cache was. */
	page->dirty = false;
	reenter(mapping, index);
	if (transfer_fails()) {
		if (page->cached == version || page->cached == ANY)
			page->dirty = true;
		return -EIO;
	}
	page->disk = version;
	if (page->cached == ANY && !page->dirty)
		page->cached = version;
	return 0;
}

static const struct mapping_ops ops = {.read_page = read_page, .write_page = write_page};

/* ---- steps ---- */

static struct model_file *random_file(void)
{
	return &files[host_random_below(NR_FILES)];
}

static bool is_busy(const struct mapping *mapping, u32 index)
{
	return busy_mapping == mapping && busy_index == index;
}

static bool is_cached(struct mapping *mapping, u32 index)
{
	return radix_lookup(&mapping->tree, index);
}

static void check_contents(struct model_page *model, struct page *page)
{
	u64 version = *(u64 *)page_to_va(page);

	if (model->cached == ANY)
		model->cached = version;
	assert_int_equal(version, model->cached);
	assert_int_equal(((u64 *)page_to_va(page))[PAGE_SIZE / 8 - 1], version);
}

/* Not on a page that is being filled from here: that would wait. Writing to one that is being written is fine. */
static bool would_wait(const struct mapping *mapping, u32 index)
{
	const struct page *page = radix_lookup(&mapping->tree, index);

	return page && (page->state & PAGE_LOCKED);
}

static void step_read(void)
{
	struct model_file *file = random_file();
	u32 i = (u32)host_random_below(NR_INDEXES), index = index_of(i);
	u32 flags = host_random_below(4) ? PAGECACHE_READ : PAGECACHE_CACHED;
	bool cached = is_cached(&file->mapping, index);
	struct page *page;

	if (would_wait(&file->mapping, index))
		return;
	page = pagecache_get(&file->mapping, index, flags);
	if (IS_ERR(page)) {
		if (flags == PAGECACHE_CACHED)
			assert_int_equal(PTR_ERR(page), -ENOENT);
		else
			assert_true(PTR_ERR(page) == -EIO || PTR_ERR(page) == -ENOMEM);
		assert_false(cached);
		return;
	}
	check_contents(&file->pages[i], page);
	pagecache_release(page);
}

static void step_write(void)
{
	struct model_file *file = random_file();
	u32 i = (u32)host_random_below(NR_INDEXES), index = index_of(i);
	struct model_page *model = &file->pages[i];
	bool overwrite = host_random_below(2);
	struct page *page;
	int err;

	if (would_wait(&file->mapping, index) ||
	    (busy_mapping && is_busy(&file->mapping, index) && host_random_below(2)))
		return;
	page = pagecache_get(&file->mapping, index, overwrite ? PAGECACHE_OVERWRITE : PAGECACHE_READ);
	if (IS_ERR(page))
		return;
	last_version++;
	fill(page_to_va(page), last_version);
	model->cached = last_version;
	model->dirty = true;
	/* Write-through of a page that is being written would wait for it. */
	if (is_busy(&file->mapping, index))
		host_fail_nth(0);
	err = pagecache_mark_dirty(&file->mapping, page, file->block_base + i);
	if (err) {
		assert_int_equal(err, -EIO);
		model->dirty = false;
		model->cached = ANY;
		/* The page is newer than the disk and yet clean: what a file system may do is give it up. */
		pagecache_release(page);
		pagecache_forget(&file->mapping, index);
		model->cached = model->disk;
		return;
	}
	pagecache_release(page);
}

static void dropped(struct model_file *file, u32 first, u32 last)
{
	for (u32 i = 0; i < NR_INDEXES; i++) {
		if (index_of(i) < first || index_of(i) > last)
			continue;
		file->pages[i].cached = file->pages[i].disk;
		file->pages[i].dirty = false;
	}
}

static void step_truncate(void)
{
	struct model_file *file = random_file();
	u32 first = index_of((u32)host_random_below(NR_INDEXES));

	/* Waits for transfers, and here they wait for us. */
	if (depth)
		return;
	if (host_random_below(3)) {
		pagecache_forget(&file->mapping, first);
		dropped(file, first, first);
	} else {
		pagecache_truncate(&file->mapping, first);
		dropped(file, first, UINT32_MAX);
	}
}

static void step_sync(void)
{
	if (depth)
		return;
	if (host_random_below(4)) {
		struct model_file *file = random_file();

		if (pagecache_sync(&file->mapping) == 0)
			assert_int_equal(file->mapping.nr_dirty == 0 || may_reenter, 1);
	} else {
		pagecache_sync_all();
	}
}

static void step_shrink(void)
{
	pagecache_shrink((u32)host_random_below(20));
}

/* A page in use stays, whatever is evicted meanwhile. */
static void step_hold(void)
{
	struct model_file *file = random_file();
	u32 i = (u32)host_random_below(NR_INDEXES), index = index_of(i);
	struct page *page;

	if (would_wait(&file->mapping, index))
		return;
	page = pagecache_get(&file->mapping, index, PAGECACHE_READ);
	if (IS_ERR(page))
		return;
	pagecache_shrink(~0U);
	assert_ptr_equal(radix_lookup(&file->mapping.tree, index), page);
	check_contents(&file->pages[i], page);
	pagecache_release(page);
}

static void step_reclaim(void)
{
	if (!depth)
		pagecache_reclaim((u32)host_random_below(40));
}

static void check_all(void)
{
	for (u32 f = 0; f < NR_FILES; f++) {
		assert_sound(mapping_check(&files[f].mapping));
		for (u32 i = 0; i < NR_INDEXES; i++) {
			struct page *page = radix_lookup(&files[f].mapping.tree, index_of(i));
			bool dirty = page && (page->state & PAGE_DIRTY);

			if (depth == 0 && dirty != files[f].pages[i].dirty)
				fail_msg("file %u page %u: dirty is %d, must be %d (HOST_SEED=%lu)", f, i,
					 dirty, files[f].pages[i].dirty, (unsigned long)host_seed());
		}
	}
}

static void something_else(void)
{
	static void (*const steps[])(void) = {
	    step_read,     step_read, step_read,   step_write,  step_write,   step_write, step_write,
	    step_truncate, step_sync, step_shrink, step_shrink, step_reclaim, step_hold};

	steps[host_random_below(ARRAY_SIZE(steps))]();
}

static void files_begin(void)
{
	for (u32 f = 0; f < NR_FILES; f++) {
		memset(&files[f], 0, sizeof(files[f]));
		files[f].block_base = 1000 * f;
		mapping_init(&files[f].mapping, (u16)(f + 5), &ops);
		host_mappings[f] = &files[f].mapping;
	}
	last_version = 0;
}

static void files_end(void)
{
	fail_percent = 0;
	may_reenter = false;
	host_fail_nth(0);
	assert_int_equal(pagecache_sync_all(), 0);
	check_all();
	for (u32 f = 0; f < NR_FILES; f++) {
		for (u32 i = 0; i < NR_INDEXES; i++)
			assert_int_equal(files[f].pages[i].disk, files[f].pages[i].cached);
		pagecache_truncate(&files[f].mapping, 0);
		mapping_destroy(&files[f].mapping);
	}
	kmem_cache_shrink_all();
	host_audit(NULL, 0);
	assert_int_equal(host_pages_of_kind(PK_PAGECACHE), 0);
	assert_int_equal(host_pages_of_kind(PK_SLAB), 0);
}

static void run_random(u32 steps, u32 io_percent, u32 memory_percent, bool reentrant)
{
	files_begin();
	for (u32 step = 0; step < steps; step++) {
		may_reenter = reentrant;
		fail_percent = io_percent;
		if (host_random_below(100) < memory_percent)
			host_fail_nth(1 + host_random_below(4));
		something_else();
		host_fail_nth(0);
		check_all();
		if (step % 512 == 0)
			host_audit(NULL, 0);
	}
	files_end();
}

/* PC-3, PC-4: against a model that counts references. */
static void test_random(void **state)
{
	host_random_start();
	run_random(4000, 0, 0, false);
}

static void test_random_failures(void **state)
{
	host_random_start();
	for (u32 round = 0; round < 4; round++)
		run_random(2000, 5 + 10 * round, 20, false);
}

static void test_random_reentrant(void **state)
{
	host_random_start();
	for (u32 round = 0; round < 4; round++)
		run_random(2000, 10 * (round % 2), 20, true);
}

/* Takes memory until `left` pages are free. */
static struct page *taken[2000];
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

/* Less memory than the files have pages: reclaim must write and evict, and nothing may be lost. (RECLAIM-1) */
static void test_pressure(void **state)
{
	struct pagecache_totals before, after;

	files_begin();
	host_random_start();
	pagecache_totals(&before);
	take_memory(60);
	for (u32 step = 0; step < 4000; step++) {
		u32 f = (u32)host_random_below(NR_FILES), i = (u32)host_random_below(NR_INDEXES);
		struct page *page = pagecache_get(&files[f].mapping, index_of(i), PAGECACHE_READ);

		assert_false(IS_ERR(page));
		check_contents(&files[f].pages[i], page);
		if (host_random_below(2)) {
			fill(page_to_va(page), ++last_version);
			files[f].pages[i].cached = last_version;
			files[f].pages[i].dirty = true;
			assert_int_equal(
			    pagecache_mark_dirty(&files[f].mapping, page, files[f].block_base + i), 0);
		}
		pagecache_release(page);
		check_all();
	}
	pagecache_totals(&after);
	assert_true(after.nr_evicted > before.nr_evicted + 500);
	assert_true(after.nr_written > before.nr_written + 500);
	give_memory_back();
	files_end();
}

static void touch_page(u32 i)
{
	struct page *page = pagecache_get(&files[0].mapping, index_of(i), PAGECACHE_READ);

	assert_false(IS_ERR(page));
	pagecache_release(page);
}

/* Reclaim takes what was not used since it last looked. */
static void test_second_chance(void **state)
{
	files_begin();
	for (u32 i = 0; i < 8; i++)
		touch_page(i);
	for (u32 i = 0; i < 8; i += 2)
		touch_page(i);
	assert_int_equal(pagecache_shrink(4), 4);
	for (u32 i = 0; i < 8; i++)
		assert_int_equal(is_cached(&files[0].mapping, index_of(i)), i % 2 == 0);
	assert_int_equal(pagecache_shrink(~0U), 4);
	files_end();
}

/* PC-5: a pinned mapping is not destroyed. */
static void test_pins(void **state)
{
	struct mapping *mapping = NULL;

	files_begin();
	/* A mapping that write-back looks at is not destroyed under it: in one task, that is sleeping for ever. */
	struct page *page = pagecache_get(&files[1].mapping, 3, PAGECACHE_OVERWRITE);
	assert_false(IS_ERR(page));
	fill(page_to_va(page), ++last_version);
	assert_int_equal(pagecache_mark_dirty(&files[1].mapping, page, files[1].block_base + 3), 0);
	pagecache_release(page);
	mapping = mapping_next(NULL, mapping_has_dirty);
	assert_ptr_equal(mapping, &files[1].mapping);
	pagecache_truncate(&files[1].mapping, 0);
	if (HOST_PANICS()) {
		assert_non_null(strstr(host_panic_text, "sleeps for ever"));
	} else {
		mapping_destroy(&files[1].mapping);
		fail_msg("a pinned mapping was destroyed");
	}
	mapping_unpin(mapping);
	files[1].pages[3] = (struct model_page){0};
	files_end();
}

static void test_misuse_panics(void **state)
{
	files_begin();
	struct page *page = pagecache_get(&files[0].mapping, 1, PAGECACHE_OVERWRITE);
	pagecache_release(page);
	if (!HOST_PANICS()) {
		mapping_destroy(&files[0].mapping);
		fail_msg("a mapping with pages was destroyed");
	}
	files_end();
}

static int boot(void **state)
{
	host_fs_boot(8UL << 20, 1);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random),           cmocka_unit_test(test_random_failures),
	    cmocka_unit_test(test_random_reentrant), cmocka_unit_test(test_pressure),
	    cmocka_unit_test(test_second_chance),    cmocka_unit_test(test_pins),
	    cmocka_unit_test(test_misuse_panics),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
