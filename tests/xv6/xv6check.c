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

static void processes(void)
{
	check(status_of(seven) == 7, "exit status");
	check(status_of(kernel_address) == -1, "the kernel's address");
	check(status_of(highest_address) == -1, "the highest address");
	check(status_of(below_stack) == -1, "below the stack");
	check(status_of(too_many_bytes) == 9, "arguments over a page");
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
	processes();
	memory();
	printf("xv6check: %s\n", failures ? "FAILED" : "OK");
	exit(failures != 0);
}
