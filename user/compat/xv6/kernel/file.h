/* SPDX-License-Identifier: MIT */
/* Device numbers for mknod; the rest of the file is the kernel's business. */
#ifndef XV6_KERNEL_FILE_H
#define XV6_KERNEL_FILE_H

#define CONSOLE 1 /* major number of the console */
#define STATS 2   /* major number of the statistics device */

struct file;

#endif
