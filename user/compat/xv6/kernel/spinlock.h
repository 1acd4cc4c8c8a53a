/* SPDX-License-Identifier: MIT */
/* Here so that an #include of it compiles; user programs use nothing of it. */
#ifndef XV6_KERNEL_SPINLOCK_H
#define XV6_KERNEL_SPINLOCK_H

struct spinlock;

#endif
