/* SPDX-License-Identifier: MIT */
/* fill FILE BYTES [BLOCK]: writes a file of that many bytes of a pattern, in writes of BLOCK bytes (64K at most). */
#include "ulib.h"

static char buf[65536];

int main(int argc, char **argv)
{
	if (argc < 3)
		die("usage: fill FILE BYTES [BLOCK]");
	long left = parse_number(argv[2]);
	long block = argc > 3 ? parse_number(argv[3]) : 4096;
	long begin = uptime();
	if (block < 1 || block > (long)sizeof(buf))
		die("fill: a block has 1 to %lu bytes", sizeof(buf));
	int fd = creat(argv[1]);
	if (fd < 0)
		die("fill: %s: %s", argv[1], error_text(fd));
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (char)('a' + i % 26);
	for (long total = left; left > 0;) {
		ssize_t n = write(fd, buf, (size_t)MIN(block, left));
		if (n <= 0)
			die("fill: after %ld bytes: %s", total - left, error_text(n < 0 ? n : -ENOSPC));
		left -= n;
	}
	printf("fill: %s bytes in %ld ms\n", argv[2], uptime() - begin);
	return 0;
}
