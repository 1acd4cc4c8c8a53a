/* SPDX-License-Identifier: MIT */
/* usertests: the kernel's tests from the user's side, all of them. See run.c for its words. */
#include "tests.h"

const char test_program[] = "usertests";
const struct test *const test_groups[] = {
    tests_process,    tests_exec, tests_elf,      tests_pipe,
    tests_file,       tests_big,  tests_unlinked, tests_dir,
    tests_links,      tests_race, tests_sbrk,     tests_cow,
    tests_mmap,       tests_many, tests_fault,    tests_memory_out,
    tests_memory_cow, tests_bad,  tests_books,    tests_proc_pages,
    tests_canary,     NULL,
};
