/* SPDX-License-Identifier: MIT */
/* guest_tests: see guest_tests.h. */
#include "guest_tests.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"

#define CONSOLE_LOG "logs/console.log"
#define CONSOLE_BYTES_MAX (256ULL << 20)

/*
 * What test programs print: `ALL TESTS PASSED`, `mmaptest: all tests succeeded`; `test copyin: FAILED`, `FAILED -- lost some free
 * pages`, `mmaptest: mmap_test failed: munmap, pid=3`; and a panic, which may come behind the name of a test.
 */
static const char passed_default[] = "ALL ([A-Z]+ )*TESTS PASSED|all ([a-z]+ )*tests (passed|succeeded)";
static const char failed_default[] = "(^|[^[:alnum:]_])FAIL(ED|URE|S)?([^[:alnum:]_]|$)|(^|[ ])panic: |"
				     "^Kernel panic|^[a-z_]+tests?: [^,]* failed: |^[a-z_]+tests? failure: ";

const char *guest_tests_text(enum guest_tests_end end)
{
	static const char *const texts[GUEST_TESTS_ENDS] = {[GUEST_TESTS_UNKNOWN] = "not known",
							    [GUEST_TESTS_PASSED] = "passed",
							    [GUEST_TESTS_FAILED] = "failed"};

	return texts[end];
}

void guest_tests_patterns_make(struct guest_tests_patterns *patterns, const char *passed, const char *failed)
{
	pattern_compile(&patterns->passed, passed ? passed : passed_default, "passed", 0);
	pattern_compile(&patterns->failed, failed ? failed : failed_default, "failed", 0);
}

void guest_tests_patterns_free(struct guest_tests_patterns *patterns)
{
	regfree(&patterns->passed);
	regfree(&patterns->failed);
}

static void decide(struct guest_tests *tests, enum guest_tests_end end, const char *line)
{
	free(tests->line);
	*tests = (struct guest_tests){.end = end, .line = xstrdup(line)};
}

void guest_tests_line(struct guest_tests *tests, const struct guest_tests_patterns *patterns,
		      const char *line)
{
	if (tests->end == GUEST_TESTS_FAILED)
		return;
	if (!regexec(&patterns->failed, line, 0, NULL, 0))
		decide(tests, GUEST_TESTS_FAILED, line);
	else if (!regexec(&patterns->passed, line, 0, NULL, 0))
		decide(tests, GUEST_TESTS_PASSED, line);
}

/* A file's bytes, each 0 in it a newline: a console may say anything. NULL: it cannot be read. */
static char *text_of(const char *path)
{
	const char *fault;
	size_t bytes;
	char *text = file_read_regular(path, CONSOLE_BYTES_MAX, &bytes, &fault);

	for (size_t i = 0; text && i < bytes; i++)
		text[i] = text[i] ? text[i] : '\n';
	return text;
}

bool guest_tests_console(struct guest_tests *tests, const struct guest_tests_patterns *patterns,
			 const char *run)
{
	char *path = xasprintf("%s/" CONSOLE_LOG, run), *text = text_of(path), *rest = text, *line;
	bool any = text && *text;

	while (text && (line = strsep(&rest, "\r\n"))) {
		if (!*line)
			continue;
		char *words = words_text(line);
		guest_tests_line(tests, patterns, words);
		free(words);
	}
	free(text);
	free(path);
	return any;
}

void guest_tests_doubt(struct guest_tests *tests)
{
	if (tests->end != GUEST_TESTS_PASSED)
		return;
	guest_tests_free(tests);
}

void guest_tests_free(struct guest_tests *tests)
{
	free(tests->line);
	*tests = (struct guest_tests){0};
}

char *file_last_line(const char *path)
{
	char *text = text_of(path), *line = text ? last_line_text(text) : NULL;

	free(text);
	return line;
}

char *console_last_line(const char *run)
{
	char *path = xasprintf("%s/" CONSOLE_LOG, run), *line = file_last_line(path);

	free(path);
	return line;
}
