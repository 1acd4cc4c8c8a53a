/* SPDX-License-Identifier: MIT */
/* cp FROM TO */
#include "ulib.h"

static char buf[4096];

int main(int argc, char **argv)
{
	ssize_t n;

	if (argc != 3)
		die("usage: cp FROM TO");
	int from = open(argv[1], O_RDONLY);
	if (from < 0)
		die("cp: %s: %s", argv[1], error_text(from));
	int to = creat(argv[2]);
	if (to < 0)
		die("cp: %s: %s", argv[2], error_text(to));
	while ((n = read(from, buf, sizeof(buf))) > 0) {
		ssize_t written = write_full(to, buf, (size_t)n);
		if (written != n)
			die("cp: %s: %s", argv[2], error_text(written < 0 ? written : -ENOSPC));
	}
	if (n < 0)
		die("cp: %s: %s", argv[1], error_text(n));
	return 0;
}
