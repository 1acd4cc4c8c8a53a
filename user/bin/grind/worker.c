/* SPDX-License-Identifier: MIT */
/*
 * One worker: what it holds, and the calls it makes.
 *
 * The workers share the file names, so that they meet in the file system; memory, descriptors and children are a worker's
 * own. No call may wait for ever: a worker reads from its own pipes no more than it wrote, and waits only for children,
 * which end by themselves or are killed.
 */
#include "grind.h"

#define NR_FILES 6 /* descriptors kept */
#define NR_AREAS 6
#define NR_CHILDREN 3
#define DEPTH_MAX 2
#define IO_BYTES (4 * PAGE_BYTES)
#define PIPE_BYTES 4096

static int files[NR_FILES];
static struct {
	char *at;
	size_t size_bytes;
	bool writable;
} areas[NR_AREAS];
static struct {
	int ends[2];
	size_t held_bytes;
	bool open;
} queue;
static int children[NR_CHILDREN];
static int worker_depth, nth_fd;
static long calls_left;
static char buffer[IO_BYTES];

/* ---- numbers ---- */

static uint64_t random_state;

void random_seed(uint64_t seed)
{
	random_state = seed * 2654435769UL + 88172645463325252UL;
	if (random_state == 0)
		random_state = 1;
}

/* Marsaglia's xorshift, 13-7-17. */
uint64_t random_below(uint64_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 16) % limit;
}

static bool one_in(uint64_t n)
{
	return random_below(n) == 0;
}

/* Names that all workers use, in three directories that come and go. */
static const char *random_path(void)
{
	static const char *const paths[] = {"a",     "b",      "c",        "x",          "y",
					    "z",     "x/a",    "x/b",      "y/a",        "x/y",
					    "x/y/a", "x/y/b",  "./",       "../grind/a", "../a",
					    "x/..",  "x/../a", "y/../x/a", "/bin/true",  "/README"};

	return paths[random_below(ARRAY_SIZE(paths))];
}

/* Not the programs and what else lies outside: those must be there for the others. */
static const char *random_own_path(void)
{
	static const char *const paths[] = {"a",   "b",   "c",   "x",   "y",     "z",
					    "x/a", "x/b", "y/a", "x/y", "x/y/a", "x/y/b"};

	return paths[random_below(ARRAY_SIZE(paths))];
}

static int random_fd(void)
{
	return one_in(20) ? (int)random_below(40) - 2 : files[random_below(NR_FILES)];
}

/* Mostly small, sometimes at the edge of a page, seldom behind one or two levels of indirect blocks. */
static long random_offset(void)
{
	switch (random_below(8)) {
	case 0:
		return 12 * 4096L - 100 + (long)random_below(8192);
	case 1:
		return (12 + 1024) * 4096L - 100 + (long)random_below(8192);
	default:
		return (long)random_below(30000);
	}
}

/* ---- files ---- */

static void keep_fd(int fd)
{
	int slot = (int)random_below(NR_FILES);

	if (fd < 0)
		return;
	if (files[slot] > 2)
		close(files[slot]);
	files[slot] = fd;
}

static void do_open(void)
{
	static const int flags[] = {O_RDONLY,
				    O_RDWR,
				    O_WRONLY,
				    O_RDWR | O_CREAT,
				    O_RDWR | O_CREAT,
				    O_RDWR | O_CREAT | O_TRUNC,
				    O_RDWR | O_CREAT | O_EXCL,
				    O_WRONLY | O_APPEND};
	int flag = flags[random_below(ARRAY_SIZE(flags))];

	keep_fd(open(flag == O_RDONLY ? random_path() : random_own_path(), flag, 0644));
}

static void do_close(void)
{
	int slot = (int)random_below(NR_FILES);

	if (files[slot] > 2)
		close(files[slot]);
	files[slot] = -1;
}

