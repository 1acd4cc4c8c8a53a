/* SPDX-License-Identifier: MIT */
/* cowtest: copy on write: what usertests has of it, and more. */
#include "../usertests/tests.h"

extern const struct test tests_cow_more[];

const char test_program[] = "cowtest";
const struct test *const test_groups[] = {tests_cow, tests_memory_cow, tests_cow_more, NULL};
