/* SPDX-License-Identifier: MIT */
/* touch FILE...: makes files that are not there. */
#include "ulib.h"

int main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++) {
		int fd = open(argv[i], O_WRONLY | O_CREAT, 0644);
		if (fd < 0) {
			fprintf(2, "touch: %s: %s\n", argv[i], error_text(fd));
			failed = 1;
			continue;
		}
		close(fd);
	}
	return failed;
}
