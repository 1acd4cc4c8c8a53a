/* SPDX-License-Identifier: MIT */
/* What sysinfo fills. */
#ifndef XV6_KERNEL_SYSINFO_H
#define XV6_KERNEL_SYSINFO_H

struct sysinfo {
	uint64 freemem; /* bytes */
	uint64 nproc;   /* processes, threads of the kernel included */
};

#endif
