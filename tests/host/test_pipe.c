/* SPDX-License-Identifier: MIT */
/*
 * Pipes between one task and what it does "meanwhile": whoever would sleep runs a step of the other side instead. A
 * model counts the bytes that are in the pipe and checks their order.
 */
#include <host/host_fs.h>
#include <kernel/errno.h>
#include <stdlib.h>

static struct file *reader, *writer;
static u64 written, read_back; /* bytes, since the pipe was made; a byte's value is made from its position */
static u8 in[20000], out[20000];
static u32 nr_sleeps;

static u8 byte_at(u64 position)
{
	return (u8)(position * 7 + (position >> 8));
}

static void pipe_begin(void)
{
	assert_int_equal(pipe_create(&reader, &writer), 0);
	written = read_back = 0;
	nr_sleeps = 0;
	host_on_sleep = NULL;
}

static void pipe_end(void)
{
	host_on_sleep = NULL;
	host_fault_at = 0;
	if (reader)
		file_close(reader);
	if (writer)
		file_close(writer);
	host_audit(NULL, 0);
	assert_int_equal(host_pages_of_kind(PK_PIPE), 0);
	assert_int_equal(host_pages_of_kind(PK_SLAB), 0);
}

static void fill_in(size_t size_bytes)
{
	for (size_t i = 0; i < size_bytes; i++)
		in[i] = byte_at(written + i);
}

static void check_out(ssize_t size_bytes)
{
	for (ssize_t i = 0; i < size_bytes; i++)
		assert_int_equal(out[i], byte_at(read_back + (u64)i));
	read_back += (u64)size_bytes;
}

/* Of what a sleeping writer has put in so far, the test knows only the least: it reads until that is too little. */
static bool read_some(void)
{
	size_t want = 1 + host_random_below(5000);

	nr_sleeps++;
	check_out(file_read(reader, (uaddr_t)out, want));
	return true;
}

static bool write_some(void)
{
	size_t size_bytes = 1 + host_random_below(3000);

	nr_sleeps++;
	fill_in(size_bytes);
	assert_int_equal(file_write(writer, (uaddr_t)in, size_bytes), size_bytes);
	written += size_bytes;
	return true;
}

/* PIPE-1, PIPE-2: . */
static void test_random(void **state)
{
	static u8 big[20000];

	host_random_start();
	pipe_begin();
	for (u32 step = 0; step < 3000; step++) {
		if (host_random_below(2)) {
			size_t size_bytes = host_random_below(sizeof(big));

			for (size_t i = 0; i < size_bytes; i++)
				big[i] = byte_at(written + i);
			host_on_sleep = read_some;
			assert_int_equal(file_write(writer, (uaddr_t)big, size_bytes), size_bytes);
			written += size_bytes;
		} else {
			host_on_sleep = write_some;
			check_out(file_read(reader, (uaddr_t)out, host_random_below(sizeof(out))));
		}
		assert_true(written - read_back <= PAGE_SIZE);
	}
	assert_true(nr_sleeps > 500);
	pipe_end();
}

static bool be_killed(void)
{
	return false;
}

static void test_killed(void **state)
{
	pipe_begin();
	host_on_sleep = be_killed;
	assert_int_equal(file_read(reader, (uaddr_t)out, 10), -EINTR);
	fill_in(5000);
	/* A page goes in, then the writer is killed. */
	assert_int_equal(file_write(writer, (uaddr_t)in, 5000), PAGE_SIZE);
	assert_int_equal(file_write(writer, (uaddr_t)in, 1), -EINTR);
	host_on_sleep = NULL;
	check_out(file_read(reader, (uaddr_t)out, sizeof(out)));
	assert_int_equal(read_back, PAGE_SIZE);
	pipe_end();
}

static bool close_writer(void)
{
	file_close(writer);
	writer = NULL;
	return true;
}

static bool close_reader(void)
{
	file_close(reader);
	reader = NULL;
	return true;
}

/* PIPE-3: the pipe goes with its second end. */
static void test_ends(void **state)
{
	pipe_begin();
	host_on_sleep = close_writer;
	assert_int_equal(file_read(reader, (uaddr_t)out, 10), 0);
	assert_int_equal(file_read(reader, (uaddr_t)out, 10), 0);
	pipe_end();

	pipe_begin();
	fill_in(6000);
	host_on_sleep = close_reader;
	assert_int_equal(file_write(writer, (uaddr_t)in, 6000), PAGE_SIZE);
	assert_int_equal(file_write(writer, (uaddr_t)in, 1), -EPIPE);
	pipe_end();

	pipe_begin();
	fill_in(100);
	assert_int_equal(file_write(writer, (uaddr_t)in, 100), 100);
	file_close(writer);
	writer = NULL;
	assert_int_equal(file_read(reader, (uaddr_t)out, 60), 60);
	assert_int_equal(file_read(reader, (uaddr_t)out, 60), 40);
	assert_int_equal(file_read(reader, (uaddr_t)out, 60), 0);
	pipe_end();
}

static void test_faults(void **state)
{
	pipe_begin();
	fill_in(100);
	host_fault_at = (uaddr_t)in + 50;
	assert_int_equal(file_write(writer, (uaddr_t)in, 100), -EFAULT);
	host_fault_at = 0;
	assert_int_equal(file_write(writer, (uaddr_t)in, 100), 100);
	host_fault_at = (uaddr_t)out + 50;
	assert_int_equal(file_read(reader, (uaddr_t)out, 100), -EFAULT);
	host_fault_at = 0;
	/* Nothing was lost by it. */
	check_out(file_read(reader, (uaddr_t)out, 100));
	assert_int_equal(read_back, 100);
	pipe_end();
}

static void test_misuse(void **state)
{
	struct stat st;

	pipe_begin();
	assert_int_equal(file_read(writer, (uaddr_t)out, 1), -EBADF);
	assert_int_equal(file_write(reader, (uaddr_t)in, 1), -EBADF);
	assert_int_equal(file_seek(reader, 0, SEEK_SET), -ESPIPE);
	assert_int_equal(file_truncate(writer, 0), -EINVAL);
	assert_int_equal(file_getdents(reader, (uaddr_t)out, 100), -ENOTDIR);
	assert_int_equal(file_stat(reader, &st), 0);
	assert_int_equal(st.st_mode & S_IFMT, S_IFIFO);
	pipe_end();
}

static void test_memory(void **state)
{
	for (u64 n = 1;; n++) {
		int err;

		host_fail_nth(n);
		err = pipe_create(&reader, &writer);
		if (!host_failed) {
			host_fail_nth(0);
			assert_int_equal(err, 0);
			assert_true(n > 3);
			break;
		}
		host_fail_nth(0);
		assert_int_equal(err, -ENOMEM);
		host_audit(NULL, 0);
	}
	pipe_end();
}

static int boot(void **state)
{
	host_fs_boot(8UL << 20, 1);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random), cmocka_unit_test(test_killed), cmocka_unit_test(test_ends),
	    cmocka_unit_test(test_faults), cmocka_unit_test(test_misuse), cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
