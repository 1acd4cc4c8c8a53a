/* SPDX-License-Identifier: MIT */
/* wc [FILE...]: lines, words and bytes. */
#include "ulib.h"

static char buf[4096];

static int count(int fd, const char *name)
{
	long lines = 0, words = 0, bytes = 0;
	bool in_word = false;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		bytes += n;
		for (ssize_t i = 0; i < n; i++) {
			bool blank = buf[i] == ' ' || buf[i] == '\n' || buf[i] == '\t' || buf[i] == '\r';
			lines += buf[i] == '\n';
			words += !blank && !in_word;
			in_word = !blank;
		}
	}
	if (n < 0) {
		fprintf(2, "wc: %s: %s\n", name, error_text(n));
		return 1;
	}
	printf("%7ld %7ld %7ld %s\n", lines, words, bytes, name);
	return 0;
}

int main(int argc, char **argv)
{
	int failed = 0;

	if (argc == 1)
		return count(0, "");
	for (int i = 1; i < argc; i++) {
		int fd = open(argv[i], O_RDONLY);
		if (fd < 0) {
			fprintf(2, "wc: %s: %s\n", argv[i], error_text(fd));
			failed = 1;
			continue;
		}
		failed |= count(fd, argv[i]);
		close(fd);
	}
	return failed;
}
