/* SPDX-License-Identifier: MIT */
/* lazytest: memory that comes when it is touched: what usertests has of the heap, and more. */
#include "../usertests/tests.h"

extern const struct test tests_lazy[];

const char test_program[] = "lazytest";
const struct test *const test_groups[] = {tests_sbrk, tests_lazy, NULL};
