/* SPDX-License-Identifier: MIT */
/* sync: writes everything that is dirty back to the disk. */
#include "ulib.h"

int main(void)
{
	int err = sync();
	if (err < 0)
		die("sync: %s", error_text(err));
	return 0;
}
