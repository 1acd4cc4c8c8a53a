/* SPDX-License-Identifier: MIT */
// A program in the manner of xv6's, for tests/qemu: checks what the personality promises.
#include "kernel/types.h"

#include "kernel/fcntl.h"
#include "kernel/fs.h"
#include "kernel/memlayout.h"
#include "kernel/param.h"
#include "kernel/riscv.h"
#include "kernel/stat.h"
#include "user/user.h"

static char buf[BSIZE];
static int failures;

static void check(int good, char *what)
{
	if (!good) {
		failures++;
		printf("xv6check: %s: FAILED\n", what);
	}
}

static void long_names(void)
{
	int fd = open("123456789012345", O_CREATE | O_RDWR);

	check(fd >= 0, "create a name of 15");
	close(fd);
	fd = open("12345678901234", O_RDONLY);
	check(fd >= 0, "found under its first 14");
	close(fd);
	check(unlink("12345678901234xyz") == 0, "unlinked by a longer name");
	memset(buf, 'a', MAXPATH);
	buf[MAXPATH] = 0;
	check(open(buf, O_RDONLY) == -1, "a path of 128");
}

static void directories(void)
{
	struct dirent entry;
	struct stat st;
	int fd, found = 0;

	check(mkdir("xdir") == 0, "mkdir");
	fd = open("xdir/file", O_CREATE | O_WRONLY);
	check(write(fd, "hello", 5) == 5, "write");
	close(fd);
	fd = open("xdir", O_RDONLY);
	check(fstat(fd, &st) == 0 && st.type == T_DIR, "a directory's type");
	while (read(fd, &entry, sizeof(entry)) == sizeof(entry))
		found += entry.inum != 0 && strcmp(entry.name, "file") == 0;
	close(fd);
	check(found == 1, "records of a directory");
	check(stat("xdir/file", &st) == 0 && st.type == T_FILE && st.size == 5 && st.nlink == 1, "stat");
	check(unlink("xdir") == -1, "unlink of a directory in use");
	check(unlink("xdir/file") == 0 && unlink("xdir") == 0, "unlink of an empty directory");
}

static void largest_file(void)
{
	int fd = open("big", O_CREATE | O_RDWR);
	int blocks = 0;

	while (write(fd, buf, BSIZE) == BSIZE)
		blocks++;
	check(blocks == MAXFILE, "the largest file");
	close(fd);
	fd = open("big", O_RDWR | O_TRUNC);
	check(read(fd, buf, 1) == 0, "O_TRUNC");
	close(fd);
	unlink("big");
}

/* What is told to have failed has still written what it could. */
static void write_across_the_end_of_memory(void)
{
	char *end = (char *)PGROUNDUP((uint64)sbrk(0));
	int fd = open("partial", O_CREATE | O_RDWR);
	char c = 0;

	sbrk((int)(end - sbrk(0)));
	end = sbrk(PGSIZE) + PGSIZE;
	check(write(fd, "A", 1) == 1, "write of a byte");
	close(fd);
	fd = open("partial", O_RDWR);
	end[-1] = 'X';
	check(write(fd, end - 1, 2) == -1, "the second byte cannot be read");
	close(fd);
	fd = open("partial", O_RDONLY);
	check(read(fd, &c, 1) == 1 && c == 'X', "the first byte was written");
	check(read(fd, end - 1, 0) == 0 && read(fd, end, 1) <= 0, "read of nothing");
	close(fd);
	check(unlink("partial") == 0, "unlink");
	sbrk(-PGSIZE);
}

/* Two write through one descriptor: nothing is lost, and no write is refused. */
static void shared_descriptor(void)
{
	int fd = open("shared", O_CREATE | O_RDWR), pid = fork(), status = 0, counts[2] = {0, 0}, n;

	memset(buf, pid == 0 ? 'c' : 'p', 10);
	for (int i = 0; i < 1000; i++)
		check(write(fd, buf, 10) == 10, "write by two");
	if (pid == 0)
		exit(failures);
	check(wait(&status) == pid && status == 0, "the other writer");
	close(fd);
	fd = open("shared", O_RDONLY);
	while ((n = read(fd, buf, 10)) > 0)
		for (int i = 0; i < n; i++)
			counts[buf[i] == 'c'] += buf[i] == 'c' || buf[i] == 'p';
	check(counts[0] == 10000 && counts[1] == 10000, "the bytes of two writers");
	close(fd);
	unlink("shared");
}

