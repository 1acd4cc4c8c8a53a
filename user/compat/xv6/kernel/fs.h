/* SPDX-License-Identifier: MIT */
/* File system limits as programs written for xv6-riscv take them; the disk itself is ext2. */
#ifndef XV6_KERNEL_FS_H
#define XV6_KERNEL_FS_H

#define ROOTINO 1
#define BSIZE 1024
#define NINDIRECT (BSIZE / sizeof(uint))
/* MAXFILE: in blocks of BSIZE; enforced by the personality. */
#ifdef LAB_FS
#define NDIRECT 11
#define MAXFILE (NDIRECT + NINDIRECT + NINDIRECT * NINDIRECT)
#else
#define NDIRECT 12
#define MAXFILE (NDIRECT + NINDIRECT)
#endif
#define DIRSIZ 14

/* What read gives of a directory: 16 bytes an entry; inum 0 is an empty slot, name has no 0 when it is full. */
struct dirent {
	ushort inum;
	char name[DIRSIZ];
};

#endif