static void do_read(void)
{
	read(files[random_below(NR_FILES)], buffer, random_below(IO_BYTES));
}
static void do_write(void)
{
	write(files[random_below(NR_FILES)], buffer, random_below(IO_BYTES));
}
static void do_seek(void)
{
	lseek(random_fd(), random_offset(), (int)random_below(4));
}
static void do_truncate(void)
{
	ftruncate(random_fd(), random_offset());
}
static void do_fsync(void)
{
	fsync(random_fd());
}
static void do_dup(void)
{
	keep_fd(dup(files[random_below(NR_FILES)]));
}
static void do_stat(void)
{
	struct stat st;

	fstat(random_fd(), &st);
	stat(random_path(), &st);
}
static void do_getdents(void)
{
	getdents(random_fd(), buffer, random_below(IO_BYTES));
}
static void do_list(void)
{
	int fd = open(one_in(2) ? "." : random_path(), O_RDONLY);

	getdents(fd, buffer, IO_BYTES);
	keep_fd(fd);
}
static void do_sync(void)
{
	sync();
}

/* ---- names ---- */

static void do_link(void)
{
	link(random_own_path(), random_own_path());
}
static void do_symlink(void)
{
	symlink(random_own_path(), random_own_path());
}
static void do_unlink(void)
{
	unlink(random_own_path());
}
static void do_mkdir(void)
{
	mkdir(random_own_path());
}
static void do_rmdir(void)
{
	rmdir(random_own_path());
}
static void do_mknod(void)
{
	mknod(random_own_path(), S_IFCHR | 0644,
	      0x200 + (int)random_below(0x200)); /* not the console: a read would wait */
}
/* Twice, as one of this worker's allocations may be due to fail. */
static void go_home(void)
{
	if (chdir(GRIND_DIR) < 0)
		chdir(GRIND_DIR);
}
/* Never out of GRIND_DIR: what is made must be found again. */
static void do_chdir(void)
{
	if (one_in(2))
		go_home();
	else
		chdir(random_own_path());
}
static void do_statfs(void)
{
	struct statfs st;

	statfs(random_path(), &st);
}

/* ---- pipes ---- */

static void queue_close(void)
{
	if (queue.open) {
		close(queue.ends[0]);
		close(queue.ends[1]);
	}
	queue.open = false;
}

static void do_pipe(void)
{
	queue_close();
	queue.held_bytes = 0;
	queue.open = pipe(queue.ends) == 0;
}

static void do_pipe_write(void)
{
	size_t size = random_below(PIPE_BYTES - queue.held_bytes + 1);
	ssize_t n = queue.open ? write(queue.ends[1], buffer, size) : 0;

	if (n > 0)
		queue.held_bytes += (size_t)n;
}

static void do_pipe_read(void)
{
	ssize_t n;

	if (!queue.open || !queue.held_bytes)
		return;
	n = read(queue.ends[0], buffer, random_below(queue.held_bytes) + 1);
	if (n > 0)
		queue.held_bytes -= (size_t)n;
}

/* ---- memory ---- */

static void unmap_area(int slot)
{
	if (areas[slot].at)
		munmap(areas[slot].at, areas[slot].size_bytes);
	areas[slot].at = NULL;
}

static void do_mmap(void)
{
	int slot = (int)random_below(NR_AREAS), fd = -1, flags = MAP_PRIVATE | MAP_ANONYMOUS;
	size_t size = (random_below(12) + 1) * PAGE_BYTES;

	unmap_area(slot);
	if (one_in(2)) {
		fd = files[random_below(NR_FILES)];
		flags = one_in(2) ? MAP_SHARED : MAP_PRIVATE;
	} else if (one_in(4)) {
		flags = MAP_SHARED | MAP_ANONYMOUS;
	}
	areas[slot].writable = !one_in(3);
	areas[slot].at = mmap(NULL, size, areas[slot].writable ? PROT_READ | PROT_WRITE : PROT_READ, flags,
			      fd, (long)(random_below(4) * PAGE_BYTES));
	areas[slot].size_bytes = size;
}

