/* SPDX-License-Identifier: MIT */
/* Here so that an #include of it compiles; user programs use nothing of it. */
#ifndef XV6_KERNEL_SLEEPLOCK_H
#define XV6_KERNEL_SLEEPLOCK_H

struct sleeplock;

#endif
