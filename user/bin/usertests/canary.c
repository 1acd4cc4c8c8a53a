/* SPDX-License-Identifier: MIT */
/* Tests that must fail, each in another way: they show that usertests can. They run only when they are named. */
#include "tests.h"

static void test_fails(void)
{
	FAIL("as it should");
}

static void test_dies(void)
{
	*(volatile char *)bad_addresses[1] = 1;
}

static void test_loses_page(void)
{
	CHECK_EQ(kdebug(KDEBUG_LEAK_PAGES, 1), 1);
}

static void test_loses_object(void)
{
	CHECK_EQ(kdebug(KDEBUG_LEAK_OBJECTS, 1), 1);
}

static void test_loses_blocks(void)
{
	/* Outside its directory, where nobody cleans up. */
	make_file("/tmp/canary", 10000, 1);
}

const struct test tests_canary[] = {
    {"canary-fails", test_fails, TEST_CANARY, "a check that does not hold"},
    {"canary-dies", test_dies, TEST_CANARY, "killed by the kernel"},
    {"canary-page", test_loses_page, TEST_CANARY, "one page is lost"},
    {"canary-object", test_loses_object, TEST_CANARY, "one object is lost"},
    {"canary-disk", test_loses_blocks, TEST_CANARY, "a file is left behind"},
    {NULL, NULL, 0, NULL},
};
