/* SPDX-License-Identifier: MIT */
/* cat [FILE...]: copies files, or the input, to the output. */
#include "ulib.h"

static char buf[4096];

static int copy(int fd, const char *name)
{
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		ssize_t written = write_full(1, buf, (size_t)n);
		if (written != n)
			die("cat: write: %s", error_text(written < 0 ? written : -ENOSPC));
	}
	if (n < 0)
		fprintf(2, "cat: %s: %s\n", name, error_text(n));
	return n < 0;
}

int main(int argc, char **argv)
{
	int failed = 0;

	if (argc == 1)
		return copy(0, "input");
	for (int i = 1; i < argc; i++) {
		int fd = open(argv[i], O_RDONLY);
		if (fd < 0) {
			fprintf(2, "cat: %s: %s\n", argv[i], error_text(fd));
			failed = 1;
			continue;
		}
		failed |= copy(fd, argv[i]);
		close(fd);
	}
	return failed;
}
