/* SPDX-License-Identifier: MIT */
/* What fstat and stat fill: kernel/xv6/files.c. */
#ifndef XV6_KERNEL_STAT_H
#define XV6_KERNEL_STAT_H

#define T_DIR 1
#define T_FILE 2
#define T_DEVICE 3
#define T_SYMLINK 4

struct stat {
	int dev;
	uint ino;
	short type; /* T_* */
	short nlink;
	uint64 size; /* bytes */
};

#endif