/* Any part, so that areas are cut at both ends and in the middle. */
static void do_munmap(void)
{
	int slot = (int)random_below(NR_AREAS);
	size_t from = random_below(12) * PAGE_BYTES;

	if (one_in(2))
		unmap_area(slot);
	else if (areas[slot].at && from < areas[slot].size_bytes)
		munmap(areas[slot].at + from, (random_below(4) + 1) * PAGE_BYTES);
}

/* Through the kernel, which gives an error where user mode would die: most areas have holes or are read-only. */
static void do_copy_to_area(void)
{
	int slot = (int)random_below(NR_AREAS);
	int fd = files[random_below(NR_FILES)];

	if (!areas[slot].at)
		return;
	lseek(fd, 0, SEEK_SET);
	if (one_in(2))
		read(fd, areas[slot].at, areas[slot].size_bytes);
	else
		write(fd, areas[slot].at, areas[slot].size_bytes);
}

/*
 * By hand. A page that is there and may be read can be told by a path that lies in it: not -EFAULT. One in a hundred
 * touches does not ask, and may be the end of this worker; so may a write, if memory is refused or the file was cut.
 */
static void do_touch(void)
{
	int slot = (int)random_below(NR_AREAS);
	volatile char *at = areas[slot].at;
	struct stat st;

	if (!at || (stat((const char *)at, &st) == -EFAULT && !one_in(100)))
		return;
	if (areas[slot].writable)
		*at = 0;
	else
		(void)*at;
}

static void do_sbrk(void)
{
	long delta = (long)random_below(10 * PAGE_BYTES);

	if (one_in(3))
		delta = -delta / 2;
	char *at = one_in(2) ? sbrk(delta) : sbrk_lazy(delta);
	if (at && delta > 0 && one_in(2))
		at[random_below((uint64_t)delta)] = 1;
}

/* ---- processes ---- */

static void __attribute__((noreturn)) child_main(uint64_t seed)
{
	static const char *const programs[] = {"/bin/true", "/bin/false", "/bin/missing", "/README", "a"};
	char *argv[] = {"child", NULL};

	random_seed(seed);
	queue_close();
	for (int i = 0; i < NR_CHILDREN; i++)
		children[i] = 0;
	nth_fd = -1;
	if (one_in(3))
		exec(programs[random_below(ARRAY_SIZE(programs))], argv);
	worker_run((long)random_below(30), worker_depth + 1);
	exit(0);
}

static void do_fork(void)
{
	uint64_t seed = random_below(1UL << 40);

	if (worker_depth >= DEPTH_MAX)
		return;
	for (int i = 0; i < NR_CHILDREN; i++) {
		if (children[i] > 0)
			continue;
		children[i] = fork();
		if (children[i] == 0)
			child_main(seed);
		return;
	}
}

static void forget_child(int pid)
{
	for (int i = 0; i < NR_CHILDREN; i++)
		if (children[i] == pid)
			children[i] = 0;
}

static void do_wait(void)
{
	int status, pid = one_in(2) ? wait_nohang(&status) : wait(&status);

	if (pid > 0)
		forget_child(pid);
}

static void do_kill(void)
{
	int pid = children[random_below(NR_CHILDREN)];

	if (pid > 0)
		kill(pid);
}

static void do_yield(void)
{
	if (one_in(4))
		sleep_ms((long)random_below(3));
	else
		yield();
}

/* ---- the books ---- */

static void do_freemem(void)
{
	struct freemem info = {.size = sizeof(info)};

	freemem(&info, one_in(2) ? buffer : NULL, random_below(IO_BYTES));
}

static void do_proc(void)
{
	static const char *const names[] = {"/proc/meminfo",    "/proc/self/maps", "/proc/self/status",
					    "/proc/slabinfo",   "/proc/buddyinfo", "/proc/lockstat",
					    "/proc/page_owner", "/proc/checks"};
	int fd = open(names[random_below(ARRAY_SIZE(names))], O_RDONLY);

	read(fd, buffer, random_below(IO_BYTES));
	keep_fd(fd);
}

