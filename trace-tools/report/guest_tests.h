/* SPDX-License-Identifier: MIT */
/*
 * guest_tests: did the guest's own tests pass? By what its console said, and by nothing else.
 *
 * A teacher grades two things: whether memory leaked, which is measured, and whether the tests passed, which is what the guest says of
 * itself. The console of a run is RUN/logs/console.log:
 *
 *     test sbrkmuch: OK                      nothing yet
 *     test copyout: FAILED                   failed, and that is the line
 *     ALL TESTS PASSED                       passed, unless another line failed
 *
 * TESTS-1  a line of a failure counts more than any number of lines that passed; the first such line is kept.
 * TESTS-2  where neither was said, or where the machine was ended before its time, it is not known whether they passed.
 */
#ifndef TOOLS_REPORT_GUEST_TESTS_H
#define TOOLS_REPORT_GUEST_TESTS_H

#include <regex.h>
#include <stdbool.h>

enum guest_tests_end { GUEST_TESTS_UNKNOWN, GUEST_TESTS_PASSED, GUEST_TESTS_FAILED, GUEST_TESTS_ENDS };
/* "not known", "passed", "failed" */
const char *guest_tests_text(enum guest_tests_end end);

/* What lines are looked for. */
struct guest_tests_patterns {
	regex_t passed, failed;
};
/* NULL: what the test programs of xv6 and of Pagetrail's own kernel print. Dies, with the option's name, where one is no pattern. */
void guest_tests_patterns_make(struct guest_tests_patterns *patterns, const char *passed, const char *failed);
void guest_tests_patterns_free(struct guest_tests_patterns *patterns);

struct guest_tests {
	enum guest_tests_end end;
	char *line; /* that says so, as its words; NULL: none does */
};
/* Adds what one line of a console says. */
void guest_tests_line(struct guest_tests *tests, const struct guest_tests_patterns *patterns,
		      const char *line);
/* Adds what the console of the run in this folder says; false: it has said nothing at all. */
bool guest_tests_console(struct guest_tests *tests, const struct guest_tests_patterns *patterns,
			 const char *run);
/* The machine was ended before its time, or one was not seen: that none failed is no longer known. */
void guest_tests_doubt(struct guest_tests *tests);
void guest_tests_free(struct guest_tests *tests);

/* The last line of RUN/logs/console.log or of another file that is not blank, as its words; NULL: there is none. Caller frees. */
char *console_last_line(const char *run);
char *file_last_line(const char *path);

#endif