/* Files of the largest size until there is no block, then names until there is no room for one, then no inode. */
static void full_disk(void)
{
	char name[] = "big0";
	int fd, blocks = 0, full = 0;

	for (; !full && name[3] < 0x7f; name[3]++) {
		fd = open(name, O_CREATE | O_RDWR | O_TRUNC);
		for (int i = 0; !full && fd >= 0 && i < MAXFILE; i++, blocks++)
			full = write(fd, buf, BSIZE) != BSIZE;
		close(fd);
	}
	check(full && blocks > 100, "the disk becomes full");
	check(mkdir("fulldir") == -1, "no directory on a full disk");
	for (name[3] = '0'; name[3] < 0x7f; name[3]++)
		unlink(name);
	check(mkdir("fulldir") == 0 && unlink("fulldir") == 0, "room again");
}

static void no_inodes(void)
{
	char name[] = "zz00";
	int made = 0, removed = 0, fd = 0;

	for (int i = 0; i < 1024 && fd >= 0; i++) {
		name[2] = '0' + i / 32;
		name[3] = '0' + i % 32;
		fd = open(name, O_CREATE | O_RDWR | O_TRUNC);
		close(fd);
		made += fd >= 0;
	}
	check(made > 100 && fd == -1, "inodes come to an end");
	for (int i = 0; i < made; i++) {
		name[2] = '0' + i / 32;
		name[3] = '0' + i % 32;
		removed += unlink(name) == 0;
	}
	check(removed == made, "all are removed");
}

static void printed(char *expected, int fd)
{
	int length = strlen(expected), n = 0, part;

	while (n < length && (part = read(fd, buf + n, length - n)) > 0)
		n += part;
	buf[n] = 0;
	check(strcmp(buf, expected) == 0, expected);
}

static void formats(void)
{
	int fds[2];

	check(pipe(fds) == 0, "pipe");
	fprintf(fds[1], "%d %d %u %x|", -5, (int)0x80000000, 4000000000U, 0xabcU);
	printed("-5 -2147483648 4000000000 ABC|", fds[0]);
	fprintf(fds[1], "%ld %lu %lx %lld|%l|", -5L, -1UL, 0xfedcba9876543210UL, 1LL << 40, 77L);
	printed("-5 18446744073709551615 FEDCBA9876543210 1099511627776|77|", fds[0]);
	fprintf(fds[1], "%p %s %s %c%%%q|", (void *)0xbeef, "text", (char *)0, 'c');
	printed("0x000000000000BEEF text (null) c%%q|", fds[0]);
	memset(buf, 'l', 700);
	buf[700] = 0;
	fprintf(fds[1], "%s|%d", buf, 1);
	check(read(fds[0], buf, BSIZE) == 702 && buf[699] == 'l' && buf[700] == '|' && buf[701] == '1',
	      "a long text");
	close(fds[0]);
	close(fds[1]);
}

static int status_of(void (*child)(void))
{
	int status = 123, pid = fork();

	if (pid == 0) {
		child();
		exit(0);
	}
	check(wait(&status) == pid, "wait");
	return status;
}

static void below_stack(void)
{
	*(volatile char *)(r_sp() - USERSTACK * PGSIZE) = 1;
}
static void kernel_address(void)
{
	*(volatile char *)KERNBASE = 1;
}
static void highest_address(void)
{
	*(volatile char *)(MAXVA - 1) = 1;
}
static void seven(void)
{
	exit(7);
}

static void too_many_bytes(void)
{
	static char *argv[MAXARG];
	static char text[400];

	memset(text, 'x', sizeof(text) - 1);
	for (int i = 0; i < MAXARG - 1; i++)
		argv[i] = text;
	exit(exec("echo", argv) == -1 ? 9 : 0);
}

