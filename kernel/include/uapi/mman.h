/* SPDX-License-Identifier: MIT */
/* mmap and munmap. Values are Linux's. */
#ifndef UAPI_MMAN_H
#define UAPI_MMAN_H

#define PROT_NONE 0
#define PROT_READ 1
#define PROT_WRITE 2
#define PROT_EXEC 4

#define MAP_SHARED 1
#define MAP_PRIVATE 2
#define MAP_FIXED 0x10
#define MAP_ANONYMOUS 0x20

#endif
