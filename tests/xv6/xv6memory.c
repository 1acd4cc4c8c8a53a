/* SPDX-License-Identifier: MIT */
// Memory as xv6's programs count it, for tests/qemu: to the page, in this process and in a child, with files in the
// cache, with next to nothing left, and beside others that fork and take.
#include "kernel/types.h"

#include "kernel/fcntl.h"
#include "kernel/memlayout.h"
#include "kernel/riscv.h"
#include "kernel/stat.h"
#include "kernel/sysinfo.h"
#include "user/user.h"

#define MIB (1024 * 1024)

static int failures;

static void check(int good, char *what)
{
	if (!good) {
		failures++;
		printf("xv6memory: %s: FAILED\n", what);
	}
}

static int status_of(void (*child)(void))
{
	int status = 123, pid = fork();

	if (pid == 0) {
		child();
		exit(0);
	}
	check(pid > 0 && wait(&status) == pid, "fork and wait");
	return status;
}

static void give_back(char *to)
{
	sbrk(-(int)(sbrk(0) - to));
}

/* All pages that sbrk gives one by one; they are given back. */
static int count_pages(void)
{
	char *begin = sbrk(0);
	int nr = 0;

	while (sbrk(PGSIZE) != SBRK_ERROR)
		nr++;
	give_back(begin);
	return nr;
}

/* The same by a child, which tells each page through a pipe and dies with all of them. */
static int count_in_child(void)
{
	int fds[2], nr = 0;
	char c, *page;

	check(pipe(fds) == 0, "pipe");
	if (fork() == 0) {
		close(fds[0]);
		while ((page = sbrk(PGSIZE)) != SBRK_ERROR) {
			page[PGSIZE - 1] = 1;
			if (write(fds[1], "x", 1) != 1)
				exit(1);
		}
		exit(0);
	}
	close(fds[1]);
	while (read(fds[0], &c, 1) == 1)
		nr++;
	close(fds[0]);
	wait(0);
	return nr;
}

static void write_file(char *name, int bytes)
{
	static char text[PGSIZE];
	int fd = open(name, O_CREATE | O_RDWR);

	for (int done = 0; done < bytes; done += PGSIZE)
		check(write(fd, text, PGSIZE) == PGSIZE, "write");
	close(fd);
	fd = open(name, O_RDONLY);
	while (read(fd, text, sizeof(text)) > 0)
		;
	close(fd);
}

static void expect_pages(int expected, int now, char *what)
{
	if (now != expected)
		printf("%d pages, then %d\n", expected, now);
	check(now == expected, what);
}

static void counts(void)
{
	int first = count_pages(), in_child = count_in_child();

	check(first * (PGSIZE / 1024) > 100 * 1024, "100 MiB for the user");
	write_file("mfile", 200 * 1024);
	expect_pages(first, count_pages(), "the same pages with a file in the cache");
	write_file("mfile2", 200 * 1024);
	expect_pages(in_child, count_in_child(), "the same pages in a child");
	unlink("mfile");
	unlink("mfile2");
	expect_pages(first, count_pages(), "the same pages at the end");
}

/* With all but 128 pages taken, 128 come and go, also while the kernel writes back what is dirty, some seconds later. */
static void few_pages(void)
{
	int nr = count_pages(), now = 128, end;
	char *begin = sbrk((nr - 128) * PGSIZE);

	check(begin != SBRK_ERROR, "all but 128 pages");
	write_file("few", 20 * PGSIZE);
	for (end = uptime() + 70; now == 128 && uptime() < end;)
		now = count_pages();
	if (now != 128)
		printf("%d pages instead of 128\n", now);
	check(now == 128, "128 pages are left");
	unlink("few");
	give_back(begin);
}

static void take_all_for_ever(void)
{
	for (;;)
		count_pages();
}

/* One takes everything again and again while another forks. */
static void storm(void)
{
	int before = count_pages(), after, taker = fork(), pid;

	if (taker == 0)
		take_all_for_ever();
	for (int i = 0; i < 50; i++) {
		pid = fork();
		if (pid == 0) {
			sbrk(PGSIZE);
			exit(0);
		}
		if (pid > 0) /* else there was no memory: right, too */
			check(wait(0) == pid, "a short child");
	}
	kill(taker);
	check(wait(0) == taker, "the taker");
	after = count_pages();
	if (before != after)
		printf("%d pages before, %d after\n", before, after);
	check(before == after, "all pages are back after a storm");
}

