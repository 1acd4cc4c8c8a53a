/* SPDX-License-Identifier: MIT */
/*
 * Numbers of the system calls: SYSCALL(name, number), for the kernel's table and the user's stubs.
 */
SYSCALL(fork, 1)
SYSCALL(exit, 2)
SYSCALL(wait, 3)
SYSCALL(exec, 4)
SYSCALL(sbrk, 5)
SYSCALL(getpid, 6)
SYSCALL(yield, 7)
SYSCALL(pause, 8)
SYSCALL(kill, 9)
SYSCALL(pipe, 10)
SYSCALL(read, 11)
SYSCALL(write, 12)
SYSCALL(close, 13)
SYSCALL(mmap, 14)
SYSCALL(munmap, 15)
SYSCALL(freepages, 16)
SYSCALL(processes, 17)
SYSCALL(arm, 18)
SYSCALL(poweroff, 19)
