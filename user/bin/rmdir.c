/* SPDX-License-Identifier: MIT */
/* rmdir DIRECTORY... */
#include "ulib.h"

int main(int argc, char **argv)
{
	int failed = 0;

	if (argc < 2)
		die("usage: rmdir DIRECTORY...");
	for (int i = 1; i < argc; i++) {
		int err = rmdir(argv[i]);
		if (err < 0) {
			fprintf(2, "rmdir: %s: %s\n", argv[i], error_text(err));
			failed = 1;
		}
	}
	return failed;
}
