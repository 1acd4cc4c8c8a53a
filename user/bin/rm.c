/* SPDX-License-Identifier: MIT */
/* rm FILE... */
#include "ulib.h"

int main(int argc, char **argv)
{
	int failed = 0;

	if (argc < 2)
		die("usage: rm FILE...");
	for (int i = 1; i < argc; i++) {
		int err = unlink(argv[i]);
		if (err < 0) {
			fprintf(2, "rm: %s: %s\n", argv[i], error_text(err));
			failed = 1;
		}
	}
	return failed;
}
