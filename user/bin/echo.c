/* SPDX-License-Identifier: MIT */
/* echo [-n] [WORD...] */
#include "ulib.h"

int main(int argc, char **argv)
{
	static char line[ARG_MAX_BYTES + 2];
	bool newline = !(argc > 1 && strcmp(argv[1], "-n") == 0);
	int first = newline ? 1 : 2;
	size_t length = 0;

	for (int i = first; i < argc && length < sizeof(line) - 1; i++)
		length +=
		    (size_t)snprintf(line + length, sizeof(line) - length, i > first ? " %s" : "%s", argv[i]);
	length = MIN(length, sizeof(line) - 2);
	if (newline)
		line[length++] = '\n';
	return write_full(1, line, length) != (ssize_t)length;
}
