/* SPDX-License-Identifier: MIT */
/* kvsnprintf against the C library's, conversion by conversion; cut texts; the growing text buffer; kprintf. */
#include <host/host_test.h>
#include <kernel/trace.h>
#include <stdio.h>
#include <string.h>

#define CHECK_FORMAT(...)                                                                                    \
	do {                                                                                                 \
		char ours_[64], theirs_[64];                                                                 \
		int n_ = ksnprintf(ours_, sizeof(ours_), __VA_ARGS__);                                       \
		assert_int_equal(n_, snprintf(theirs_, sizeof(theirs_), __VA_ARGS__));                       \
		assert_string_equal(ours_, theirs_);                                                         \
	} while (0)

static void test_conversions(void **state)
{
	CHECK_FORMAT("%d %5d %-5d| %05d %i", -3, 42, 7, -42, 0);
	CHECK_FORMAT("%u %x %X %08x", 3000000000U, 0xabcU, 0xabcU, 0x1234U);
	CHECK_FORMAT("%ld %lu %lx %zu", INT64_MIN, UINT64_MAX, 0x123456789abUL, (size_t)5);
	CHECK_FORMAT("%016lx|%-18lx|%18lx", 5UL, 5UL, 5UL);
	CHECK_FORMAT("%s|%10s|%-10s|%.3s|%.*s|%.0s|", "a", "b", "c", "defgh", 2, "xyz", "gone");
	CHECK_FORMAT("%*d|%-*d|%*d", 6, 5, 6, 5, -6, 5);
	CHECK_FORMAT("%c%c %%", 'x', 'y');
	CHECK_FORMAT("%d", INT32_MIN);
}

static void test_own_forms(void **state)
{
	char buf[64];

	ksnprintf(buf, sizeof(buf), "%p", (void *)0x80200000UL);
	assert_string_equal(buf, "0x0000000080200000");
	const char *volatile none = NULL; /* the compiler would object */
	ksnprintf(buf, sizeof(buf), "%s", none);
	assert_string_equal(buf, "(null)");
}

static void test_cut(void **state)
{
	char buf[8];

	memset(buf, '#', sizeof(buf));
	assert_int_equal(ksnprintf(buf, 4, "%s", "abcdef"), 6);
	assert_string_equal(buf, "abc");
	assert_int_equal(buf[4], '#');
	assert_int_equal(ksnprintf(NULL, 0, "%d", 12345), 5);
}

static void test_text(void **state)
{
	char buf[10];
	struct text text = {.buf = buf, .capacity_bytes = sizeof(buf)};

	text_printf(&text, "%s", "1234");
	text_printf(&text, "%s", "5678");
	assert_string_equal(buf, "12345678");
	text_printf(&text, "%s", "9abc");
	assert_int_equal(text.length_bytes, 12);
	assert_string_equal(buf, "123456789");
	text_printf(&text, "%s", "more");
	assert_int_equal(text.length_bytes, 16);
	assert_string_equal(buf, "123456789");
}

static void test_kprintf(void **state)
{
	char longer[1500];

	host_boot_trace(8 << 20, trace_memory_wanted(8 << 20, 1), 1);
	host_log_clear();
	kprintf("%s %d\n", "one", 1);
	assert_string_equal(host_log, "one 1\n");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	host_log_clear();
	kprintf("%s", longer);
	assert_int_equal(strlen(host_log), 1023);
	assert_string_equal(host_log + 1023 - 4, "...\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_conversions), cmocka_unit_test(test_own_forms), cmocka_unit_test(test_cut),
	    cmocka_unit_test(test_text),        cmocka_unit_test(test_kprintf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
