/* Addresses by their xv6 names; KERNBASE and above are for programs that try what they may not. */
#ifndef XV6_KERNEL_MEMLAYOUT_H
#define XV6_KERNEL_MEMLAYOUT_H

#define KERNBASE 0x80000000L
#define PHYSTOP (KERNBASE + 128 * 1024 * 1024)
#define TRAMPOLINE (MAXVA - PGSIZE)
#define TRAPFRAME (TRAMPOLINE - PGSIZE)

/* A read-only page. It lies where this kernel lets user memory be, which is below TRAPFRAME's page. */
#define USYSCALL 0x3fffff0000L

struct usyscall {
	int pid;
};

#endif
