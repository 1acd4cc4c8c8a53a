/* SPDX-License-Identifier: MIT */
/* The personality of programs written for xv6 (kernel/xv6), for whoever registers it. */
#ifndef KERNEL_XV6_H
#define KERNEL_XV6_H

#include <kernel/abi.h>

extern const struct proc_abi xv6_abi;

#endif
