/* SPDX-License-Identifier: MIT */
#ifndef XV6_KERNEL_VM_H
#define XV6_KERNEL_VM_H

/* Second argument of sys_sbrk. */
#define SBRK_EAGER 1
#define SBRK_LAZY 2

#endif
