/* SPDX-License-Identifier: MIT */
/* hexdump [FILE]: bytes as numbers and as text, sixteen in a line. */
#include "ulib.h"

int main(int argc, char **argv)
{
	unsigned char bytes[16];
	unsigned long offset = 0;
	ssize_t n;

	int fd = argc > 1 ? open(argv[1], O_RDONLY) : 0;
	if (fd < 0)
		die("hexdump: %s: %s", argv[1], error_text(fd));
	while ((n = read_full(fd, bytes, sizeof(bytes))) > 0) {
		char text[17] = "", line[80];
		int length = snprintf(line, sizeof(line), "%08lx ", offset);
		for (ssize_t i = 0; i < 16; i++) {
			if (i < n)
				length +=
				    snprintf(line + length, sizeof(line) - (size_t)length, " %02x", bytes[i]);
			else
				length += snprintf(line + length, sizeof(line) - (size_t)length, "   ");
			if (i < n)
				text[i] = bytes[i] >= ' ' && bytes[i] < 127 ? (char)bytes[i] : '.';
		}
		printf("%s  |%s|\n", line, text);
		offset += (unsigned long)n;
	}
	if (n < 0)
		die("hexdump: %s", error_text(n));
	return 0;
}
