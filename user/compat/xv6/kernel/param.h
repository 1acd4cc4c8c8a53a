/* SPDX-License-Identifier: MIT */
/* Limits by their xv6 names. What this kernel really allows may be more; never less. */
#ifndef XV6_KERNEL_PARAM_H
#define XV6_KERNEL_PARAM_H

#define NPROC 64
#define NCPU 8
#define NOFILE 16
#define NFILE 100
#define NINODE 50
#define NDEV 10
#define ROOTDEV 1
#define MAXARG 32
#define MAXOPBLOCKS 10
#define LOGBLOCKS (MAXOPBLOCKS * 3)
#define LOGSIZE LOGBLOCKS
#define NBUF (MAXOPBLOCKS * 3)
#define FSSIZE 2000
#define MAXPATH 128
#define USERSTACK 1

#endif
