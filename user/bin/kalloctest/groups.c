/* SPDX-License-Identifier: MIT */
/* kalloctest: the page allocator under many harts. */
#include "../usertests/tests.h"

extern const struct test tests_kalloc[];

const char test_program[] = "kalloctest";
const struct test *const test_groups[] = {tests_kalloc, NULL};
