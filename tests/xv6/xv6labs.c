/* SPDX-License-Identifier: MIT */
// The lab calls, for tests/qemu: each as a lab's own program would use it.
#include "kernel/types.h"

#include "kernel/fcntl.h"
#include "kernel/fs.h"
#include "kernel/memlayout.h"
#include "kernel/param.h"
#include "kernel/riscv.h"
#include "kernel/stat.h"
#include "kernel/syscall.h"
#include "kernel/sysinfo.h"
#include "user/user.h"

static int failures;

static void check(int good, char *what)
{
	if (!good) {
		failures++;
		printf("xv6labs: %s: FAILED\n", what);
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

/* ---- symbolic links ---- */

static void links(void)
{
	char longer[100];
	struct stat st;
	char c;
	int fd;

	mkdir("ldir");
	fd = open("ldir/a", O_CREATE | O_RDWR);
	check(write(fd, "A", 1) == 1, "write of a");
	close(fd);
	check(symlink("/ldir/a", "ldir/b") == 0 && symlink("b", "ldir/c") == 0, "symlink");
	fd = open("ldir/c", O_RDWR);
	check(fd >= 0 && read(fd, &c, 1) == 1 && c == 'A', "open through two links");
	check(fstat(fd, &st) == 0 && st.type == T_FILE, "it is a file");
	close(fd);
	fd = open("ldir/b", O_RDONLY | O_NOFOLLOW);
	check(fd >= 0 && fstat(fd, &st) == 0 && st.type == T_SYMLINK, "the link itself");
	check(read(fd, &c, 1) == -1, "which cannot be read");
	close(fd);
	check(symlink("/ldir/a", "ldir/b") == -1, "over a name that exists");
	check(unlink("ldir/a") == 0 && open("ldir/b", O_RDWR) == -1, "a link to nothing");
	fd = open("ldir/b", O_CREATE | O_RDWR);
	check(fd >= 0, "created through a link");
	close(fd);
	check(unlink("ldir/a") == 0 && unlink("ldir/c") == 0 && unlink("ldir/b") == 0,
	      "unlink takes the link");
	check(symlink("/ldir/2", "ldir/1") == 0 && symlink("/ldir/1", "ldir/2") == 0, "a circle");
	check(open("ldir/1", O_RDONLY) == -1 && open("ldir/2", O_CREATE | O_RDWR) == -1, "open of a circle");
	check(unlink("ldir/1") == 0 && unlink("ldir/2") == 0, "unlink of a circle");
	memset(longer, '/', sizeof(longer));
	strcpy(longer + 90, "README");
	check(symlink(longer, "ldir/long") == 0, "a long target");
	fd = open("ldir/long", O_RDONLY);
	check(fd >= 0 && read(fd, &c, 1) == 1, "open through a long target");
	close(fd);
	check(unlink("ldir/long") == 0 && unlink("ldir") == 0, "nothing is left");
}

/* ---- sysinfo ---- */

/* What it says of memory is in xv6memory.c. */
static void information(void)
{
	struct sysinfo info;
	uint64 processes;
	int pid, status;

	check(sysinfo((struct sysinfo *)0xeaeb0b5b00002f5eL) == -1, "sysinfo to nowhere");
	check(sysinfo(&info) == 0, "sysinfo");
	processes = info.nproc;
	pid = fork();
	if (pid == 0) {
		sysinfo(&info);
		exit(info.nproc == processes + 1 ? 0 : 1);
	}
	check(wait(&status) == pid && status == 0, "one process more");
	sysinfo(&info);
	check(info.nproc == processes, "and one less");
}

/* ---- alarms ---- */

static volatile int rings, inside, nested;

static void ring(void)
{
	rings++;
	sigreturn();
}

static void ring_slowly(void)
{
	rings++;
	nested |= inside;
	inside = 1;
	for (uint64 begin = r_time(); r_time() - begin < 5000000;)
		;
	inside = 0;
	sigreturn();
}

/* Spins until it rang n times; 0 after ten seconds without. */
static int wait_for_rings(int n)
{
	uint64 begin = r_time();

	while (rings < n)
		if (r_time() - begin > 100000000)
			return 0;
	return 1;
}

static uint64 a0_after_alarm(void)
{
	register uint64 a0 asm("a0") = 0xac;
	volatile int *counter = &rings;

	asm volatile("1: lw t0, 0(%1); beqz t0, 1b" : "+r"(a0) : "r"(counter) : "t0", "memory");
	return a0;
}

/* The sum must come out right, however often the handler used the same registers. */
static int count_through_alarms(void)
{
	int i, j = 0;

	rings = 0;
	for (i = 0; i < 400000000 && rings < 3; i++)
		j += 2;
	return j == 2 * i;
}

static void alarms(void)
{
	uint64 begin;

	check(sigalarm(2, ring) == 0 && wait_for_rings(1), "an alarm");
	check(wait_for_rings(4), "and again");
	check(count_through_alarms(), "registers are preserved");
	rings = 0;
	check(a0_after_alarm() == 0xac, "a0 is preserved");
	sigalarm(0, 0);
	rings = 0;
	for (begin = r_time(); r_time() - begin < 5000000;)
		;
	check(rings == 0, "no alarm");
	sigalarm(1, ring_slowly);
	check(wait_for_rings(3) && !nested, "no alarm within a handler");
	sigalarm(0, 0);
	check(sigreturn() == -22 || sigreturn() < 0, "sigreturn without an alarm");
}

/* ---- page tables ---- */

static void write_pid(void)
{
	((volatile struct usyscall *)USYSCALL)->pid = 1;
}

static void page_tables(void)
{
	char *pages = (char *)PGROUNDUP((uint64)sbrk(34 * PGSIZE));
	unsigned int bits = 0xffffffff;

	memset(pages, 1, 32 * PGSIZE);
	check(pgaccess(pages, 32, &bits) == 0 && bits == 0xffffffff, "all pages were accessed");
	pages[1 * PGSIZE] += 1;
	pages[2 * PGSIZE] += 1;
	pages[30 * PGSIZE] += 1;
	check(pgaccess(pages, 32, &bits) == 0 && bits == ((1 << 1) | (1 << 2) | (1 << 30)), "three were");
	check(pgaccess(pages, 32, &bits) == 0 && bits == 0, "none was");
	check(pgaccess(pages, 1000, &bits) == -1 && pgaccess(pages, 1, (void *)-8L) == -1,
	      "pgaccess misused");
	check((pgpte(pages) & (PTE_V | PTE_U | PTE_R | PTE_W | PTE_X)) == (PTE_V | PTE_U | PTE_R | PTE_W),
	      "pgpte");
	check(pgpte((void *)KERNBASE) == 0 && pgpte((void *)-8L) == 0, "pgpte of nothing");
	kpgtbl();
	for (int i = 0; i < 8; i++) {
		int status, pid = fork();
		if (pid == 0)
			exit(ugetpid() == getpid() ? 0 : 1);
		check(wait(&status) == pid && status == 0, "ugetpid of a child");
		check(ugetpid() == getpid(), "ugetpid");
	}
	check(status_of(write_pid) == -1, "the pid page is read-only");
}

/* ---- harts ---- */

/* How often the lock of this hart's page cache was taken: the third word of its line. */
static int page_lock_uses(int hart)
{
	static char text[4096];
	char name[] = "pcp0 ", *at = text;
	int fd = open("/proc/lockstat", O_RDONLY), length = 0, n;

	name[3] += hart;
	while ((n = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
		length += n;
	close(fd);
	text[length] = 0;
	while (at && memcmp(at, name, 5) != 0)
		at = strchr(at, '\n') ? strchr(at, '\n') + 1 : 0;
	for (int word = 0; at && word < 2; word++)
		for (at = strchr(at, ' '); *at == ' '; at++)
			;
	return at ? atoi(at) : -1;
}

/* Prints how many harts it could choose. On each, what it takes comes from that hart's cache of pages. */
static void chosen_harts(void)
{
	int nr = 0, before;

	check(cpupin(-1) == -1 && cpupin(8) == -1, "no such hart");
	for (; nr < 8 && cpupin(nr) == 0; nr++) {
		before = page_lock_uses(nr);
		for (int i = 0; i < 200; i++) {
			sbrk(PGSIZE);
			sbrk(-PGSIZE);
		}
		check(before >= 0 && page_lock_uses(nr) - before >= 400, "pages come from the chosen hart");
		pause(1);
	}
	printf("%d harts\n", nr);
}

/* ---- watched calls ---- */

static void traced(void)
{
	char c;
	int fd;

	trace((1 << SYS_read) | (1 << SYS_open));
	fd = open("README", O_RDONLY);
	read(fd, &c, 1);
	close(fd);
	open("no-such-file", O_RDONLY);
}

static void interposed(void)
{
	char c;
	int fd, fds[2];

	check(interpose((1 << SYS_open) | (1 << SYS_pipe), "README") == 0, "interpose");
	fd = open("README", O_RDONLY);
	check(fd >= 0 && read(fd, &c, 1) == 1, "the allowed file");
	check(open("xv6labs", O_RDONLY) == -1 && pipe(fds) == -1, "refused calls");
	check(fork() >= 0, "a call that is not refused");
	check(open("xv6labs", O_RDONLY) == -1, "refused in the child, too");
	wait(0);
}

int main(int argc, char **argv)
{
	char text[512], *number;

	links();
	information();
	alarms();
	page_tables();
	check(status_of(chosen_harts) == 0, "a process that chooses its hart");
	status_of(traced);
	check(status_of(interposed) == 0, "an interposed process");
	check(statistics(text, sizeof(text)) > 0 && (number = strchr(text, '=')) != 0 &&
		  atoi(number + 2) >= 0,
	      "statistics");
	printf("xv6labs: %s\n", failures ? "FAILED" : "OK");
	exit(failures != 0);
}
