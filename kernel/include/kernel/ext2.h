/* SPDX-License-Identifier: MIT */
/* ext2, for whoever mounts it. */
#ifndef KERNEL_EXT2_H
#define KERNEL_EXT2_H

#include <kernel/fs.h>

extern const struct fs_type ext2_type;

#endif
