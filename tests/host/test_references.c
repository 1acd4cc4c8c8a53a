/* SPDX-License-Identifier: MIT */
/*
 * References to counted objects: inodes, open files, pipes. Each is forgotten once, in every way, and the auditor must say
 * which object it was, with what count and how many users it found; then it is given back, and the audit is clean again.
 */
#include <host/host_fs.h>
#include <kernel/arch.h>
#include <kernel/errno.h>
#include <stdlib.h>

static struct host_disk disk;

static int boot(void **state)
{
	host_fs_boot(16UL << 20, 1);
	return 0;
}

static int mount(void **state)
{
	const struct inode_spec spec = {.mode = S_IFREG | 0644};
	struct inode *inode;

	host_disk_make(&disk, 300, "-O none,filetype -N 64", NULL);
	assert_int_equal(fs_mount_root(&ext2_type, &disk.device), 0);
	assert_int_equal(path_create(NULL, "/a", &spec, true, &inode), 0);
	inode_put(inode);
	host_audit(NULL, 0);
	return 0;
}

static int unmount(void **state)
{
	host_fs_unmount(&disk, "a test of references");
	host_disk_free(&disk);
	return 0;
}

struct expected {
	enum verdict verdict;
	const char *cache; /* NULL: a page */
	u32 count, claims;
};

/* Exactly these, in any order. */
static void expect(const struct expected *expected, u32 nr)
{
	const struct audit_result *result;
	bool seen[AUDIT_FINDINGS_MAX] = {false};

	audit_lock();
	result = audit_run_locked(0);
	for (u32 i = 0; i < nr; i++) {
		bool found = false;

		for (u32 k = 0; k < result->nr_kept && !found; k++) {
			const struct finding *one = &result->findings[k];

			if (seen[k] || one->verdict != expected[i].verdict ||
			    one->is_object != (expected[i].cache != NULL) ||
			    (one->is_object && strcmp(one->cache_name, expected[i].cache)) ||
			    (one->is_object &&
			     (one->count != expected[i].count || one->claims != expected[i].claims)))
				continue;
			found = seen[k] = true;
		}
		if (!found)
			fail_msg("no finding %s of %s", verdict_name(expected[i].verdict),
				 expected[i].cache ? expected[i].cache : "a page");
	}
	assert_int_equal(result->nr_findings, nr);
	audit_unlock();
}
#define EXPECT(...)                                                                                          \
	expect((const struct expected[]){__VA_ARGS__},                                                       \
	       sizeof((const struct expected[]){__VA_ARGS__}) / sizeof(struct expected))

/* ICACHE-6: the file has a name, so the table keeps the inode and its pages; the count says that somebody forgot it. */
static void test_inode_with_a_name(void **state)
{
	struct inode *inode;

	assert_int_equal(path_lookup(NULL, "/a", &inode), 0);
	EXPECT({VERDICT_OVER, "inode", 1, 0});
	inode_dup(inode);
	EXPECT({VERDICT_OVER, "inode", 2, 0});
	inode_put(inode);
	inode_put(inode);
}

/* ICACHE-6: without a name nothing leads to the inode, nor to its pages. */
static void test_inode_without_a_name(void **state)
{
	u8 buffer[100] = {1};
	struct inode *inode;

	assert_int_equal(path_lookup(NULL, "/a", &inode), 0);
	assert_int_equal(inode_lock(inode), 0);
	assert_int_equal(inode->ops->write(inode, 0, (u64)buffer, sizeof(buffer), false), sizeof(buffer));
	inode_unlock(inode);
	assert_int_equal(path_unlink(NULL, "/a", false), 0);
	EXPECT({VERDICT_OBJ, "inode", 1, 0}, {VERDICT_OBJ, "dirty", 0, 0}, {VERDICT_UNREACH, NULL, 0, 0});
	inode_put(inode);
}

/* An open file without a descriptor is lost, and does not keep its inode. */
static void test_file(void **state)
{
	struct file *file;

	assert_int_equal(file_open(NULL, "/a", O_RDWR, 0, &file), 0);
	host_audit(&file, 1);
	EXPECT({VERDICT_OBJ, "file", 1, 0}, {VERDICT_OVER, "inode", 1, 0});
	file_close(file);
}

/* The name of the one who holds it is part of the books: three descriptors, of which two are known. */
static void test_file_over_and_under(void **state)
{
	struct file *file, *twice[2];

	assert_int_equal(file_open(NULL, "/a", O_RDWR, 0, &file), 0);
	twice[0] = twice[1] = file;
	file_dup(file);
	host_audit(twice, 2);
	file_dup(file);
	host_claimed(twice, 2);
	EXPECT({VERDICT_OVER, "file", 3, 2});
	file_close(file);
	file_close(file);
	EXPECT({VERDICT_UNDER, "file", 1, 2});
	host_claimed(NULL, 0);
	file_close(file);
}

/* One end is open and nobody's: the pipe goes with it, and its page. The list of all pipes keeps nothing. */
static void test_pipe(void **state)
{
	struct file *reader, *writer;

	assert_int_equal(pipe_create(&reader, &writer), 0);
	file_close(reader);
	EXPECT({VERDICT_OBJ, "file", 1, 0}, {VERDICT_OBJ, "pipe", 1, 0}, {VERDICT_UNREACH, NULL, 0, 0});
	host_claimed(&writer, 1);
	EXPECT();
	host_claimed(NULL, 0);
	file_close(writer);
}

/* PIPE-3: with both ends open the count is 2, one reference each. */
static void test_pipe_over(void **state)
{
	struct file *ends[2];

	assert_int_equal(pipe_create(&ends[0], &ends[1]), 0);
	host_claimed(ends, 2);
	EXPECT();
	host_claimed(ends, 1);
	EXPECT({VERDICT_OBJ, "file", 1, 0}, {VERDICT_OVER, "pipe", 2, 1});
	host_claimed(NULL, 0);
	file_close(ends[0]);
	file_close(ends[1]);
}

/* SLAB-5: the records of one inode, from first to last, are a chain, and each release names what was acquired. */
static void test_records(void **state)
{
	static struct trace_record records[4096];
	struct file *file;
	u32 number, nr, count = 0, nr_gets = 0, nr_puts = 0;
	bool began = false;
	u64 since = arch_time();

	assert_int_equal(file_open(NULL, "/a", O_RDWR, 0, &file), 0);
	number = kmem_object_number(file->inode);
	file_close(file);
	nr = (u32)(trace_newest(records, sizeof(records)) / sizeof(*records));
	for (u32 i = 0; i < nr; i++) {
		const struct trace_payload_objref *event = &records[i].payload.ev_payload_obj_get;

		if ((records[i].event != EV_obj_get && records[i].event != EV_obj_put) ||
		    event->obj != number || records[i].time < since)
			continue;
		if (!began)
			count = event->before;
		began = true;
		assert_int_equal(event->before, count);
		count = event->after;
		if (records[i].kind != REF_FILE)
			continue;
		assert_int_equal(event->index, kmem_object_number(file));
		nr_gets += records[i].event == EV_obj_get;
		nr_puts += records[i].event == EV_obj_put;
	}
	assert_int_equal(count, 0);
	assert_int_equal(nr_gets, 1);
	assert_int_equal(nr_puts, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, mount, unmount)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_inode_with_a_name),
	    TEST(test_inode_without_a_name),
	    TEST(test_file),
	    TEST(test_file_over_and_under),
	    TEST(test_pipe),
	    TEST(test_pipe_over),
	    TEST(test_records),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