static void do_drop_caches(void)
{
	kdebug(KDEBUG_DROP_CACHES, 0);
}

/* One of the next allocations of this worker fails. */
static void do_fail_nth(void)
{
	char text[8];
	int length = snprintf(text, sizeof(text), "%lu", random_below(25));

	if (nth_fd >= 0)
		write(nth_fd, text, (size_t)length);
}

/* The buffer's bytes may be taken for a path: then for one that begins here. What is made elsewhere would not be found. */
static void keep_inside(long arg)
{
	char *path = (char *)arg;

	if (path >= buffer && path < buffer + IO_BYTES && *path == '/')
		*path = 'n';
}

/* Arguments that mean nothing. Not the calls that end the round, or wait without end. */
static void do_nonsense(void)
{
	static const int numbers[] = {
	    SYS_open,  SYS_fstat,  SYS_mkdir, SYS_link,  SYS_unlink,    SYS_getdents, SYS_pipe,
	    SYS_mmap,  SYS_munmap, SYS_sbrk,  SYS_chdir, SYS_statfs,    SYS_exec,     SYS_lseek,
	    SYS_write, SYS_dup,    SYS_close, SYS_mknod, SYS_ftruncate, 63,           999};
	long arg[6];

	for (int i = 0; i < 6; i++)
		arg[i] = one_in(2)   ? (long)random_below(64)
			 : one_in(2) ? (long)(random_below(1UL << 40) << random_below(24))
				     : (long)(uintptr_t)(buffer + random_below(IO_BYTES));
	/* No descriptor that is open: a pipe that is full, or read by nobody knows whom, would be waited for. */
	arg[0] |= 64;
	keep_inside(arg[0]);
	keep_inside(arg[1]);
	int number = numbers[random_below(ARRAY_SIZE(numbers))];
	if (number != SYS_munmap && number != SYS_mmap && number != SYS_sbrk)
		syscall(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
	else if (arg[0] < 0 || arg[0] > 0x10000000) /* not this program's own pages */
		syscall(number, arg[0], arg[1], arg[2], 0, -1, arg[5]);
	if (number == SYS_chdir) /* the buffer may hold a directory that was read, and so the name ".." */
		go_home();
}

static const struct {
	void (*call)(void);
	unsigned weight;
} calls[] = {
    {do_open, 10},        {do_close, 4},      {do_read, 6},      {do_write, 8},   {do_seek, 6},
    {do_truncate, 3},     {do_fsync, 1},      {do_dup, 2},       {do_stat, 3},    {do_getdents, 1},
    {do_list, 2},         {do_sync, 1},       {do_link, 4},      {do_symlink, 3}, {do_unlink, 6},
    {do_mkdir, 4},        {do_rmdir, 3},      {do_mknod, 1},     {do_chdir, 3},   {do_statfs, 1},
    {do_pipe, 2},         {do_pipe_write, 3}, {do_pipe_read, 3}, {do_mmap, 6},    {do_munmap, 4},
    {do_copy_to_area, 6}, {do_touch, 4},      {do_sbrk, 5},      {do_fork, 4},    {do_wait, 3},
    {do_kill, 1},         {do_yield, 3},      {do_freemem, 1},   {do_proc, 2},    {do_drop_caches, 1},
    {do_fail_nth, 3},     {do_nonsense, 2},
};

static void random_call(void)
{
	unsigned total = 0, at;

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		total += calls[i].weight;
	at = (unsigned)random_below(total);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		if (at < calls[i].weight) {
			calls[i].call();
			return;
		}
		at -= calls[i].weight;
	}
}

void worker_run(long nr_calls, int depth)
{
	worker_depth = depth;
	if (depth == 0)
		for (int i = 0; i < NR_FILES; i++)
			files[i] = -1;
	nth_fd = open("/proc/self/fail-nth", O_WRONLY);
	for (calls_left = nr_calls; calls_left > 0; calls_left--)
		random_call();
}
