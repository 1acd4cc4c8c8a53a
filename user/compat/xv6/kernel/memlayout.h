/* SPDX-License-Identifier: MIT */
/* Addresses by their xv6 names; KERNBASE and above are for programs that try what they may not. */
#ifndef XV6_KERNEL_MEMLAYOUT_H
#define XV6_KERNEL_MEMLAYOUT_H

#define UART0 0x10000000L
#define VIRTIO0 0x10001000L
#define PLIC 0x0c000000L

#define KERNBASE 0x80000000L
/*
 * PHYSTOP - KERNBASE is the memory that the kernel has, itself included: programs compare it with what they can get.
 * Of 128 MiB the firmware keeps 2, and the disk lies in them, too.
 */
#ifndef XV6_DISK_BYTES
#define XV6_DISK_BYTES 0
#endif
#define PHYSTOP (KERNBASE + 126 * 1024 * 1024 - XV6_DISK_BYTES)
#define TRAMPOLINE (MAXVA - PGSIZE)
#define TRAPFRAME (TRAMPOLINE - PGSIZE)

/* A read-only page. It lies where this kernel lets user memory be, which is below TRAPFRAME's page. */
#define USYSCALL 0x3fffff0000L

struct usyscall {
	int pid;
};

#endif
