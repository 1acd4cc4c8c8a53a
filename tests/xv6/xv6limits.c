/* SPDX-License-Identifier: MIT */
// What a lab changes for all programs of a disk, for tests/qemu: the size of a file, and whether sbrk gives memory at
// once. Built without LAB and with LAB="fs lazy".
#include "kernel/types.h"

#include "kernel/fcntl.h"
#include "kernel/fs.h"
#include "kernel/memlayout.h"
#include "kernel/riscv.h"
#include "user/user.h"

#define GIB (1 << 30)
#define BLOCKS 65803 /* of LAB=fs */

static int failures;

static void check(int good, char *what)
{
	if (!good) {
		failures++;
		printf("xv6limits: %s: FAILED\n", what);
	}
}

static void largest_file(void)
{
	char block[BSIZE];
	int fd = open("largest", O_CREATE | O_RDWR), blocks = 0, read_back = 0;

	for (; write(fd, block, BSIZE) == BSIZE; blocks++)
		*(int *)block = blocks + 1;
	close(fd);
#ifdef LAB_FS
	check(MAXFILE == BLOCKS, "MAXFILE");
#else
	check(MAXFILE == 268, "MAXFILE");
#endif
	check(blocks == MAXFILE, "as many blocks as a file may have");
	fd = open("largest", O_RDONLY);
	for (; read(fd, block, BSIZE) == BSIZE; read_back++)
		check(read_back == 0 || *(int *)block == read_back, "a block's content");
	check(read_back == blocks, "all blocks are read");
	close(fd);
	check(unlink("largest") == 0, "unlink");
}

/* 0: memory came with sbrk, or sbrk refused; killed: it comes when it is touched. */
static void too_much(void)
{
	char *begin = sbrk(GIB);

	for (char *page = begin; begin != SBRK_ERROR && page < begin + GIB; page += PGSIZE)
		*page = 1;
	exit(begin != SBRK_ERROR);
}

/* Likewise: one word of each block is touched. */
static void too_many_blocks(void)
{
	char *block;

	while ((block = malloc(4096 * 4096)) != 0)
		*block = 1;
	exit(0);
}

static int status_of(void (*child)(void))
{
	int status = 123, pid = fork();

	if (pid == 0)
		child();
	check(wait(&status) == pid, "wait");
	return status;
}

#ifndef LAB_LAZY
/* Kernel, page structures, trace and the few processes in 1000 pages: the rest is to be had. */
static void most_memory(void)
{
	int nr = 0;

	while (sbrk(PGSIZE) != SBRK_ERROR)
		nr++;
	printf("%d pages of %d\n", nr, (int)((PHYSTOP - KERNBASE) / PGSIZE));
	exit((PHYSTOP - KERNBASE) / PGSIZE - nr > 1000);
}
#endif

#ifdef LAB_LOCK
/* With more than half of memory in use there is none for a copy: fork says so, and nobody is killed later. */
static void fork_of_most_memory(void)
{
	int pages = (PHYSTOP - KERNBASE) / PGSIZE * 6 / 10, pid;

	if (sbrk(pages * PGSIZE) == SBRK_ERROR)
		exit(1);
	pid = fork();
	if (pid == 0)
		exit(0);
	exit(pid == -1 ? 7 : 2);
}
#endif

int main(int argc, char **argv)
{
#ifdef LAB_LOCK
	check(status_of(fork_of_most_memory) == 7, "a fork that finds no memory for its copy");
#endif
#ifdef LAB_LAZY
	int expected = -1;
	char *begin = sbrk(GIB);

	check(begin != SBRK_ERROR, "a GiB");
	for (char *page = begin; page < begin + GIB; page += 512 * PGSIZE)
		*(char **)page = page;
	for (char *page = begin; page < begin + GIB; page += 512 * PGSIZE)
		check(*(char **)page == page, "a page of it");
	sbrk(-GIB);
#else
	int expected = 0;

	check(status_of(most_memory) == 0, "nearly all memory");
#endif
	check(status_of(too_much) == expected, "more than there is");
	check(status_of(too_many_blocks) == expected, "more blocks than there are");
	largest_file();
	printf("xv6limits: %s\n", failures ? "FAILED" : "OK");
	exit(failures != 0);
}
