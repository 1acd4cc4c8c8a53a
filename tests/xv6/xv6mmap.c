/* SPDX-License-Identifier: MIT */
// mmap and munmap of files, for tests/qemu, as the lab's own program uses them.
#include "kernel/types.h"

#include "kernel/fcntl.h"
#include "kernel/riscv.h"
#include "user/user.h"

static int failures;

static void check(int good, char *what)
{
	if (!good) {
		failures++;
		printf("xv6mmap: %s: FAILED\n", what);
	}
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

static char *mapped;

static void write_mapped(void)
{
	mapped[0] = 'w';
}
static void read_mapped(void)
{
	exit(mapped[PGSIZE] == 'b' ? 0 : 1);
}

static void mappings(void)
{
	static char bytes[2 * PGSIZE];
	int fd = open("mapfile", O_CREATE | O_RDWR);
	char c;

	memset(bytes, 'a', PGSIZE);
	memset(bytes + PGSIZE, 'b', PGSIZE);
	check(write(fd, bytes, sizeof(bytes)) == sizeof(bytes), "write of the file");
	mapped = mmap(0, 2 * PGSIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(mapped != (char *)-1 && mapped[0] == 'a' && mapped[PGSIZE] == 'b', "mmap, shared");
	mapped[0] = 'x';
	check(munmap(mapped, PGSIZE) == 0, "munmap of the first page");
	check(status_of(write_mapped) == -1, "the first page is gone");
	check(status_of(read_mapped) == 0, "the second is not");
	check(munmap(mapped + PGSIZE, PGSIZE) == 0, "munmap of the rest");
	close(fd);
	fd = open("mapfile", O_RDONLY);
	check(read(fd, &c, 1) == 1 && c == 'x', "what was written is in the file");
	check(mmap(0, PGSIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == (char *)-1,
	      "no shared writing of a file that is open for reading");
	mapped = mmap(0, PGSIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, PGSIZE);
	check(mapped[0] == 'b', "an offset");
	mapped[0] = 'p';
	check(munmap(mapped, PGSIZE) == 0, "munmap, private");
	mapped = mmap(0, PGSIZE, PROT_READ, MAP_PRIVATE, fd, 0);
	check(status_of(write_mapped) == -1, "a read-only mapping");
	check(munmap(mapped, PGSIZE) == 0, "munmap, read-only");
	close(fd);
	unlink("mapfile");
}

/* A file of one page and a half, all 'A'; open in this mode. */
static int half_file(int mode)
{
	static char bytes[PGSIZE + PGSIZE / 2];
	int fd;

	unlink("half");
	fd = open("half", O_CREATE | O_WRONLY);
	memset(bytes, 'A', sizeof(bytes));
	check(write(fd, bytes, sizeof(bytes)) == sizeof(bytes), "write of a page and a half");
	close(fd);
	return open("half", mode);
}

static int is_half_file(char *at)
{
	for (int i = 0; i < 2 * PGSIZE; i++)
		if (at[i] != (i < PGSIZE + PGSIZE / 2 ? 'A' : 0))
			return 0;
	return 1;
}

static void lose_second(void)
{
	mapped[0] = 'a';
	mapped[PGSIZE] = 'b';
	check(munmap(mapped + PGSIZE, PGSIZE) == 0, "munmap of the second page in a child");
	exit(mapped[PGSIZE]);
}
static void see_and_lose_first(void)
{
	check(is_half_file(mapped) && munmap(mapped, PGSIZE) == 0, "the mapping of a child");
	exit(failures);
}

static void mappings_beyond_the_end(void)
{
	static char bytes[2 * PGSIZE];
	int fd = half_file(O_RDWR);
	char *again;

	mapped = mmap(0, 3 * PGSIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	check(is_half_file(mapped), "a mapping longer than its file");
	memset(mapped, 'Z', 2 * PGSIZE);
	check(munmap(mapped, 2 * PGSIZE) == 0, "munmap of two pages of three");
	fd = open("half", O_RDONLY);
	check(read(fd, bytes, sizeof(bytes)) == PGSIZE + PGSIZE / 2 && bytes[PGSIZE + 10] == 'Z',
	      "the file is as long as before");
	close(fd);
	check(munmap(mapped + 2 * PGSIZE, PGSIZE) == 0, "munmap of a page that never was there");

	fd = half_file(O_RDWR);
	mapped = mmap(0, 2 * PGSIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(write(fd, "m", 1) == 1 && mapped[0] == 'm', "what is written after mmap is seen");
	check(status_of(lose_second) == -1, "what a child gave up it cannot read");
	mapped[0] = 'P';
	mapped[PGSIZE] = 'Q';
	check(munmap(mapped, 2 * PGSIZE) == 0, "munmap");
	close(fd);
	fd = open("half", O_RDONLY);
	check(read(fd, bytes, sizeof(bytes)) > PGSIZE && bytes[0] == 'P' && bytes[PGSIZE] == 'Q',
	      "the parent wrote last");
	close(fd);

	fd = half_file(O_RDONLY);
	check(unlink("half") == 0, "unlink");
	mapped = mmap(0, 2 * PGSIZE, PROT_READ, MAP_SHARED, fd, 0);
	again = mmap(0, 2 * PGSIZE, PROT_READ, MAP_PRIVATE, fd, 0);
	check(mapped[PGSIZE] == 'A' && status_of(see_and_lose_first) == 0, "a child sees the mapping");
	check(is_half_file(mapped) && is_half_file(again), "two mappings of a file without a name");
	check(status_of(write_mapped) == -1, "a read-only mapping of a shared file");
	munmap(mapped, 2 * PGSIZE);
	munmap(again, 2 * PGSIZE);
	close(fd);
}

int main(int argc, char **argv)
{
	mappings();
	mappings_beyond_the_end();
	printf("xv6mmap: %s\n", failures ? "FAILED" : "OK");
	exit(failures != 0);
}
