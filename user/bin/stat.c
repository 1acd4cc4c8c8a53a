/* SPDX-License-Identifier: MIT */
/* stat PATH...: what the file system knows of a file. */
#include "ulib.h"

int main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++) {
		struct stat st;
		int err = stat(argv[i], &st);
		if (err < 0) {
			fprintf(2, "stat: %s: %s\n", argv[i], error_text(err));
			failed = 1;
			continue;
		}
		printf(
		    "%s: inode %lu mode 0x%x links %u size %lu blocks %lu device %lu rdev 0x%x mtime %lu\n",
		    argv[i], st.st_ino, st.st_mode, st.st_nlink, st.st_size, st.st_blocks, st.st_dev,
		    st.st_rdev, st.st_mtime);
	}
	return failed;
}
