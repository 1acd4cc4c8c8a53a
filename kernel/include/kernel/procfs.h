/* SPDX-License-Identifier: MIT */
/*
 * procfs: the /proc files. kernel/procfs/<file>.c has one subject. A file's text is built when it is read from its
 * start, so a program that keeps it open and seeks back to 0 sees the news.
 */
#ifndef KERNEL_PROCFS_H
#define KERNEL_PROCFS_H

struct superblock;
/* The file system, ready to be mounted. Registers its claims with the auditor. Once, at boot; NULL: no memory. */
struct superblock *procfs_create(void);

#endif
