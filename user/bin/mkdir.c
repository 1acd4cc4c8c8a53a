/* SPDX-License-Identifier: MIT */
/* mkdir DIRECTORY... */
#include "ulib.h"

int main(int argc, char **argv)
{
	int failed = 0;

	if (argc < 2)
		die("usage: mkdir DIRECTORY...");
	for (int i = 1; i < argc; i++) {
		int err = mkdir(argv[i]);
		if (err < 0) {
			fprintf(2, "mkdir: %s: %s\n", argv[i], error_text(err));
			failed = 1;
		}
	}
	return failed;
}
