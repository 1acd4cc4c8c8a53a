/* ln FILE NAME: one more name for a file. */
#include "ulib.h"

int main(int argc, char **argv)
{
	if (argc != 3)
		die("usage: ln FILE NAME");
	int err = link(argv[1], argv[2]);
	if (err < 0)
		die("ln: %s: %s", argv[2], error_text(err));
	return 0;
}
