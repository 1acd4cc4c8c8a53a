/* SPDX-License-Identifier: MIT */
/* mmaptest: mappings: what usertests has of them, and more. */
#include "../usertests/tests.h"

extern const struct test tests_mmap_more[], tests_shared[], tests_file_changes[];

const char test_program[] = "mmaptest";
const struct test *const test_groups[] = {tests_mmap, tests_mmap_more, tests_shared, tests_file_changes,
					  NULL};