/* As bigargtest of usertests has it: what Pagetrail's own echo would take, that system's exec does not. */
static void little_over_a_page(void)
{
	static char *argv[MAXARG];
	static char text[200];

	memset(text, 'x', sizeof(text) - 1);
	for (int i = 0; i < MAXARG - 1; i++)
		argv[i] = text;
	exit(exec("echo", argv) == -1 ? 9 : 0);
}

/*
 * How much of the stack printf of a number uses: no more than that system's, as programs go as deep as it lets them (a
 * sieve of processes with a recursion for each prime). What lies below here is filled, and the lowest byte that printf
 * changed is looked for.
 */
#define PRINTF_STACK_BYTES 288
#define FILLED_BYTES 800

static void stack_of_printf(void)
{
	char *sp = __builtin_frame_address(0), *low;

	__asm__ volatile("mv %0, sp" : "=r"(sp));
	low = sp - FILLED_BYTES;
	for (volatile char *at = low; at < sp; at++)
		*at = 0x5a;
	printf("prime %d\n", 1234567);
	while (low < sp && *(volatile char *)low == 0x5a)
		low++;
	check(sp - low > 100 && sp - low <= PRINTF_STACK_BYTES, "the stack that printf takes");
}

/* Forks end before 1000 with an error, and every child is there to be waited for. */
static void many_forks(void)
{
	int nr = 0, pid = 0;

	while (nr < 1000 && (pid = fork()) > 0)
		nr++;
	if (pid == 0)
		exit(0);
	check(nr > 0 && nr < 1000 && pid == -1, "forks come to an end");
	for (; nr > 0; nr--)
		check(wait(0) > 0, "a child to wait for");
	check(wait(0) == -1, "no child is left");
}

static void many_arguments(void)
{
	char *argv[MAXARG + 1];

	for (int i = 0; i < MAXARG; i++)
		argv[i] = "x";
	argv[MAXARG] = 0;
	if (exec("true", argv) != -1)
		exit(1);
	argv[MAXARG - 1] = 0;
	exec("true", argv);
	exit(2);
}

static void open_files(void)
{
	int fds[NOFILE], nr = 0;
	struct stat st;

	while (nr < NOFILE && (fds[nr] = dup(1)) >= 0)
		nr++;
	check(nr == NOFILE - 3 && fds[nr - 1] == NOFILE - 1, "the number of open files");
	while (nr > 0)
		close(fds[--nr]);
	check(fstat(1, (struct stat *)KERNBASE) == -1 && fstat(1, (struct stat *)-8L) == -1,
	      "fstat to nowhere");
	check(fstat(1, &st) == 0 && st.type == T_DEVICE, "fstat of the console");
}

static void processes(void)
{
	open_files();
	check(status_of(many_arguments) == 0, "as many arguments as exec takes");
	many_forks();
	check(status_of(seven) == 7, "exit status");
	check(status_of(kernel_address) == -1, "the kernel's address");
	check(status_of(highest_address) == -1, "the highest address");
	check(status_of(below_stack) == -1, "below the stack");
	check(status_of(too_many_bytes) == 9, "arguments over a page");
	check(status_of(little_over_a_page) == 9,
	      "arguments a little over a page, to a program of another kind");
	stack_of_printf();
}

static void memory(void)
{
	char *end = sbrk(0), *p;

	check(sbrk(PGSIZE) == end && sbrk(-PGSIZE) == end + PGSIZE && sbrk(0) == end, "sbrk");
	check(sbrk(1 << 30) == SBRK_ERROR, "a GiB, eager");
	check(sbrklazy(1 << 30) == end, "a GiB, lazy");
	end[1 << 29] = 1;
	check(sbrk(-(1 << 30)) != SBRK_ERROR, "a GiB, back");
	p = malloc(10000);
	check(p != 0, "malloc");
	free(p);
}

int main(int argc, char **argv)
{
	check(argc == 2 && strcmp(argv[1], "now") == 0 && atoi("42") == 42, "arguments");
	long_names();
	directories();
	largest_file();
	write_across_the_end_of_memory();
	shared_descriptor();
	full_disk();
	no_inodes();
	formats();
	processes();
	memory();
	printf("xv6check: %s\n", failures ? "FAILED" : "OK");
	exit(failures != 0);
}
