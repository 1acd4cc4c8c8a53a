/* SPDX-License-Identifier: MIT */
/*
 * grep [-v] [-c] PATTERN [FILE...]: lines that contain the pattern. In a pattern `.` is any character, `*` repeats
 * the one before it, `^` and `$` are the line's ends. Status 0 when a line was found, 1 when none, 2 on errors.
 */
#include "ulib.h"

static bool invert, only_count;

static bool matches_here(const char *pattern, const char *text);

/* `one*` followed by the rest of the pattern, at this place. */
static bool matches_repeat(char one, const char *rest, const char *text)
{
	for (;;) {
		if (matches_here(rest, text))
			return true;
		if (!*text || (one != '.' && *text != one))
			return false;
		text++;
	}
}

static bool matches_here(const char *pattern, const char *text)
{
	for (; *pattern; pattern++, text++) {
		if (pattern[1] == '*')
			return matches_repeat(pattern[0], pattern + 2, text);
		if (pattern[0] == '$' && !pattern[1])
			return !*text;
		if (!*text || (*pattern != '.' && *pattern != *text))
			return false;
	}
	return true;
}

static bool matches(const char *pattern, const char *line)
{
	if (*pattern == '^')
		return matches_here(pattern + 1, line);
	do
		if (matches_here(pattern, line))
			return true;
	while (*line++);
	return false;
}

static long search(const char *pattern, int fd, const char *name, bool with_name)
{
	static char line[1024];
	static struct line_reader reader;
	long found = 0;

	reader = (struct line_reader){.fd = fd};
	while (line_read(&reader, line, sizeof(line)) >= 0) {
		if (matches(pattern, line) == invert)
			continue;
		found++;
		if (!only_count)
			printf("%s%s%s\n", with_name ? name : "", with_name ? ":" : "", line);
	}
	if (only_count)
		printf("%ld\n", found);
	return found;
}

int main(int argc, char **argv)
{
	int i = 1, failed = 0;
	long found = 0;

	for (; i < argc && argv[i][0] == '-'; i++) {
		invert |= strcmp(argv[i], "-v") == 0;
		only_count |= strcmp(argv[i], "-c") == 0;
	}
	if (i >= argc)
		die("usage: grep [-v] [-c] PATTERN [FILE...]");
	const char *pattern = argv[i++];
	if (i == argc)
		found = search(pattern, 0, "", false);
	for (bool several = argc - i > 1; i < argc; i++) {
		int fd = open(argv[i], O_RDONLY);
		if (fd < 0) {
			fprintf(2, "grep: %s: %s\n", argv[i], error_text(fd));
			failed = 1;
			continue;
		}
		found += search(pattern, fd, argv[i], several);
		close(fd);
	}
	return failed ? 2 : found == 0;
}
