/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own memory and string functions against the C library's, which stand in for them in all other
 * host tests: the source is compiled here once more, without the host switch and under other names.
 */
#include <host/host_test.h>
#include <string.h>

#undef PAGETRAIL_HOST
#define memset kernel_memset
#define memcpy kernel_memcpy
#define memmove kernel_memmove
#define memcmp kernel_memcmp
#define strlen kernel_strlen
#define strnlen kernel_strnlen
#define strcmp kernel_strcmp
#define strncmp kernel_strncmp
#define strchr kernel_strchr
#define str_copy kernel_str_copy
#define str_to_u64 kernel_str_to_u64
#define mem_fill_words kernel_mem_fill_words
#define mem_find_difference kernel_mem_find_difference
void *memset(void *dst, int byte, size_t size_bytes);
void *memcpy(void *dst, const void *src, size_t size_bytes);
void *memmove(void *dst, const void *src, size_t size_bytes);
int memcmp(const void *a, const void *b, size_t size_bytes);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max_bytes);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t max_bytes);
char *strchr(const char *s, int c);
size_t str_copy(char *dst, const char *src, size_t size_bytes);
bool str_to_u64(const char *s, u64 *value);
void mem_fill_words(void *ptr, u64 word, size_t size_bytes);
size_t mem_find_difference(const void *ptr, u64 word, size_t size_bytes);
#include "../../kernel/lib/string.c"
#undef memset
#undef memcpy
#undef memmove
#undef memcmp
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#define PAGETRAIL_HOST 1

#define BYTES 700

static u8 ours[BYTES], theirs[BYTES];

static int sign(int value)
{
	return (value > 0) - (value < 0);
}

static void move_once(void)
{
	size_t to = host_random_below(200), from = host_random_below(200);
	size_t n = host_random_below(host_random_below(4) ? 70 : 450);
	u8 copy[BYTES];
	int byte = (int)host_random_below(256);

	switch (host_random_below(4)) {
	case 0:
		assert_ptr_equal(kernel_memset(ours + to, byte, n), ours + to);
		memset(theirs + to, byte, n);
		break;
	case 1:
		memcpy(copy, theirs, BYTES);
		assert_ptr_equal(kernel_memcpy(ours + to, copy + from, n), ours + to);
		memcpy(theirs + to, copy + from, n);
		break;
	case 2:
		assert_ptr_equal(kernel_memmove(ours + to, ours + from, n), ours + to);
		memmove(theirs + to, theirs + from, n);
		break;
	default:
		assert_int_equal(sign(kernel_memcmp(ours + to, ours + from, n)),
				 sign(memcmp(ours + to, ours + from, n)));
	}
}

static void test_memory(void **state)
{
	host_random_start();
	for (int i = 0; i < 100000; i++) {
		if (i % 64 == 0)
			for (int k = 0; k < BYTES; k++)
				ours[k] = theirs[k] = (u8)host_random_below(i % 128 ? 256 : 2);
		move_once();
		if (i % 8 == 0)
			assert_memory_equal(ours, theirs, BYTES);
	}
}

static void test_strings(void **state)
{
	char a[12], b[12];

	host_random_start();
	for (int i = 0; i < 50000; i++) {
		for (size_t k = 0; k < sizeof(a); k++) {
			a[k] = (char)(host_random_below(3) ? 'a' + host_random_below(2)
							   : 0xff * host_random_below(2));
			b[k] = (char)(host_random_below(3) ? 'a' + host_random_below(2)
							   : 0xff * host_random_below(2));
		}
		a[11] = b[11] = 0;
		size_t n = host_random_below(14);
		assert_int_equal(kernel_strlen(a), strlen(a));
		assert_int_equal(kernel_strnlen(a, n), strnlen(a, n));
		assert_int_equal(sign(kernel_strcmp(a, b)), sign(strcmp(a, b)));
		assert_int_equal(sign(kernel_strncmp(a, b, n)), sign(strncmp(a, b, n)));
		assert_ptr_equal(kernel_strchr(a, 'b'), strchr(a, 'b'));
		assert_ptr_equal(kernel_strchr(a, 0), strchr(a, 0));
	}
}

static void test_copy_and_number(void **state)
{
	char buf[4] = "xxx";
	u64 value = 7;

	assert_int_equal(kernel_str_copy(buf, "hello", sizeof(buf)), 5);
	assert_string_equal(buf, "hel");
	assert_int_equal(kernel_str_copy(buf, "q", 0), 1);
	assert_string_equal(buf, "hel");
	assert_false(kernel_str_to_u64("", &value));
	assert_false(kernel_str_to_u64("0x", &value));
	assert_false(kernel_str_to_u64("12a", &value));
	assert_false(kernel_str_to_u64("-1", &value));
	assert_false(kernel_str_to_u64("18446744073709551616", &value));
	assert_false(kernel_str_to_u64("0x10000000000000000", &value));
	assert_int_equal(value, 7);
	assert_true(kernel_str_to_u64("18446744073709551615", &value) && value == UINT64_MAX);
	assert_true(kernel_str_to_u64("0xFfffFfffFfffFfff", &value) && value == UINT64_MAX);
	assert_true(kernel_str_to_u64("010", &value) && value == 10);
}

static void test_words(void **state)
{
	u64 words[32];

	kernel_mem_fill_words(words, 0x6b6b, sizeof(words));
	assert_int_equal(kernel_mem_find_difference(words, 0x6b6b, sizeof(words)), sizeof(words));
	for (size_t i = 0; i < 32; i++) {
		words[i] ^= 1UL << i;
		assert_int_equal(kernel_mem_find_difference(words, 0x6b6b, sizeof(words)), i * 8);
		words[i] ^= 1UL << i;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_memory),
	    cmocka_unit_test(test_strings),
	    cmocka_unit_test(test_copy_and_number),
	    cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
