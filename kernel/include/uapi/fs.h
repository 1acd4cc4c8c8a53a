/* SPDX-License-Identifier: MIT */
/* Files as the user sees them. Values are Linux's (asm-generic) unless said otherwise. */
#ifndef UAPI_FS_H
#define UAPI_FS_H

#include <stdint.h>

#define O_RDONLY 0
#define O_WRONLY 1
#define O_RDWR 2
#define O_ACCMODE 3
#define O_CREAT 0x40
#define O_EXCL 0x80
#define O_TRUNC 0x200
#define O_APPEND 0x400
#define O_DIRECTORY 0x10000
#define O_NOFOLLOW 0x20000

#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2

#define S_IFMT 0170000
#define S_IFIFO 0010000
#define S_IFCHR 0020000
#define S_IFDIR 0040000
#define S_IFBLK 0060000
#define S_IFREG 0100000
#define S_IFLNK 0120000

#define NAME_MAX 255
#define PATH_MAX 1024
#define NOFILE 32          /* open files of a process */
#define ARG_MAX_BYTES 8192 /* of exec, strings and pointers */
#define ARG_MAX_COUNT 64

struct stat {
	uint64_t st_dev;
	uint64_t st_ino;
	uint32_t st_mode;
	uint32_t st_nlink;
	uint32_t st_rdev;
	uint32_t st_blksize;
	uint64_t st_size;
	uint64_t st_blocks; /* 512 bytes each */
	uint64_t st_mtime;
};

struct statfs {
	uint64_t f_blocks, f_bfree; /* of f_bsize bytes */
	uint64_t f_files, f_ffree;
	uint32_t f_bsize;
	uint32_t f_type;
};

#define DT_UNKNOWN 0
#define DT_FIFO 1
#define DT_CHR 2
#define DT_DIR 4
#define DT_REG 8
#define DT_LNK 10

struct dirent { /* variable length, 8-byte aligned */
	uint64_t d_ino;
	uint64_t d_off;
	uint16_t d_reclen;
	uint8_t d_type;
	char d_name[];
};

#endif
