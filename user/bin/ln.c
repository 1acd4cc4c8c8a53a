/* SPDX-License-Identifier: MIT */
/* ln [-s] FILE NAME: one more name for a file, or a symbolic link to it. */
#include "ulib.h"

int main(int argc, char **argv)
{
	bool symbolic = argc == 4 && strcmp(argv[1], "-s") == 0;

	if (argc != 3 && !symbolic)
		die("usage: ln [-s] FILE NAME");
	argv += symbolic;
	int err = symbolic ? symlink(argv[1], argv[2]) : link(argv[1], argv[2]);
	if (err < 0)
		die("ln: %s: %s", argv[2], error_text(err));
	return 0;
}