static void information(void)
{
	struct sysinfo info;
	char *begin = sbrk(0);
	uint64 all = 0;

	while (sbrk(PGSIZE) != SBRK_ERROR)
		all += PGSIZE;
	check(sysinfo(&info) == 0 && info.freemem == 0, "no memory is free when all is taken");
	if (info.freemem)
		printf("%ld bytes are\n", info.freemem);
	give_back(begin);
	check(sysinfo(&info) == 0 && info.freemem == all, "what was given back is free");
	if (info.freemem != all)
		printf("%ld bytes are free, %ld came\n", info.freemem, all);
	sbrk(PGSIZE);
	sysinfo(&info);
	check(info.freemem == all - PGSIZE, "one page less");
	sbrk(-PGSIZE);
	sysinfo(&info);
	check(info.freemem == all, "and one more");
	exit(failures);
}

/* ---- the ends of the heap ---- */

static void heap_to_the_top(void)
{
	char *end = sbrk(0);

	while ((uint64)end < MAXVA - (1 << 30)) {
		if (sbrklazy(1 << 30) != end)
			exit(1);
		end = sbrk(0);
	}
	if (sbrklazy((int)(TRAPFRAME - PGSIZE - (uint64)end)) != end)
		exit(2);
	end = sbrk(PGSIZE);
	if (end != (char *)TRAPFRAME - PGSIZE)
		exit(3);
	end[0] = 1;
	if (end[1] != 0 || sbrk(1) != SBRK_ERROR || sbrklazy(1) != SBRK_ERROR)
		exit(4);
	end = malloc(100);
	exit(end == 0 ? 0 : 5);
}

static void write_above_heap(void)
{
	*(volatile char *)sbrk(0) = 1;
}

static void heap_below_zero(void)
{
	char *end = sbrk(0);

	exit(sbrk(-(int)(uint64)end - 1) == end && sbrk(0) == end && sbrk((int)0x80000004) == end ? 0 : 1);
}

/* Exits with 1 if it came back from what must kill it. */
static void store(uint64 address)
{
	int status = 0, pid = fork();

	if (pid == 0) {
		*(volatile char *)address = 99;
		exit(1);
	}
	wait(&status);
	if (status != -1)
		printf("a store to %p gave %d\n", (void *)address, status);
	check(status == -1, "a store that must kill");
}

static void addresses(void)
{
	for (uint64 address = MAXVA; address; address <<= 1)
		store(address);
	for (uint64 address = KERNBASE; address < KERNBASE + 2000000; address += 500000)
		store(address);
	store(0);
	store((uint64)store);
	store(PHYSTOP);
	store(TRAMPOLINE);
	store(TRAPFRAME);
	store(MAXVA - 1);
	store(-1UL);
	store(-1UL << 39);
}

static char *lazy;

static void lazy_pages(void)
{
	int fds[2];

	lazy = sbrklazy(64 * PGSIZE);
	check(pipe((int *)(lazy + 2 * PGSIZE - 4)) == 0, "results into pages that are not there yet");
	memmove(fds, lazy + 2 * PGSIZE - 4, sizeof(fds));
	check(write(fds[1], lazy + 10 * PGSIZE - 50, 100) == 100, "bytes out of such pages");
	check(read(fds[0], lazy + 20 * PGSIZE - 50, 100) == 100, "bytes into them");
	close(fds[0]);
	close(fds[1]);
	lazy[30 * PGSIZE - 1] = '/';
	fds[0] = open(lazy + 30 * PGSIZE - 1, O_RDONLY);
	check(fds[0] >= 0, "a name that ends in such a page");
	close(fds[0]);
	check(open(lazy + 40 * PGSIZE, O_RDONLY) == -1, "an empty name in such a page");
	check(sbrklazy(-64 * PGSIZE) == lazy + 64 * PGSIZE, "lazy pages are given back");
	check(status_of(write_above_heap) == -1, "what was given back is gone");
}

int main(int argc, char **argv)
{
	addresses();
	lazy_pages();
	check(status_of(heap_below_zero) == 0, "a heap that ends below 0");
	check(status_of(heap_to_the_top) == 0, "a heap up to the top");
	check(status_of(information) == 0, "what sysinfo says");
	counts();
	few_pages();
	storm();
	printf("xv6memory: %s\n", failures ? "FAILED" : "OK");
	exit(failures != 0);
}
