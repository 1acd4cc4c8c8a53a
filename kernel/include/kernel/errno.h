/* SPDX-License-Identifier: MIT */
/* Kernel errors are negative; the numbers are the user's (uapi/errno.h). */
#ifndef KERNEL_ERRNO_H
#define KERNEL_ERRNO_H

#include <uapi/errno.h>

/* A pointer or a negative errno in one word: the top 4095 values are errors. */
#define ERR_PTR(err) ((void *)(long)(err))
#define PTR_ERR(ptr) ((int)(long)(ptr))
#define IS_ERR(ptr) ((unsigned long)(ptr) >= (unsigned long)-4095L)

#endif
