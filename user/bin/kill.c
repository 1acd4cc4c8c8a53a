/* SPDX-License-Identifier: MIT */
/* kill PID... */
#include "ulib.h"

int main(int argc, char **argv)
{
	int failed = 0;

	if (argc < 2)
		die("usage: kill PID...");
	for (int i = 1; i < argc; i++) {
		int err = kill((int)parse_number(argv[i]));
		if (err < 0) {
			fprintf(2, "kill: %s: %s\n", argv[i], error_text(err));
			failed = 1;
		}
	}
	return failed;
}
